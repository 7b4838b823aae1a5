/**
 * The decode loop of one context. Every turn puts the next tokens of all answers into one batch (continuous batching)
 * and, while llama.cpp decodes it on another thread, hands out the tokens of the turn before.
 *
 * The native context is used between batches only, never during one; so answers may be added and dropped at any time.
 */
import { rbeeError } from "../../../machines/errors.ts"
import type { AddonContext } from "./addon.ts"
import type { Failure, Finish } from "../answer.ts"
import type { LlamaAnswer } from "./answer.ts"

export interface BatcherOptions {
  readonly context: AddonContext
  /** tokens a batch, at least the number of slots */
  readonly batchSize: number
  /**
   * Tokens that one answer reads a batch. On a CPU, up to 63 of them give the same numbers, bit for bit, as the same
   * tokens decoded one by one, with any neighbours and from any cached prefix; so that a resumed answer continues as the
   * undisturbed one would have. From 64 on, flash attention adds up in another order. (Measured; see EXACT_UNTIL.)
   */
  readonly chunk: number
  /** milliseconds from one token of an answer to the next; 0: as fast as possible */
  readonly paceMs: number
  readonly now: () => number
}

interface Drawn {
  readonly answer: LlamaAnswer
  readonly index: number
}

/** What a reader is owed: one token, and the end if it was the last. */
interface Owed {
  readonly answer: LlamaAnswer
  readonly text: string
  readonly token: number
  readonly finish: Finish | undefined
}

/**
 * A prompt longer than this is read in whole batches from here on: small chunks cost a third more per token at first and
 * several times as much at ten thousand. What was decoded and is read again stays exact at any length.
 */
const EXACT_UNTIL = 2048

const FIRST = Uint32Array.of(0)
const NONE = new Uint32Array(0)

const failure = (cause: unknown): Failure => {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return rbeeError("INTERNAL", `llama.cpp could not decode (${reason})`, "", { reason })
}

/** exactly its next token is missing from the cache: it decodes; otherwise it still reads its prompt */
const decodes = (answer: LlamaAnswer): boolean => answer.attached && answer.tokens.length - answer.filled === 1

export class Batcher {
  /** batches decoded so far */
  batches = 0
  private readonly options: BatcherOptions
  private answers: Array<LlamaAnswer> = []
  /** dropped answers, whose samplers may be in use until the end of this turn */
  private dropped: Array<LlamaAnswer> = []
  /** answers of a batch that failed: each has to prove itself alone, so that one cannot fail its neighbours */
  private suspects: Array<LlamaAnswer> = []
  private owed: Array<Owed> = []
  private running: Promise<void> | undefined
  private wake: (() => void) | undefined
  private readonly one = new Uint32Array(1)

  constructor(options: BatcherOptions) {
    this.options = options
  }

  /** The answer's slot is its own until `drop` or the answer's end. */
  add(answer: LlamaAnswer): void {
    const { slot } = answer
    // From now on the slot counts as holding the common prefix; the loop cuts off the cells behind it.
    slot.tokens = answer.tokens
    slot.filled = answer.filled
    slot.busy = true
    this.answers.push(answer)
    if (this.running === undefined) this.running = this.run()
    else this.wake?.()
  }

  /** Stops an answer: its reader is not called again, and its slot is free at once. */
  drop(answer: LlamaAnswer): void {
    if (answer.over) return
    answer.over = true
    this.dropped.push(answer)
    this.release(answer)
    this.wake?.()
  }

  /** Fails every answer, and waits for the batch in flight. */
  async close(): Promise<void> {
    for (const answer of this.answers) {
      this.drop(answer)
      answer.fail(failure("the model is being unloaded"))
    }
    await this.running
  }

  private release(answer: LlamaAnswer): void {
    if (!this.answers.includes(answer)) return
    this.answers = this.answers.filter((other) => other !== answer)
    this.suspects = this.suspects.filter((other) => other !== answer)
    answer.slot.busy = false
  }

  private async run(): Promise<void> {
    // One turn of the event loop later, so that answers that come together share their first batch.
    await new Promise((resolve) => setImmediate(resolve))
    for (;;) {
      for (const answer of this.dropped.splice(0)) answer.sampler.dispose()
      const ready = this.pick()
      if (ready.length > 0) {
        const outcome = this.decode(ready)
        this.callReaders()
        await outcome
      } else if (this.owed.length > 0) this.callReaders()
      else if (this.answers.length > 0) await this.pause()
      else if (this.dropped.length === 0) break
    }
    this.running = undefined
  }

  /** Those that read their prompt, and those whose next token is due. */
  private pick(): ReadonlyArray<LlamaAnswer> {
    const [suspect] = this.suspects
    if (suspect !== undefined) return [suspect]
    if (this.options.paceMs === 0) return this.answers.slice()
    const now = this.options.now()
    return this.answers.filter((answer) => answer.readyAt <= now)
  }

  private async decode(ready: ReadonlyArray<LlamaAnswer>): Promise<void> {
    try {
      const drawn = this.fill(ready)
      await this.options.context.decodeBatch()
      this.batches++
      await this.draw(drawn)
    } catch (cause) {
      this.suspect(ready, cause)
    }
  }

  /** Builds the batch: the next token of each answer that decodes, then as much of the prompts as there is room for. */
  private fill(ready: ReadonlyArray<LlamaAnswer>): ReadonlyArray<Drawn> {
    const { batchSize, context } = this.options
    const parts: Array<readonly [answer: LlamaAnswer, count: number]> = []
    let room = batchSize
    for (const answer of ready) {
      if (!decodes(answer)) continue
      parts.push([answer, 1])
      room--
    }
    for (const answer of ready) {
      if (decodes(answer) || room <= 0) continue
      if (!answer.attached) this.attach(answer)
      const exact = answer.filled < EXACT_UNTIL || answer.filled >= answer.promptLength
      const count = Math.min(room, answer.tokens.length - answer.filled, exact ? this.options.chunk : batchSize)
      parts.push([answer, count])
      room -= count
    }
    // llama.cpp decodes sequences with ascending neighbouring numbers in one go, and others one after the other.
    parts.sort(([one], [other]) => one.slot.id - other.slot.id)
    context.initBatch(batchSize - room)
    const drawn: Array<Drawn> = []
    for (const [answer, count] of parts) {
      const from = answer.filled
      const end = from + count
      const last = end === answer.tokens.length
      const asked = !last ? NONE : count === 1 ? FIRST : Uint32Array.of(count - 1)
      const index = context.addToBatch(answer.slot.id, from, this.tokens(answer, from, end), asked)[0]
      answer.filled = end
      answer.slot.filled = end
      if (last && index !== undefined) drawn.push({ answer, index })
    }
    return drawn
  }

  private tokens(answer: LlamaAnswer, from: number, end: number): Uint32Array {
    if (end - from > 1) return Uint32Array.from(answer.tokens.slice(from, end))
    this.one[0] = answer.tokens[from] ?? 0
    return this.one
  }

  /** Cuts the slot's cache down to the common prefix; a memory that cannot be cut there is emptied. */
  private attach(answer: LlamaAnswer): void {
    const { context } = this.options
    answer.attached = true
    if (answer.filled > 0 && context.removeTokenCellsFromSequence(answer.slot.id, answer.filled, -1)) return
    context.disposeSequence(answer.slot.id)
    answer.filled = 0
  }

  private async draw(drawn: ReadonlyArray<Drawn>): Promise<void> {
    const living = drawn.filter(({ answer }) => !answer.over)
    // The first draw after a batch of unequal parts puts the rows of logits into order, and a second one at the same
    // time may read them in between: another answer's token, in one batch of fifty (measured). So it goes alone.
    const [first, ...others] = living
    if (first === undefined) return
    const tokens = [await this.sample(first), ...(await Promise.all(others.map((other) => this.sample(other))))]
    for (const [i, { answer }] of living.entries()) {
      const token = tokens[i]
      if (answer.over) continue
      if (typeof token !== "number") this.fail(answer, token?.cause)
      else if (token < 0) this.fail(answer, "no token could be drawn")
      else this.accept(answer, token)
    }
  }

  private sample({ answer, index }: Drawn): Promise<number | { readonly cause: unknown }> {
    answer.sampler.prepare(answer.index)
    return this.options.context
      .sampleToken(index, answer.sampler.native)
      .then(undefined, (cause: unknown) => ({ cause }))
  }

  private accept(answer: LlamaAnswer, token: number): void {
    const { paceMs, now } = this.options
    if (paceMs > 0) {
      // counted from when the token was due, so that the rate does not drift; a late token is not made up for
      const at = now()
      answer.readyAt = Math.max((answer.started ? answer.readyAt : at) + paceMs, at)
    }
    const { text, finish } = answer.accept(token)
    this.owed.push({ answer, text, token, finish })
    if (this.suspects[0] === answer) this.suspects.shift()
    if (finish === undefined) return
    this.release(answer)
    answer.sampler.dispose()
  }

  private callReaders(): void {
    for (const { answer, text, token, finish } of this.owed.splice(0)) {
      if (answer.over) continue
      try {
        answer.emit(text, token)
      } catch (cause) {
        this.fail(answer, cause)
        continue
      }
      if (finish === undefined || answer.over) continue
      answer.over = true
      answer.finish(finish)
    }
  }

  private fail(answer: LlamaAnswer, cause: unknown): void {
    if (answer.over) return
    this.drop(answer)
    answer.fail(failure(cause))
  }

  /** The batch of these answers failed. Nothing of their caches is trusted any more; each is tried again alone. */
  private suspect(batch: ReadonlyArray<LlamaAnswer>, cause: unknown): void {
    const [only, ...others] = batch
    if (only !== undefined && others.length === 0) this.fail(only, cause)
    for (const answer of batch) {
      answer.filled = 0
      answer.attached = false
      answer.slot.filled = 0
    }
    // an answer that took over the slot of a dropped one counted on its cells
    for (const answer of this.answers) {
      if (batch.some((other) => other.slot === answer.slot)) {
        answer.filled = 0
        answer.attached = false
      }
    }
    if (others.length > 0) this.suspects = batch.filter((answer) => !answer.over)
  }

  /** Until the next token is due, or something changes. */
  private pause(): Promise<void> {
    const due = Math.min(...this.answers.map((answer) => answer.readyAt))
    return new Promise((resolve) => {
      const go = (): void => {
        clearTimeout(timer)
        this.wake = undefined
        resolve()
      }
      const timer = setTimeout(go, Math.max(0, due - this.options.now()))
      this.wake = go
    })
  }
}
