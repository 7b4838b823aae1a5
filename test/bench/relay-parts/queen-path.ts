/**
 * A queen's way of a token, without placing: HTTP server, job log with its journal on disk, relay, worker over HTTP.
 * Every job is as durable and as resumable as a queen's.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type { JobLog } from "../../../src/actors/queen/job-log.ts"
import { JobLogs } from "../../../src/actors/queen/job-log.ts"
import { makeJobLogs } from "../../../src/actors/queen/job-logs.ts"
import { layerMetrics } from "../../../src/actors/queen/metrics.ts"
import { openAi } from "../../../src/actors/queen/openai.ts"
import { relay } from "../../../src/actors/queen/relay.ts"
import { makeHttpClient } from "../../../src/layers/api/http-client.ts"
import { serveHttp } from "../../../src/layers/api/http-server.ts"
import { layerSqlite } from "../../../src/layers/journal/sqlite.ts"
import { queenApi } from "../../../src/layers/queen-api/index.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import { workerApi } from "../../../src/layers/worker-api/index.ts"
import type { JobRequest } from "../../../src/machines/vocabulary/job.ts"

const serve = (workerPort: number, ready: (port: number) => void) =>
  Effect.gen(function* () {
    const logs = yield* JobLogs
    const scope = yield* Effect.scope
    const worker = makeHttpClient(workerApi, { baseUrl: `http://127.0.0.1:${workerPort}` })
    let count = 0

    const run = (log: JobLog) => {
      const { messages, max_tokens, seed } = log.request
      const request = { job_id: log.jobId, epoch: 1, messages, max_tokens, seed, prompt: log.request.prompt }
      const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined))
      return relay({ worker, request: given as typeof request & { prompt: string }, log }).pipe(
        Effect.match({
          onSuccess: ({ tokens, finish_reason, usage }) =>
            log.end({
              _tag: "Done",
              event: { text_length: log.text().length, tokens, finish_reason, usage, timings: {} }
            }),
          onFailure: (error) => log.end({ _tag: "Error", error })
        })
      )
    }
    const submit = (request: JobRequest) =>
      Effect.gen(function* () {
        const jobId = `job-${process.pid}-${++count}`
        const { log } = yield* logs.open({ id: jobId, request })
        yield* Effect.forkIn(run(log), scope)
        return { jobId, log }
      })
    const { submitJob, jobEvents, v1Chat, v1Models } = queenApi
    const edge = openAi({ submit, cancel: () => Effect.void, models: () => Effect.succeed([]) })
    const { port } = yield* serveHttp({
      apis: [
        {
          api: { submitJob, jobEvents, v1Chat, v1Models },
          handlers: {
            ...edge,
            submitJob: (request) =>
              Effect.map(submit(request), ({ jobId }) => ({ job_id: jobId, events: `/jobs/${jobId}/events` })),
            jobEvents: ({ id, last_event_id }) => Effect.map(logs.get(id), (log) => log.feed(last_event_id))
          }
        }
      ],
      host: "127.0.0.1",
      port: 0,
      role: "queen"
    })
    ready(port)
    return yield* Effect.never
  })

export const startQueenPath = (workerPort: number, journal: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const logs = Layer.provide(
      Layer.scoped(JobLogs, makeJobLogs({ retentionMs: 60_000, retentionJobs: 1000 })),
      Layer.mergeAll(layerSqlite(journal), layerNode, layerMetrics)
    )
    serve(workerPort, resolve)
      .pipe(Effect.scoped, Effect.provide(Layer.merge(logs, Logger.remove(Logger.defaultLogger))), Effect.runPromise)
      .catch(reject)
  })
