/**
 * Whether this context computes a token from those before it in one way only: alone, beside others, read again in one
 * piece, and after a prompt that was read in other pieces. Where it does, an answer that goes on in another process is the undisturbed one; where a kernel is chosen
 * by the number of rows, or attention is split over threads, it is not, and no list of types is sure to know.
 *
 * The test runs on slots that nobody uses, one batch at a time, between those of answers. An answer that takes its slot
 * ends it, and it begins anew later.
 */
import { createHash } from "node:crypto"
import { narrowTokens, wideFrom } from "../../../../machines/kinds/llama/batches.ts"
import type { Rows } from "../../../../machines/kinds/llama/exact-types.ts"
import type { Exactness } from "../../../../machines/vocabulary/worker.ts"
import { lastUsed, type Slot } from "../../slots.ts"
import type { AddonSampler, NativeContext } from "../addon.ts"
import { widePiece } from "./pieces.ts"
import type { Way } from "./way.ts"

/** tokens that are decoded one by one, and read again in one piece */
const decodedTokens = 60
/** cells that are filled before that: from 512 on attention is split over the threads */
const filledTokens = 512
/** of the last tokens the probabilities are compared: what went wrong before them is in the cache that they read */
const compared = 4
/** tokens that are decoded beside others */
const besides = 16

export interface SelfTestOptions {
  readonly native: NativeContext
  readonly sampler: AddonSampler
  readonly slots: ReadonlyArray<Slot>
  /** tokens a slot */
  readonly context: number
  /** tokens of a prompt that are read at once, at most */
  readonly piece: number
  readonly way: Pick<Way, "name" | "rows">
  /** some tokens of the model's; repeated as often as needed */
  readonly words: Uint32Array
  readonly done: (exactness: Exactness) => void
}

interface Part {
  readonly sequence: number
  readonly position: number
  readonly tokens: Uint32Array
}

/** A batch; `asked` is the sequence whose probabilities are wanted. */
interface Step {
  readonly parts: ReadonlyArray<Part>
  readonly asked: number | undefined
}

/** Its steps in order; each gives the probabilities that it asked for. */
type Steps = Generator<Step, Exactness, string>

export class SelfTest {
  private readonly options: SelfTestOptions
  private readonly tokens: Uint32Array
  private readonly decoded: number
  private run: { readonly steps: Steps; readonly slot: Slot; used: number; answer: string } | undefined
  private isOver = false

  constructor(options: SelfTestOptions) {
    const { context, words } = options
    this.options = options
    const length = Math.min(filledTokens + decodedTokens, context)
    this.decoded = Math.min(decodedTokens, length - 1)
    this.tokens = Uint32Array.from({ length }, (_, i) => words[(i + Math.floor(i / 7)) % words.length] ?? 0)
    if (this.decoded < compared || words.length === 0) this.end({ exact: false })
  }

  /** It takes a second of a small model, and minutes of a large one: not between two questions of one person. */
  readonly restMs = 5000

  get isPending(): boolean {
    return !this.isOver
  }

  /** Decodes one batch of the test. False: it waits for a slot. The context must be at rest. */
  async step(): Promise<boolean> {
    const run = this.current()
    if (run === undefined) return false
    const { done, value } = run.steps.next(run.answer)
    if (done === true) {
      run.slot.filled = 0
      this.options.native.disposeSequence(run.slot.id)
      this.end(value)
      return true
    }
    try {
      run.answer = await this.decode(value)
    } catch {
      this.end({ exact: false })
    }
    return true
  }

  stop(): void {
    this.isOver = true
  }

  private end(exactness: Exactness): void {
    if (this.isOver) return
    this.isOver = true
    this.options.done(exactness)
  }

  /** The run under way, if its slot is still its own; else a new one, if there is a slot. */
  private current() {
    const { run } = this
    if (run !== undefined && !run.slot.busy && run.slot.used === run.used) return this.using(run)
    this.run = undefined
    const slot = this.free().at(-1)
    if (slot === undefined) return undefined
    if (this.options.slots.length > 1 && this.free().length < 2) return undefined
    slot.filled = 0
    this.run = { steps: this.steps(slot.id), slot, used: slot.used, answer: "" }
    return this.using(this.run)
  }

  /** Answers take the slot that was not used for longest: without this they came round to it, and no test came to its end. */
  private using<R extends { readonly slot: Slot; used: number }>(run: R): R {
    run.used = run.slot.used = lastUsed(this.options.slots) + 1
    return run
  }

  /** Slots that nobody uses; while there are answers, only those that hold nothing for the next one. */
  private free(): ReadonlyArray<Slot> {
    const { slots } = this.options
    const isIdle = slots.every(({ busy }) => !busy)
    return slots.filter(({ busy, filled }) => !busy && (isIdle || filled === 0))
  }

  private get rows(): Rows {
    return this.options.way.rows
  }

  private *steps(sequence: number): Steps {
    const { native } = this.options
    const length = this.tokens.length
    const begin = length - this.decoded - ((length - this.decoded) % this.rows.step)
    native.disposeSequence(sequence)
    yield* this.read(sequence, begin, this.options.piece)
    const alone = yield* this.decodeFrom(sequence, begin, () => [])
    yield* this.cut(sequence, begin)
    const again = yield* this.again(sequence, begin, length)
    const bits = createHash("sha256").update(this.options.way.name).update(alone.join()).digest("hex").slice(0, 16)
    if (again !== alone.at(-1)) return { exact: false, bits }
    yield* this.cut(sequence, begin)
    const rest = length - Math.min(besides, this.decoded)
    yield* this.besideOthers(sequence, begin, rest)
    let count = 0
    const company = yield* this.decodeFrom(sequence, rest, () => this.mates(sequence, ++count, 1))
    if (alone.some((one, i) => one !== company[i])) return { exact: false, bits }
    native.disposeSequence(sequence)
    yield* this.read(sequence, begin, wideFrom)
    const inSmaller = yield* this.again(sequence, begin, length)
    return { exact: inSmaller === alone.at(-1), bits }
  }

  /** As many at once as may be; the last one's probabilities. */
  private *again(sequence: number, from: number, end: number): Generator<Step, string, string> {
    const most = Math.min(decodedTokens + this.rows.step, narrowTokens, this.rows.most)
    let last = ""
    for (let at = from; at < end; at += most)
      last = yield this.piece(sequence, at, Math.min(end, at + most), at + most >= end)
    return last
  }

  /** In one piece, or in small ones, each with neighbours. */
  private *besideOthers(sequence: number, from: number, end: number): Generator<Step, void, string> {
    const { most } = this.rows
    const [own, others] = most === Infinity ? [end - from, 40] : [Math.max(1, most - 1), 1]
    const mates = Math.min(1, most - 1)
    for (let at = from; at < end; at += own)
      yield this.beside(
        this.piece(sequence, at, Math.min(end, at + own), false),
        this.mates(sequence, 1, others, mates)
      )
  }

  /** The first tokens, as a prompt is read: alone, in pieces of `most` tokens. */
  private *read(sequence: number, end: number, most: number): Generator<Step, void, string> {
    for (let at = 0, left = end; left > 0; left = end - at) {
      const count = left < wideFrom ? left : widePiece(left, most, false)
      yield this.piece(sequence, at, at + count, false)
      at += count
    }
  }

  /** A memory that cannot be cut is filled again. */
  private *cut(sequence: number, end: number): Generator<Step, void, string> {
    if (this.options.native.removeTokenCellsFromSequence(sequence, end, -1)) return
    this.options.native.disposeSequence(sequence)
    yield* this.read(sequence, end, this.options.piece)
  }

  /** One by one to the end, beside others; the probabilities of the last ones. */
  private *decodeFrom(
    sequence: number,
    from: number,
    others: () => ReadonlyArray<Part>
  ): Generator<Step, ReadonlyArray<string>, string> {
    const { length } = this.tokens
    const seen: Array<string> = []
    for (let at = from; at < length; at++) {
      const isCompared = at >= length - compared
      const answer = yield this.beside(this.piece(sequence, at, at + 1, isCompared), others())
      if (isCompared) seen.push(answer)
    }
    return seen
  }

  private piece(sequence: number, position: number, end: number, isAsked: boolean): Step {
    const part = { sequence, position, tokens: this.tokens.subarray(position, end) }
    return { parts: [part], asked: isAsked ? sequence : undefined }
  }

  private beside({ asked, parts }: Step, others: ReadonlyArray<Part>): Step {
    return { asked, parts: [...parts, ...others].sort((a, b) => a.sequence - b.sequence) }
  }

  /** Others with a token each, or with `tokens`: in turn one, two, … as many as there are slots. */
  private mates(sequence: number, count: number, tokens: number, most = this.rows.most - 1): ReadonlyArray<Part> {
    if (most === 0) return []
    const others = this.free().filter(({ id }) => id !== sequence)
    const taken = others.slice(-Math.min(most, 1 + (count % Math.max(1, others.length))))
    return taken.map((slot) => {
      slot.filled = 0
      this.options.native.disposeSequence(slot.id)
      return { sequence: slot.id, position: 0, tokens: this.tokens.subarray(count, count + tokens) }
    })
  }

  private async decode({ asked, parts }: Step): Promise<string> {
    const { native, sampler } = this.options
    native.initBatch(parts.reduce((sum, { tokens }) => sum + tokens.length, 0))
    let index: number | undefined
    for (const { position, sequence, tokens } of parts) {
      // the output head has as many rows as there are logits asked for: neighbours ask for theirs
      const wanted = asked === undefined ? new Uint32Array(0) : Uint32Array.of(tokens.length - 1)
      const [at] = native.addToBatch(sequence, position, tokens, wanted)
      if (sequence === asked) index = at
    }
    await native.decodeBatch()
    if (index === undefined) return ""
    const [token, , confidence] = await native.sampleToken(index, sampler, false, true)
    return `${token}:${confidence}`
  }
}
