/**
 * The decode loop of one context. Every turn puts the next tokens of all answers into one batch (continuous batching)
 * and, while llama.cpp decodes it on another thread, hands out the tokens of the turn before.
 *
 * The native context is used between batches only, never during one; so answers may be added and dropped at any time.
 */
import { rbeeError } from "../../../../machines/errors.ts"
import type { TokenLogprob } from "../../../../machines/vocabulary/job.ts"
import type { Failure, Finish } from "../../answer.ts"
import type { LlamaAnswer } from "./answer.ts"
import type { Caches } from "./caches.ts"
import type { Parking } from "../parking/parking.ts"
import type { Logprobs, Ranking } from "./logprobs.ts"
import { type BatchOptions, decodes, type Drawn, fillBatch, readsWide, together } from "./batch.ts"

export interface BatcherOptions extends BatchOptions {
  /** milliseconds from one token of an answer to the next; 0: as fast as possible */
  readonly paceMs: number
  readonly now: () => number
  readonly caches: Pick<Caches, "cut" | "keep">
  readonly logprobs?: Pick<Logprobs, "of">
  readonly parking?: Pick<Parking, "change">
}

/** Work of the engine's own, in batches between those of answers. */
export interface Background {
  readonly isPending: boolean
  /** It begins when nobody was served for so long, milliseconds: whoever asks again at once finds the whole speed. */
  readonly restMs: number
  /** false: it cannot go on now */
  step(): Promise<boolean>
}

/** Where there is no such rest it goes on beside answers. */
const patienceMs = 10_000
/** There it takes this share of their time: they are a third slower until it is done. */
const backgroundShare = 0.5

/** A token's id, or why there is none. */
type Sampled = number | { readonly cause: unknown }

/** What a reader is owed: one token, and the end if it was the last. */
interface Owed {
  readonly answer: LlamaAnswer
  readonly text: string
  readonly token: number
  readonly logprob: TokenLogprob | undefined
  readonly finish: Finish | undefined
}

const failure = (cause: unknown): Failure => {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return rbeeError("INTERNAL", `llama.cpp could not decode (${reason})`, "", { reason })
}

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
  private turn = 0
  /** the last turn in which somebody read wide */
  private lastWide = 0
  /** in the order in which they are served, each with since when it waits */
  private readonly backgrounds = new Map<Background, number | undefined>()
  /** since when nobody was served */
  private restingSince = 0
  private alarm: NodeJS.Timeout | undefined
  /** milliseconds that the background has, beside answers; and what its last batch took */
  private credit = 0
  private stepMs = 0

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

  /** Does this too, at rest or, if there is none, whenever it keeps nobody waiting for a first token. */
  beside(background: Background): void {
    this.backgrounds.set(background, undefined)
    this.restingSince = this.options.now()
    this.rest()
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
    this.backgrounds.clear()
    clearTimeout(this.alarm)
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
    this.restingSince = this.options.now()
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
        if (this.credit > 0 && this.credit >= this.stepMs) await this.stepAside()
      } else if (this.owed.length > 0) this.callReaders()
      else if (await this.stepAside()) continue
      else if (this.answers.length > 0) await this.pause()
      else if (this.dropped.length === 0) break
    }
    this.running = undefined
    this.rest()
  }

  /** Nobody is served: the background begins, or tries again, once that has lasted long enough. */
  private rest(): void {
    clearTimeout(this.alarm)
    const pending = this.pending()
    if (pending.length === 0) return
    const restMs = Math.min(...pending.map(({ background }) => background.restMs))
    const waitMs = this.restingSince + restMs - this.options.now()
    this.alarm = setTimeout(() => (this.running ??= this.run()), waitMs > 0 ? waitMs : restMs)
  }

  /** Those that have something to do, and since when that waits. */
  private pending(): ReadonlyArray<{ readonly background: Background; readonly since: number }> {
    const now = this.options.now()
    return [...this.backgrounds].flatMap(([background, since = now]) => {
      const { isPending } = background
      this.backgrounds.set(background, isPending ? since : undefined)
      return isPending ? [{ background, since }] : []
    })
  }

  /** One batch of the background; false: there is none to do now. */
  private async stepAside(): Promise<boolean> {
    const began = this.options.now()
    const restedMs = this.answers.length === 0 ? began - this.restingSince : -1
    const due = this.pending().find(
      ({ background, since }) => restedMs >= background.restMs || began - since >= patienceMs
    )
    if (due === undefined) return false
    const isDone = await due.background.step()
    this.stepMs = this.options.now() - began
    this.credit = isDone ? this.credit - this.stepMs : 0
    return isDone
  }

  /** Those that read their prompt, and those whose next token is due. */
  private pick(): ReadonlyArray<LlamaAnswer> {
    const [suspect] = this.suspects
    if (suspect !== undefined) return [suspect]
    if (this.options.paceMs === 0) return this.answers.slice()
    const now = this.options.now()
    return this.answers.filter((answer) => answer.readyAt <= now)
  }

  private async decode(all: ReadonlyArray<LlamaAnswer>): Promise<void> {
    const began = this.options.now()
    let ready = all
    try {
      for (const answer of all) if (!answer.attached) await this.attach(answer)
      ready = together(
        this.options,
        all.filter((answer) => !answer.over),
        this.lastWide
      )
      if (ready.length === 0) return
      this.turn++
      if (ready.some((answer) => readsWide(this.options, answer))) this.lastWide = this.turn
      const even = ready.every(decodes)
      const { drawn, padded } = fillBatch(this.options, ready, this.turn)
      const ownEnd = padded?.filled ?? 0
      await this.options.context.decodeBatch()
      if (padded !== undefined) this.options.context.removeTokenCellsFromSequence(padded.slot.id, ownEnd, -1)
      this.batches++
      await this.draw(drawn, even)
      for (const answer of ready) await this.options.caches.keep(answer)
      if (all.every((answer) => answer.started))
        this.credit = Math.min(1000, this.credit + (this.options.now() - began) * backgroundShare)
    } catch (cause) {
      this.suspect(ready, cause)
    }
  }

  /** Cuts the slot's memory down to what this answer begins with, and counts on no more than is left. */
  private async attach(answer: LlamaAnswer): Promise<void> {
    const { slot } = answer
    await this.options.parking?.change(answer)
    const held = await this.options.caches.cut(answer)
    answer.attached = true
    if (held !== answer.filled) answer.reuse(held)
    slot.filled = Math.min(slot.filled, held)
    slot.wide = Math.min(slot.wide, held)
    // it may have been dropped meanwhile, and its slot be another's
    for (const other of this.answers) if (other.slot === slot && other.filled > held) other.reuse(held)
  }

  private async draw(drawn: ReadonlyArray<Drawn>, even: boolean): Promise<void> {
    for (const { answer } of drawn) if (answer.full) this.endUnanswered(answer)
    const living = drawn.filter(({ answer }) => !answer.over)
    const tokens: Array<Sampled> = []
    // The first draw after a batch of unequal parts puts the rows of logits into order, and a second one at the same
    // time may read them in between: another answer's token, in one batch of fifty (measured). So it goes alone.
    const [first] = living
    if (!even && first !== undefined) tokens.push(await this.sample(first))
    tokens.push(...(await Promise.all(living.slice(tokens.length).map((one) => this.sample(one)))))
    for (const [i, { answer, index }] of living.entries()) {
      const token = tokens[i]
      if (answer.over) continue
      if (token === undefined || typeof token === "object") this.fail(answer, token?.cause)
      else if (token < 0) this.fail(answer, "no token could be drawn")
      else {
        const top = answer.rankedBeside(token)
        const logprob = top === undefined ? undefined : await this.rank(answer, { index, token, top })
        // it may have been dropped, or have failed, meanwhile
        if (!answer.over) this.accept(answer, token, logprob)
      }
    }
  }

  private async rank(answer: LlamaAnswer, drawn: Ranking): Promise<TokenLogprob | undefined> {
    try {
      return await this.options.logprobs?.of({ ...drawn, last: answer.tokens.at(-1) })
    } catch (cause) {
      this.fail(answer, cause)
      return undefined
    }
  }

  private sample({ answer, index }: Drawn): Promise<Sampled> {
    answer.sampler.prepare(answer)
    return this.options.context
      .sampleToken(index, answer.sampler.native)
      .then(undefined, (cause: unknown) => ({ cause }))
  }

  private accept(answer: LlamaAnswer, token: number, logprob: TokenLogprob | undefined): void {
    const { paceMs, now } = this.options
    if (paceMs > 0) {
      // counted from when the token was due, so that the rate does not drift; a late token is not made up for
      const at = now()
      answer.readyAt = Math.max((answer.started ? answer.readyAt : at) + paceMs, at)
    }
    const { text, finish } = answer.accept(token)
    this.owed.push({ answer, text, token, logprob, finish })
    if (this.suspects[0] === answer) this.suspects.shift()
    if (finish === undefined) return
    answer.hasEnded = true
    this.release(answer)
    answer.sampler.dispose()
  }

  /** Asked for no token at all: its prompt has been read, which is what was asked. */
  private endUnanswered(answer: LlamaAnswer): void {
    if (answer.over) return
    if (this.suspects[0] === answer) this.suspects.shift()
    this.drop(answer)
    answer.finish("length")
  }

  private callReaders(): void {
    for (const { answer, finish, logprob, text, token } of this.owed.splice(0)) {
      if (answer.over) continue
      try {
        answer.emit(text, token, logprob)
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
      answer.reuse(0)
      answer.attached = false
      answer.slot.filled = 0
      answer.slot.leaving = undefined
    }
    // an answer that took over the slot of a dropped one counted on its cells
    for (const answer of this.answers) {
      if (batch.some((other) => other.slot === answer.slot)) {
        answer.reuse(0)
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
