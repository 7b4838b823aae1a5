/** Ollama's interface over real HTTP and real job logs; only who runs the jobs, and what models there are, is scripted. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Ollama } from "ollama"
import { answerOf } from "../../../src/actors/queen/jobs/answer.ts"
import { type JobLog, JobLogs } from "../../../src/actors/queen/log/job-log.ts"
import { ollama, unknownModel } from "../../../src/actors/surfaces/ollama/ollama.ts"
import type { OllamaPorts } from "../../../src/actors/surfaces/ollama/ports.ts"
import { serveHttp } from "../../../src/layers/transport/http/server/server.ts"
import type { Turns } from "../../../src/layers/turns/index.ts"
import type { Dialect } from "../../../src/machines/dialect/dialect.ts"
import { type RbeeError, rbeeError } from "../../../src/machines/errors.ts"
import { DeviceId, HiveId, JobId, WorkerId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import type { WorkerView } from "../../../src/machines/vocabulary/hive.ts"
import type { JobRequest } from "../../../src/machines/vocabulary/job.ts"
import { ollamaApi } from "../../../src/protocol/surfaces/ollama.ts"

const nothing = { on: "", off: "", default: "" }
const none = { on: "none", off: "none", default: "none" } as const

/** A model that thinks between marks, and calls by an object between marks. */
export const thinker: Dialect = {
  content: {},
  reasoning: { open: "<think>", close: "</think>", confirmed: "render", prompt: none, field: "reasoning_content" },
  tools: {
    open: ["<tool_call>"],
    close: [["</tool_call>"]],
    form: { _tag: "json", list: false, name: ["name"], args: ["arguments"] },
    carry: nothing,
    parallel: true,
    textBeside: true,
    needsSchema: false,
    lossy: []
  },
  manner: { arguments: "object", content: "empty" },
  end: [],
  source: "learned"
}

/** Says these texts, a token each, as that model. */
export const thinking = (log: JobLog, texts: ReadonlyArray<string>, end: "stop" | "length" = "stop") =>
  Effect.sync(() => {
    log.record({ form: { dialect: thinker, prompt: "" } })
    for (const [index, text] of texts.entries()) log.token(text, index)
    log.end({
      _tag: "Done",
      event: {
        text_length: log.text().length,
        tokens: log.tokens(),
        finish_reason: end,
        timings: { placed_ms: 1, started_ms: 40, first_token_ms: 50.5, total_ms: 80 },
        usage: { prompt_tokens: 5, completion_tokens: log.tokens(), cached_tokens: 2 }
      }
    })
  })

const llama = {
  model_ref: ModelRef.make("minillama"),
  file: "/models/minillama.gguf",
  bytes: 3_000_000,
  sha256: "ab".repeat(32),
  architecture: "llama",
  parameters: 3_049_920,
  context: 512,
  quantization: "Q8_0",
  added_at: Date.UTC(2026, 0, 2),
  pinned: false,
  owned: true,
  in_use: true
}
const worker: WorkerView = {
  hive: HiveId.make("localhost"),
  id: WorkerId.make("w-1"),
  instance: "w-1-a",
  state: "idle",
  load_progress: 1,
  device: DeviceId.make("cpu"),
  model: ModelRef.make("minillama"),
  context: 512,
  slots: 4,
  busy: 0,
  tokens_out: 0,
  restarts: 0,
  infers: [],
  memory_mb: 100
}

/** A queen whose jobs do what `run` does with their log. */
export const edge = (run: (log: JobLog) => Effect.Effect<void, RbeeError, Turns>, own: Partial<OllamaPorts> = {}) =>
  Effect.gen(function* () {
    const logs = yield* JobLogs
    const context = yield* Effect.context<Turns>()
    const scope = yield* Effect.scope
    const asked: Array<JobRequest> = []
    const unloaded: Array<string> = []
    const removed: Array<string> = []
    const counted = { ignored: 0 }
    const cancelled = yield* Deferred.make<string>()
    const ports: OllamaPorts = {
      submit: (request) =>
        Effect.gen(function* () {
          asked.push(request)
          const { log } = yield* logs.open({
            id: JobId.make(`job-${asked.length}`),
            request: { ...request, model: ModelRef.make(request.model) }
          })
          // as a job's actor does: what it interrupts must be interruptible
          yield* Effect.forkIn(Effect.provide(Effect.raceFirst(run(log), Effect.never), context), scope)
          return answerOf(log)
        }),
      cancel: (jobId) => Effect.asVoid(Deferred.succeed(cancelled, jobId)),
      ignored: (fields) => void (counted.ignored += fields),
      named: (name) =>
        name.startsWith("gone") ? Effect.fail(unknownModel(name)) : Effect.succeed(name.replace(/:latest$/, "")),
      entry: () => Effect.succeed(undefined),
      models: Effect.succeed([llama, { ...llama }, { model_ref: ModelRef.make("file:/a.gguf") }]),
      shown: (model) => Effect.succeed(model === "minillama" ? { ...llama, dialect: thinker } : undefined),
      workers: Effect.succeed([worker, { ...worker, id: WorkerId.make("w-2"), state: "loading" }]),
      idleMs: 300_000,
      unload: (model) => Effect.sync(() => void unloaded.push(model)),
      pull: (model) =>
        model === "HF:no/body"
          ? Effect.succeed({ model, follow: () => rbeeError("MODEL_NOT_FOUND", "the hub has no such model") })
          : Effect.succeed({
              model,
              follow: (progress) =>
                Effect.sync(() => {
                  for (const received of [1, 5, 10]) progress({ stage: "download", received, total: 10 })
                })
            }),
      remove: (name) => Effect.sync(() => void removed.push(name)),
      ...own
    }
    const { url } = yield* serveHttp({
      apis: [{ api: ollamaApi, handlers: ollama(ports) }],
      host: "127.0.0.1",
      port: 0,
      role: "queen",
      graceMs: 50
    })
    const post = (path: string, body: unknown) =>
      Effect.promise(async () => {
        const answer = await fetch(`${url}/api/${path}`, { method: "POST", body: JSON.stringify(body) })
        const text = await answer.text()
        const lines: ReadonlyArray<Readonly<Record<string, unknown>>> = text
          .split("\n")
          .flatMap((line) => (line.trim() === "" ? [] : [JSON.parse(line)]))
        return { status: answer.status, headers: answer.headers, lines, body: lines[0] ?? {} }
      })
    return { client: new Ollama({ host: url }), asked, cancelled, counted, post, removed, unloaded, url }
  })

export const hello = { model: ModelRef.make("minillama"), messages: [{ role: "user", content: "hello" }] }
export const call = <A>(ask: () => PromiseLike<A>) => Effect.promise(async () => ask())
export const failing = (ask: () => PromiseLike<unknown>) =>
  call(async () => {
    try {
      await ask()
    } catch (cause) {
      if (cause instanceof Error) return cause
      throw cause
    }
    throw new Error("it did not fail")
  })
export const collect = async <A>(stream: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const all: Array<A> = []
  for await (const one of stream) all.push(one)
  return all
}
