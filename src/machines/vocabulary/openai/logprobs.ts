/** How likely tokens were, in the forms of OpenAI's chats and of its older completions. */
import * as Schema from "effect/Schema"
import type { TokenLogprob } from "../job.ts"

const ranked = { token: Schema.String, bytes: Schema.mutable(Schema.Array(Schema.Number)), logprob: Schema.Number }

export const ChatLogprobs = Schema.Struct({
  content: Schema.mutable(
    Schema.Array(Schema.Struct({ ...ranked, top_logprobs: Schema.mutable(Schema.Array(Schema.Struct(ranked))) }))
  ),
  refusal: Schema.Null
})
export type ChatLogprobs = typeof ChatLogprobs.Type

export const chatLogprobs = (tokens: ReadonlyArray<TokenLogprob>): ChatLogprobs => ({
  content: tokens.map(({ top, ...own }) => ({ ...own, top_logprobs: top })),
  refusal: null
})

export const TextLogprobs = Schema.Struct({
  tokens: Schema.Array(Schema.String),
  token_logprobs: Schema.Array(Schema.Number),
  /** the token's own is among them; null where none were asked for */
  top_logprobs: Schema.NullOr(Schema.Array(Schema.Record({ key: Schema.String, value: Schema.Number }))),
  /** characters of the text before each of them */
  text_offset: Schema.Array(Schema.Number)
})
export type TextLogprobs = typeof TextLogprobs.Type

const startsCharacter = (byte: number): boolean => (byte & 0xc0) !== 0x80

/** Characters that begin in a token. */
const charactersOf = ({ bytes }: TokenLogprob): number => bytes.filter(startsCharacter).length

/** Tells where in the text each token begins, which follows from all before it. `offset`: characters before the first. */
export class TextTokens {
  private offset: number
  private readonly top: number

  constructor(top: number, offset: number) {
    this.top = top
    this.offset = offset
  }

  next(tokens: ReadonlyArray<TokenLogprob>): TextLogprobs {
    return {
      tokens: tokens.map(({ token }) => token),
      token_logprobs: tokens.map(({ logprob }) => logprob),
      top_logprobs: this.top === 0 ? null : tokens.map(ownAndTop),
      text_offset: tokens.map((one) => {
        const { offset } = this
        this.offset += charactersOf(one)
        return offset
      })
    }
  }
}

const ownAndTop = ({ logprob, token, top }: TokenLogprob): Readonly<Record<string, number>> =>
  Object.fromEntries([...top, { token, logprob }].map((one) => [one.token, one.logprob]))
