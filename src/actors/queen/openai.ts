/**
 * OpenAI's models and chat completions over the same jobs as everything else (PARTS §4.4). An answer's head waits for
 * the job's first token, so that what goes wrong before it keeps its HTTP status. A client that leaves cancels its job.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { Call, type EventFeed, type Reply, type Sink } from "../../layers/api/endpoint.ts"
import { explain } from "../../layers/api/explain.ts"
import { makeSseParser } from "../../layers/api/sse.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { JobRequest } from "../../machines/vocabulary/job.ts"
import {
  type ChatCompletion,
  ChatCompletionRequest,
  chatMessages,
  type CompletionHead,
  completionUsage,
  type ModelList
} from "../../machines/vocabulary/openai.ts"
import { chunkFeed } from "./chat-chunks.ts"
import type { JobLog } from "./job-log.ts"
import { failureOf, parseDone } from "./terminal-events.ts"

/** What the edge needs of the queen. */
export interface Jobs {
  /** Takes a job in; fails where that can be judged without the model. */
  readonly submit: (request: JobRequest) => Effect.Effect<{ readonly jobId: string; readonly log: JobLog }, RbeeError>
  readonly cancel: (jobId: string) => Effect.Effect<void, RbeeError>
  /** Models that can be asked for by name; `createdAt` in milliseconds since 1970. */
  readonly models: () => Effect.Effect<
    ReadonlyArray<{ readonly id: string; readonly createdAt?: number | undefined }>,
    RbeeError
  >
}

export interface OpenAi {
  readonly v1Models: () => Effect.Effect<Reply, RbeeError>
  readonly v1Chat: (input: Readonly<Record<string, unknown>>) => Effect.Effect<Reply, RbeeError>
}

export const openAi = (jobs: Jobs): OpenAi => ({
  v1Models: () =>
    Effect.map(jobs.models(), (models) => {
      const body: ModelList = {
        object: "list",
        data: models.map(({ id, createdAt = 0 }) => ({
          id,
          object: "model",
          created: Math.floor(createdAt / 1000),
          owned_by: "rbee"
        }))
      }
      return { _tag: "Json", status: 200, body }
    }),
  v1Chat: (input) => Effect.flatMap(Effect.mapError(decode(input), explain), (request) => answer(jobs, request))
})

const decode = Schema.decodeUnknown(ChatCompletionRequest)

const answer = (jobs: Jobs, chat: ChatCompletionRequest): Effect.Effect<Reply, RbeeError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const cancel = (jobId: string) => Effect.ignore(jobs.cancel(jobId))
      // In a fiber of its own, which can be interrupted although nobody does: what the queen starts for the job
      // inherits that. A client who leaves meanwhile leaves no job behind.
      const submitting = yield* Effect.fork(Effect.interruptible(jobs.submit(jobRequest(chat))))
      const { jobId, log } = yield* restore(Fiber.join(submitting)).pipe(
        Effect.onInterrupt(() => Effect.ignore(Effect.flatMap(Fiber.join(submitting), (job) => cancel(job.jobId))))
      )
      const head = { id: `chatcmpl-${jobId}`, created: Math.floor(log.createdAt / 1000), model: chat.model }
      const whileWanted = <A>(effect: Effect.Effect<A, RbeeError>) => Effect.onInterrupt(effect, () => cancel(jobId))
      const reply = chat.stream === true ? streamed(chat, head, log, whileWanted) : whole(head, log)
      return yield* restore(whileWanted(reply))
    })
  )

const jobRequest = (chat: ChatCompletionRequest): JobRequest => {
  const { model, stream = false, max_completion_tokens, max_tokens, temperature, top_p, seed, stop } = chat
  const tokens = max_completion_tokens ?? max_tokens
  return {
    model,
    messages: chatMessages(chat),
    stream,
    ...(tokens === undefined ? {} : { max_tokens: tokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(top_p === undefined ? {} : { top_p }),
    ...(seed === undefined ? {} : { seed }),
    ...(stop === undefined ? {} : { stop })
  }
}

/** Waits for the end, and gives the whole answer. */
const whole = (head: CompletionHead, log: JobLog): Effect.Effect<Reply, RbeeError> =>
  Effect.suspend(() => {
    let reply: Effect.Effect<Reply, RbeeError> = endedEarly
    const parse = makeSseParser(({ event, data }) => {
      if (event === "done") {
        const { finish_reason, usage } = parseDone(data)
        const message = { role: "assistant", content: log.text(), refusal: null } as const
        const body: ChatCompletion = {
          ...head,
          object: "chat.completion",
          choices: [{ index: 0, message, logprobs: null, finish_reason }],
          usage: completionUsage(usage)
        }
        reply = Effect.succeed({ _tag: "Json", status: 200, body })
      } else reply = failureOf(event, data) ?? reply
    })
    const sink: Sink = {
      write: (frames) => {
        parse(frames)
        return true
      },
      drain: (resume) => resume()
    }
    return Effect.zipRight(
      log.feed()(sink),
      Effect.suspend(() => reply)
    )
  })

/** Waits for the first token, and gives the stream that begins with it. */
const streamed = (
  chat: ChatCompletionRequest,
  head: CompletionHead,
  log: JobLog,
  whileWanted: <A>(effect: Effect.Effect<A, RbeeError>) => Effect.Effect<A, RbeeError>
): Effect.Effect<Reply, RbeeError> =>
  Effect.gen(function* () {
    const { correlationId } = yield* Call
    const before = yield* log.begun
    const includeUsage = chat.stream_options?.include_usage === true
    const feed = chunkFeed({ head, includeUsage, correlationId, source: log.feed(String(before)) })
    const wanted: EventFeed = (sink) => whileWanted(feed(sink))
    return { _tag: "Events", feed: wanted }
  })

const endedEarly = Effect.suspend(() => rbeeError("INTERNAL", "the job's events ended before the job"))
