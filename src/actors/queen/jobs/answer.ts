/** A job's answer, for a surface: the tokens and the end of its sequence, without what else is told in it. */
import * as Effect from "effect/Effect"
import type { Sink } from "../../../protocol/endpoint.ts"
import { makeSseParser } from "../../../protocol/sse.ts"
import { readFrames } from "../../../protocol/token-frame.ts"
import type { JobAnswer, ReadAnswer } from "../../surfaces/answers.ts"
import type { JobLog } from "../log/job-log.ts"
import { failureOf, parseDone } from "../log/terminal-events.ts"

export const answerOf = (log: JobLog): JobAnswer => ({
  jobId: log.jobId,
  createdAt: log.createdAt,
  read: reading(log),
  begun: Effect.map(log.begun, (before) => reading(log, String(before)))
})

const reading =
  (log: JobLog, after?: string): ReadAnswer =>
  (reader) =>
    Effect.suspend(() => {
      const other = makeSseParser(({ data, event }) => {
        if (event === "done") return reader.done(parseDone(data))
        const failure = failureOf(event, data)
        if (failure !== undefined) reader.error(failure)
      })
      const frames = { token: (_: number, json: string) => reader.token(json), other }
      const sink: Sink = {
        write: (text) => {
          readFrames(text, frames)
          return reader.told()
        },
        drain: reader.drain
      }
      return log.feed(after)(sink)
    })
