/** Logprobs of an answer's content, as OpenAI's clients read them: they go out with the text of their tokens. */
import type { TokenLogprob } from "../../machines/vocabulary/job.ts"
import type { AnswerReader } from "./answers.ts"

export type Listening = Pick<AnswerReader, "logprob" | "content" | "reasoning" | "call" | "argument">

/** The same without the tokens that are no content. */
export interface Told {
  readonly content: (json: string, tokens: ReadonlyArray<TokenLogprob>) => void
  readonly reasoning: (text: string) => void
  readonly call: (index: number, id: string, name: string) => void
  readonly argument: (index: number, text: string) => void
}

/**
 * Text may be held back (half a character, what may become a stop string or a mark): its tokens wait for it. Those of
 * what was thought or called, of marks, and of what was cut off, are nobody's.
 */
export const withLogprobs = (told: Told): Listening => {
  let waiting: ReadonlyArray<TokenLogprob> = []
  const take = (text: string): ReadonlyArray<TokenLogprob> => {
    const { of, after } = parted(waiting, Buffer.from(text))
    waiting = after
    return of
  }
  return {
    logprob: (one) => {
      waiting = [...waiting, one]
    },
    content: (json) => {
      if (json !== '""') told.content(json, waiting.length === 0 ? [] : take(String(JSON.parse(json))))
    },
    reasoning: (text) => {
      take(text)
      told.reasoning(text)
    },
    call: told.call,
    argument: (index, text) => {
      take(text)
      told.argument(index, text)
    }
  }
}

interface Parted {
  /** the tokens that a text is of: all, where it is not as they spell it */
  readonly of: ReadonlyArray<TokenLogprob>
  /** those that come after it */
  readonly after: ReadonlyArray<TokenLogprob>
}

const parted = (tokens: ReadonlyArray<TokenLogprob>, text: Buffer): Parted => {
  const start = Buffer.from(tokens.flatMap(({ bytes }) => bytes)).indexOf(text)
  if (start === -1) return { of: tokens, after: [] }
  const end = start + text.length
  let at = 0
  const places = tokens.map((token) => ({ token, begins: at, ends: (at += token.bytes.length) }))
  return {
    of: places.flatMap(({ begins, ends, token }) => (ends > start && begins < end ? [token] : [])),
    after: places.flatMap(({ begins, token }) => (begins >= end ? [token] : []))
  }
}
