/** An answer that is given as a whole: read to its end. */
import * as Effect from "effect/Effect"
import { rbeeError } from "../../machines/errors.ts"
import type { AnsweredCall } from "../../machines/vocabulary/conversation.ts"
import type { DoneEvent, TokenLogprob } from "../../machines/vocabulary/job.ts"
import type { AnswerError, AnswerReader, ReadAnswer } from "./answers.ts"
import { withLogprobs } from "./logprobs.ts"

export interface WholeAnswer {
  readonly content: string
  /** "": none */
  readonly reasoning: string
  readonly calls: ReadonlyArray<AnsweredCall>
  /** of the content's tokens, where the job asks for them */
  readonly logprobs: ReadonlyArray<TokenLogprob>
  readonly done: DoneEvent
}

/** Fails as the job does. */
export const gather = (read: ReadAnswer): Effect.Effect<WholeAnswer, AnswerError> =>
  Effect.suspend(() => {
    let content = ""
    let reasoning = ""
    const calls: Array<{ readonly id: string; readonly name: string; arguments: string }> = []
    const logprobs: Array<TokenLogprob> = []
    const listening = withLogprobs({
      content: (json, tokens) => {
        content += String(JSON.parse(json))
        for (const one of tokens) logprobs.push(one)
      },
      reasoning: (text) => {
        reasoning += text
      },
      call: (index, id, name) => {
        calls[index] = { id, name, arguments: "" }
      },
      argument: (index, text) => {
        const call = calls[index]
        if (call !== undefined) call.arguments += text
      }
    })
    return Effect.map(toEnd(read, listening), (done) => ({ content, reasoning, calls, logprobs, done }))
  })

/** What an answer says, without how it ends. */
export type Said = Pick<AnswerReader, "logprob" | "content" | "reasoning" | "call" | "argument">

/** Reads an answer that is given as a whole; fails as the job does. */
export const toEnd = (read: ReadAnswer, said: Said): Effect.Effect<DoneEvent, AnswerError> =>
  Effect.suspend(() => {
    let end: Effect.Effect<DoneEvent, AnswerError> = endedEarly
    const reading = read({
      ...said,
      done: (done) => {
        end = Effect.succeed(done)
      },
      error: (error) => {
        end = Effect.fail(error)
      },
      told: () => true,
      drain: (resume) => resume()
    })
    return Effect.zipRight(
      reading,
      Effect.suspend(() => end)
    )
  })

const endedEarly = Effect.suspend(() => rbeeError("INTERNAL", "the job's events ended before the job"))
