/** One answer while it is decoded: its tokens, its text, and when it ends. */
import type { RbeeError } from "../../../machines/errors.ts"
import type { GenerateRequest, GenerateResult } from "../index.ts"
import type { Slot } from "../slots.ts"
import { StopFilter } from "../stop.ts"
import { type Pieces, Utf8Stream } from "./pieces.ts"
import type { AnswerSampler } from "./sampling.ts"

export type Failure = RbeeError<"INTERNAL">
export type Finish = GenerateResult["finishReason"]

export interface AnswerOptions {
  readonly request: GenerateRequest
  /** the prompt's tokens, template included */
  readonly prompt: ReadonlyArray<number>
  readonly slot: Slot
  /** tokens at the beginning that the slot's cache holds */
  readonly cached: number
  /** tokens that the slot can hold */
  readonly context: number
  readonly sampler: AnswerSampler
  readonly pieces: Pieces
  readonly isEnd: (token: number) => boolean
  readonly now: () => number
  readonly done: (result: GenerateResult | Failure) => void
}

export class Answer {
  /** prompt, resumed and decoded tokens; the slot shares this array */
  readonly tokens: Array<number>
  /** how many of `tokens` are in the KV cache, or will be when the batch in flight is decoded */
  filled = 0
  /** milliseconds on the batcher's clock before which no further token is wanted */
  readyAt = 0
  /** its reader is not called any more */
  over = false
  /** the slot's cells behind the common prefix are cut off */
  attached = false
  readonly slot: Slot
  readonly sampler: AnswerSampler
  private readonly options: AnswerOptions
  private readonly text: Utf8Stream
  private readonly stop: StopFilter
  private readonly limit: number
  private readonly cachedTokens: number
  private readonly startedAt: number
  private firstAt: number | undefined
  private decoded = 0
  /** characters of the answer that the reader has, and that this answer's own text has given out */
  private readonly readerHas: number
  private given = 0

  constructor(options: AnswerOptions) {
    const { request, prompt, slot } = options
    const resumed = request.resume?.tokenIds ?? []
    this.options = options
    this.slot = slot
    this.sampler = options.sampler
    this.tokens = [...prompt, ...resumed]
    // at least the last token is decoded again: its logits are needed
    this.filled = Math.min(options.cached, this.tokens.length - 1)
    this.cachedTokens = Math.min(this.filled, prompt.length)
    const longest = Math.min(request.maxTokens ?? Infinity, options.context - prompt.length)
    this.limit = prompt.length + longest
    this.text = new Utf8Stream(options.pieces)
    this.stop = new StopFilter(request.stop)
    this.readerHas = request.resume?.text.length ?? 0
    this.startedAt = options.now()
    for (const token of resumed) this.given += this.stop.push(this.text.push(token)).length
  }

  /** Whether what was resumed is a whole answer already; then nothing is decoded. */
  finishedBefore(): Finish | undefined {
    const last = this.tokens[this.tokens.length - 1]
    const resumed = this.options.request.resume?.tokenIds.length ?? 0
    if (resumed > 0) {
      if (this.stop.stopped) return "stop"
      if (!this.options.request.ignoreEos && last !== undefined && this.options.isEnd(last)) return "stop"
    }
    return this.tokens.length >= this.limit ? "length" : undefined
  }

  /** Place of the next token in the answer, resumed tokens included. */
  get index(): number {
    return this.tokens.length - this.options.prompt.length
  }

  get started(): boolean {
    return this.firstAt !== undefined
  }

  /** Takes the token that was drawn. Gives the text to hand out with it, and the reason if the answer ends with it. */
  accept(token: number): { readonly text: string; readonly finish: Finish | undefined } {
    this.firstAt ??= this.options.now()
    this.tokens.push(token)
    this.decoded++
    let text = this.stop.push(this.text.push(token))
    let finish: Finish | undefined
    if (this.stop.stopped || (!this.options.request.ignoreEos && this.options.isEnd(token))) finish = "stop"
    else if (this.tokens.length >= this.limit) finish = "length"
    if (finish !== undefined) text += this.stop.end()
    this.given += text.length
    // what a resumed answer's reader has already, it is not given again
    const fresh = this.given - this.readerHas
    return { text: fresh >= text.length ? text : fresh <= 0 ? "" : text.slice(text.length - fresh), finish }
  }

  emit(text: string, token: number): void {
    this.options.request.onToken(text, token)
  }

  finish(reason: Finish): void {
    const now = this.options.now()
    this.options.done({
      finishReason: reason,
      promptTokens: this.options.prompt.length,
      cachedTokens: this.cachedTokens,
      completionTokens: this.decoded,
      promptMs: (this.firstAt ?? now) - this.startedAt,
      totalMs: now - this.startedAt
    })
  }

  fail(failure: Failure): void {
    this.options.done(failure)
  }
}
