/** The edge of other makers' clients over real HTTP and real job logs; only who runs the jobs is scripted. */
import { answerOf } from "../../../src/actors/queen/jobs/answer.ts"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import Anthropic from "@anthropic-ai/sdk"
import OpenAI, { APIError } from "openai"
import { type JobLog, JobLogs } from "../../../src/actors/queen/log/job-log.ts"
import { makeJobLogs } from "../../../src/actors/queen/log/job-logs.ts"
import { layerMetrics } from "../../../src/actors/queen/metrics/metrics.ts"
import { type Jobs, openAi } from "../../../src/actors/surfaces/openai.ts"
import { measuring } from "../../../src/actors/surfaces/measuring/calls.ts"
import { measuringApi } from "../../../src/protocol/surfaces/measuring.ts"
import { responses } from "../../../src/actors/surfaces/responses/responses.ts"
import { responsesApi } from "../../../src/protocol/surfaces/responses.ts"
import { anthropic } from "../../../src/actors/surfaces/anthropic/messages.ts"
import { anthropicApi } from "../../../src/protocol/surfaces/anthropic.ts"
import { serveHttp } from "../../../src/layers/transport/http/server/server.ts"
import { layerMemory } from "../../../src/layers/journal/memory.ts"
import { queenApi } from "../../../src/protocol/queen/index.ts"
import { Turns } from "../../../src/layers/turns/index.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import { type RbeeError, rbeeError } from "../../../src/machines/errors.ts"
import { vectorLine } from "../../../src/machines/formats/vectors.ts"
import { inferConnected, inferDone } from "../../../src/machines/narration.ts"
import type { DoneEvent, JobRequest } from "../../../src/machines/vocabulary/job.ts"
import { JobId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

export const layer = Layer.provideMerge(
  Layer.scoped(JobLogs, makeJobLogs({ retentionMs: 1e9, retentionJobs: 100 })),
  Layer.provideMerge(Layer.mergeAll(layerMemory(), layerMetrics, Logger.minimumLogLevel(LogLevel.Error)), layerNode)
)

const turn = Effect.flatMap(Turns, (turns) =>
  Effect.async<void>((resume) => turns.atEndOfTurn(() => resume(Effect.void)))
)
export const doneEvent = (log: JobLog): DoneEvent => ({
  text_length: log.text().length,
  tokens: log.tokens(),
  finish_reason: "stop",
  timings: {},
  usage: { prompt_tokens: 5, completion_tokens: log.tokens(), cached_tokens: 2 }
})
export const texts = ["", "Hel", 'lo "you"', "\n", "", "🐝</s>"]
export const answerText = texts.join("")
export const say = (log: JobLog) =>
  Effect.gen(function* () {
    log.narrate(inferConnected())
    for (const [k, text] of texts.entries()) {
      log.token(text, k)
      yield* turn
    }
  })
/** A vector for each text that is asked for, of which the last is the longest, or has the best score. */
export const measureAll = (log: JobLog) =>
  Effect.sync(() => {
    const { embed, rerank } = log.request
    for (const [i] of (embed ?? rerank?.documents ?? []).entries())
      log.token(vectorLine(Float32Array.of(...(embed === undefined ? [i / 4] : [3 * (i + 1), 4 * (i + 1), 0]))), 5)
    log.end({ _tag: "Done", event: { ...doneEvent(log), timings: { started_ms: 1, total_ms: 2 } } })
  })
export const sayAll = (log: JobLog) =>
  Effect.zipRight(
    say(log),
    Effect.sync(() => {
      log.narrate(inferDone())
      log.end({ _tag: "Done", event: doneEvent(log) })
    })
  )

/** What a test reads of an answer. */
interface Answered {
  readonly error: { readonly code: string; readonly param: string | null; readonly message: string }
}

/** A queen whose jobs do what `run` does with their log. */
export const edge = (run: (log: JobLog) => Effect.Effect<void, RbeeError, Turns>) =>
  Effect.gen(function* () {
    const logs = yield* JobLogs
    const context = yield* Effect.context<Turns>()
    const scope = yield* Effect.scope
    const asked: Array<JobRequest> = []
    const counted = { ignored: 0 }
    const cancelled = yield* Deferred.make<string>()
    const jobs: Jobs = {
      submit: (request) =>
        Effect.gen(function* () {
          if (request.model === "full") return yield* rbeeError("QUEUE_FULL", "the queue has 512 jobs")
          asked.push(request)
          const jobId = JobId.make(`job-${asked.length}`)
          const { log } = yield* logs.open({ id: jobId, request: { ...request, model: ModelRef.make(request.model) } })
          // as a job's actor does: what it interrupts must be interruptible
          const interruptible = Effect.raceFirst(run(log), Effect.never)
          yield* Effect.forkIn(Effect.provide(interruptible, context), scope)
          return answerOf(log)
        }),
      ignored: (fields) => void (counted.ignored += fields),
      cancel: (jobId) =>
        Effect.gen(function* () {
          yield* Deferred.succeed(cancelled, jobId)
          const log = yield* logs.get(jobId)
          if (log.ended()) return yield* rbeeError("CONFLICT", "it has ended already")
          log.end({ _tag: "Cancelled" })
          yield* log.sync
        }),
      named: (name) => Effect.succeed(name.toLowerCase()),
      models: () => Effect.succeed([{ id: "minillama", createdAt: 1_700_000_000_500 }, { id: "file:/a.gguf" }])
    }
    const api = {
      v1Models: queenApi.v1Models,
      v1Model: queenApi.v1Model,
      v1Chat: queenApi.v1Chat,
      v1Completions: queenApi.v1Completions
    }
    const stored = responses({
      ...jobs,
      find: (id) =>
        Effect.map(logs.get(id), (log) => ({
          ...answerOf(log),
          request: log.request,
          state: () => log.shown().facts.state
        })),
      remove: logs.remove
    })
    yield* Effect.forEach(logs.unfinished(), stored.inherited, { discard: true })
    const { url } = yield* serveHttp({
      apis: [
        { api, handlers: openAi(jobs) },
        { api: measuringApi, handlers: measuring(jobs) },
        { api: anthropicApi, handlers: anthropic(jobs) },
        { api: responsesApi, handlers: stored.handlers }
      ],
      host: "127.0.0.1",
      port: 0,
      role: "queen",
      graceMs: 50
    })
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "unused", maxRetries: 0 })
    const claude = new Anthropic({ baseURL: url, apiKey: "unused", maxRetries: 0 })
    /** A body as it stands, which the client would not send. */
    const post = (body: unknown, path = "/v1/chat/completions") =>
      Effect.promise(async () => {
        const response = await fetch(`${url}${path}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: typeof body === "string" ? body : JSON.stringify(body)
        })
        const answered: Answered = JSON.parse(await response.text())
        return { status: response.status, headers: response.headers, body: answered }
      })
    return { client, claude, asked, cancelled, counted, post, url }
  })

export const hello = { model: ModelRef.make("minillama"), messages: [{ role: "user" as const, content: "hello" }] }
export const call = <A>(ask: () => PromiseLike<A>) => Effect.promise(async () => ask())
export const failing = (ask: () => PromiseLike<unknown>) =>
  call(async () => {
    try {
      await ask()
    } catch (cause) {
      if (cause instanceof APIError) return cause
      throw cause
    }
    throw new Error("it did not fail")
  })
export const collect = async (stream: AsyncIterable<OpenAI.Chat.ChatCompletionChunk>) => {
  const chunks: Array<OpenAI.Chat.ChatCompletionChunk> = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}
