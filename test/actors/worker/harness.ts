/** A worker actor around the scripted engine, with readers whose pace a test decides. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { makeWorker, type Worker } from "../../../src/actors/worker/worker.ts"
import type { EventFeed, Sink } from "../../../src/protocol/endpoint.ts"
import { makeSseParser, type SseEvent } from "../../../src/protocol/sse.ts"
import { Engine, type LoadedModel } from "../../../src/layers/engine/index.ts"
import { layerScripted, type ScriptedOptions } from "../../../src/layers/engine/scripted.ts"
import { layerRandom } from "../../../src/layers/ids/random.ts"
import { CurrentSettings, type Settings } from "../../../src/layers/settings/index.ts"
import { defaults } from "../../../src/layers/settings/defaults.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import type { WorkerPlan } from "../../../src/layers/worker-launcher/index.ts"
import type { ControlMessage, InferRequest } from "../../../src/machines/vocabulary/worker.ts"
import { llama } from "../../../src/machines/kinds/llama/llama.ts"
import { JobId, WorkerId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

import { inferIdHeader } from "../../../src/protocol/worker.ts"
export const plan: WorkerPlan = {
  workerId: WorkerId.make("w1"),
  instance: "worker-1",
  kind: llama.id,
  backend: "cpu",
  modelPath: "/models/scripted.gguf",
  modelRef: ModelRef.make("scripted"),
  slots: 2,
  portHint: 0
}

export const settings: Settings = {
  ...defaults,
  version: "0.0.0",
  home: { state: "/none", logs: "/none/logs", config: "/none/config.toml" }
}

export const services = (script: ScriptedOptions) =>
  Layer.mergeAll(layerScripted(script), layerRandom, layerNode, Layer.succeed(CurrentSettings, settings))

export interface Harness extends Worker {
  readonly said: ReadonlyArray<ControlMessage>
  /** completes when the model is loaded */
  readonly ready: Effect.Effect<void>
  /** completes when `run` has */
  readonly ended: Effect.Effect<void>
}

/** A worker that runs, under whatever clock the test has. `tamper` may break its engine. */
export const startWorker = (
  script: ScriptedOptions,
  own: Partial<WorkerPlan> = {},
  tamper: (model: LoadedModel) => LoadedModel = (model) => model
) =>
  Effect.gen(function* () {
    const said: Array<ControlMessage> = []
    const isReady = yield* Deferred.make<void>()
    const isOver = yield* Deferred.make<void>()
    const worker = yield* makeWorker({
      plan: { ...plan, ...own },
      pid: 1,
      tell: (message) => {
        said.push(message)
        if (message.t === "ready") Deferred.unsafeDone(isReady, Effect.void)
      }
    }).pipe(
      Effect.updateService(Engine, ({ load }) => ({ load: (options) => Effect.map(load(options), tamper) })),
      Effect.provide(services(script))
    )
    yield* worker.run.pipe(Effect.zipRight(Deferred.succeed(isOver, undefined)), Effect.forkScoped)
    const harness: Harness = { ...worker, said, ready: Deferred.await(isReady), ended: Deferred.await(isOver) }
    return harness
  })

export const request = (own: Partial<InferRequest> = {}): InferRequest => ({
  job_id: JobId.make("job-1"),
  epoch: 1,
  prompt: "say something",
  ...own
})

/** POST /infer with a stream: the answer, which is read from its first token each time. */
export const begin = (worker: Pick<Worker, "api">, own: Partial<InferRequest> = {}) =>
  Effect.flatMap(worker.api.infer(request(own)), (reply) => {
    const id = reply.headers?.[inferIdHeader]
    return id === undefined || reply._tag !== "Events"
      ? Effect.dieMessage("no stream")
      : Effect.succeed({ id, feed: reply.feed })
  })

export interface Reader {
  readonly events: Array<SseEvent>
  /** how many writes it got */
  writes: number
  /** a slow reader takes nothing until `resume` */
  slow: boolean
  resume: () => void
  readonly sink: Sink
}

export const makeReader = (slow = false): Reader => {
  const events: Array<SseEvent> = []
  const parse = makeSseParser((event) => void events.push(event))
  const reader: Reader = {
    events,
    writes: 0,
    slow,
    resume: () => undefined,
    sink: {
      write: (frames) => {
        reader.writes++
        parse(frames)
        return !reader.slow
      },
      drain: (resume) => {
        if (reader.slow) reader.resume = resume
        else resume()
      }
    }
  }
  return reader
}

/** Runs the feed of an answer into a reader; completes at the feed's end. */
export const readAll = ({ feed }: { readonly feed: EventFeed }, reader: Reader = makeReader()) =>
  Effect.as(feed(reader.sink), reader)

export interface Token {
  readonly i: number
  readonly t: string
  readonly k: number
}
export const tokensOf = (reader: Reader): ReadonlyArray<Token> =>
  reader.events.filter(({ event }) => event === "token").map(({ data }) => JSON.parse(data))
export const textOf = (reader: Reader): string =>
  tokensOf(reader)
    .map(({ t }) => t)
    .join("")
export const lastOf = (reader: Reader): { readonly event: string; readonly data: unknown } => {
  const last = reader.events[reader.events.length - 1]
  return { event: last?.event ?? "none", data: JSON.parse(last?.data ?? "null") }
}
