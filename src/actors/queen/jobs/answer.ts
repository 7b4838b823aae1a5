/** A job's answer, for a surface: what its tokens mean and how it ends, without what else is told in its sequence. */
import * as Effect from "effect/Effect"
import type { Sink } from "../../../protocol/endpoint.ts"
import { heldTo, ofAnswering, ofStore } from "../../../protocol/failures.ts"
import { makeSseParser } from "../../../protocol/sse.ts"
import { readFrames } from "../../../protocol/token-frame.ts"
import type { AnswerForm } from "../../../machines/dialect/answer-form.ts"
import { Meaning, type MeaningOptions } from "../../../machines/dialect/meaning.ts"
import type { AnswerReader, JobAnswer, ReadAnswer } from "../../surfaces/answers.ts"
import type { JobLog } from "../log/job-log.ts"
import { failureOf, parseDone, parseLogprob } from "../log/terminal-events.ts"

/** How a job ended is kept as it was. */
const told = heldTo(ofAnswering)
const unreadable = heldTo(ofStore)

export const answerOf = (log: JobLog): JobAnswer => ({
  jobId: log.jobId,
  createdAt: log.createdAt,
  promptTokens: () => log.facts().prompt_tokens,
  read: reading(log),
  begun: Effect.mapBoth(log.begun, { onFailure: told, onSuccess: (before) => reading(log, String(before)) })
})

/** How the first worker said that the answer is read: its tokens were written so, whatever a later one would have said. */
export const tellForm = (log: Pick<JobLog, "record" | "tokens">, form: AnswerForm): void => {
  if (log.tokens() === 0) log.record({ form })
}

/** Undefined: the answer is plain text. Known once its first token is. */
export const meaningOptions = (log: JobLog): MeaningOptions | undefined => {
  const { form } = log.facts()
  const { tool_choice, tools = [] } = log.request
  return form === undefined ? undefined : { jobId: log.jobId, form, tools: tool_choice === "none" ? [] : tools }
}

const meaningFor = (log: JobLog, reader: AnswerReader): Meaning | undefined => {
  const options = meaningOptions(log)
  return options === undefined
    ? undefined
    : new Meaning(options, { ...reader, content: (text) => reader.content(JSON.stringify(text)) })
}

const reading =
  (log: JobLog, after?: string): ReadAnswer =>
  (reader) =>
    Effect.suspend(() => {
      let isAsked = false
      let meaning: Meaning | undefined
      const token = (_: number, json: string): void => {
        if (!isAsked) {
          isAsked = true
          meaning = meaningFor(log, reader)
        }
        if (meaning === undefined) reader.content(json)
        else meaning.token(String(JSON.parse(json)))
      }
      const other = makeSseParser(({ data, event }) => {
        if (event === "done") {
          meaning?.end()
          return reader.done(parseDone(data))
        }
        if (event === "logprobs") return reader.logprob?.(parseLogprob(data))
        const failure = failureOf(event, data)
        if (failure !== undefined) reader.error(told(failure))
      })
      const frames = { token, other }
      const sink: Sink = {
        write: (text) => {
          readFrames(text, frames)
          return reader.told()
        },
        drain: reader.drain
      }
      const fed = Effect.mapError(log.feed(after)(sink), unreadable)
      // in one piece: nothing of it is to be seen before its end, and as long as nobody reads it is not made to be
      return log.request.stream === false ? Effect.zipRight(Effect.ignore(log.begun), fed) : fed
    })
