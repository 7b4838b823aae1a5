/** One answer while it is made, whatever makes it: its tokens, its text, and when it ends. */
import type { RbeeError } from "../../machines/errors.ts"
import type { TokenLogprob } from "../../machines/vocabulary/job.ts"
import type { GenerateRequest, GenerateResult } from "./index.ts"
import type { Slot } from "./slots.ts"
import { StopFilter } from "./stop.ts"

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
  /** the most that the model could hold */
  readonly trained: number
  /** what each token adds to the text; called once a token, in order */
  readonly textOf: (token: number) => string
  /** whether it is an end-of-text token */
  readonly isEnd: (token: number) => boolean
  /** milliseconds */
  readonly now: () => number
  readonly done: (result: GenerateResult | Failure) => void
}

export class Answer {
  /** prompt, resumed and decoded tokens; the slot shares this array */
  readonly tokens: Array<number>
  /** how many of `tokens` are in the KV cache, or will be when the batch in flight is decoded */
  filled: number
  readonly slot: Slot
  private readonly options: AnswerOptions
  private readonly stop: StopFilter
  /** `tokens.length` at which the answer ends */
  private readonly limit: number
  private readonly resumed: number
  private cachedTokens: number
  private readonly startedAt: number
  private firstAt: number | undefined
  private decoded = 0
  /** text of what is resumed that its reader lacks: goes with the next token */
  private owed = ""
  /** characters that are still to come and that its reader has already */
  private ahead: number
  /** Text is out that may be the beginning of a stop string: nobody can go on from there. */
  private hasGuessed = false

  constructor(options: AnswerOptions) {
    const { request, prompt, slot } = options
    const resumed = request.resume?.tokenIds ?? []
    this.options = options
    this.slot = slot
    this.tokens = [...prompt, ...resumed]
    this.resumed = resumed.length
    // at least the last token is decoded again: its logits are needed
    this.filled = Math.min(options.cached, this.tokens.length - 1)
    this.cachedTokens = Math.min(this.filled, prompt.length)
    this.limit = Math.min(prompt.length + (request.maxTokens ?? Infinity), options.context)
    this.stop = new StopFilter(request.stop)
    this.startedAt = options.now()
    let said = ""
    for (const token of resumed) said += this.stop.push(options.textOf(token))
    const reader = request.resume?.text.length ?? 0
    this.owed = said.slice(reader)
    this.ahead = Math.max(0, reader - said.length)
  }

  /** So many tokens at the beginning the cache holds after all. */
  reuse(tokens: number): void {
    this.filled = tokens
    this.cachedTokens = Math.min(tokens, this.options.prompt.length)
  }

  /** It may have no further token. */
  get full(): boolean {
    return this.tokens.length >= this.limit
  }

  /** Whether what is resumed is a whole answer already; then nothing is decoded. */
  finishedBefore(): Finish | undefined {
    const last = this.tokens[this.tokens.length - 1]
    if (this.resumed > 0 && last !== undefined && this.ends(last)) return "stop"
    return this.resumed > 0 && this.full ? "length" : undefined
  }

  get promptLength(): number {
    return this.options.prompt.length
  }

  /** Place of the next token in the answer, resumed tokens included. */
  get index(): number {
    return this.tokens.length - this.options.prompt.length
  }

  /** A token has been decoded. */
  get started(): boolean {
    return this.decoded > 0
  }

  private ends(token: number): boolean {
    return this.stop.stopped || (!this.options.request.ignoreEos && this.options.isEnd(token))
  }

  /** Takes the token that was drawn. Gives the text to hand out with it, and the reason if the answer ends with it. */
  accept(token: number): { readonly text: string; readonly finish: Finish | undefined } {
    this.firstAt ??= this.options.now()
    this.tokens.push(token)
    this.decoded++
    let text = this.stop.push(this.options.textOf(token))
    const finish = this.ends(token) ? "stop" : this.full ? "length" : undefined
    if (finish !== undefined) text += this.flush()
    if (this.ahead > 0) {
      const known = Math.min(this.ahead, text.length)
      this.ahead -= known
      text = text.slice(known)
    } else if (this.owed !== "") {
      text = this.owed + text
      this.owed = ""
    }
    return { text, finish }
  }

  emit(text: string, token: number, logprob?: TokenLogprob): void {
    this.options.request.onToken(text, token, logprob)
  }

  /** How many of the likeliest tokens are told beside this one; undefined: nothing is told of it. */
  rankedBeside(token: number): number | undefined {
    const { ignoreEos, logprobs } = this.options.request
    return logprobs === undefined || (!ignoreEos && this.options.isEnd(token)) ? undefined : logprobs
  }

  /** The answer ends without a stop string: what was held back is text after all. */
  private flush(): string {
    const rest = this.stop.end()
    this.hasGuessed ||= rest !== ""
    return rest
  }

  /** Ended by its context, not by what its reader asked for, where the model could hold more. */
  private outgrown(): GenerateResult["outgrown"] {
    const { context, request, trained } = this.options
    if (this.tokens.length < context || context >= trained) return undefined
    if (this.promptLength + (request.maxTokens ?? Infinity) <= context) return undefined
    this.flush()
    return this.hasGuessed ? undefined : { context, trained }
  }

  result(reason: Finish): GenerateResult {
    const now = this.options.now()
    const outgrown = reason === "length" ? this.outgrown() : undefined
    return {
      finishReason: reason,
      ...(outgrown === undefined ? {} : { outgrown }),
      ...(this.stop.by === undefined ? {} : { stopSequence: this.stop.by }),
      promptTokens: this.options.prompt.length,
      cachedTokens: this.cachedTokens,
      completionTokens: this.decoded,
      promptMs: (this.firstAt ?? now) - this.startedAt,
      totalMs: now - this.startedAt
    }
  }

  finish(reason: Finish): void {
    this.options.done(this.result(reason))
  }

  fail(failure: Failure): void {
    this.options.done(failure)
  }
}
