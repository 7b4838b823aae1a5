import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { layerInProcessNetwork } from "../../../src/layers/transport/in-process/network.ts"
import { Engine } from "../../../src/layers/engine/index.ts"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import { layerScripted } from "../../../src/layers/engine/scripted.ts"
import { layerRandom } from "../../../src/layers/ids/random.ts"
import { CurrentSettings } from "../../../src/layers/settings/index.ts"
import { layerNode as layerTurns } from "../../../src/layers/turns/node.ts"
import { layerInProcess as layerConnector } from "../../../src/layers/worker-connector/in-process.ts"
import { WorkerConnector } from "../../../src/layers/worker-connector/index.ts"
import { layerInProcess } from "../../../src/main/cluster/worker-launcher.ts"
import { loadFailedCode, WorkerLauncher } from "../../../src/layers/worker-launcher/index.ts"
import type { ControlMessage } from "../../../src/machines/vocabulary/worker.ts"
import { begin, lastOf, makeReader, plan, readAll, settings, tokensOf } from "../../actors/worker/harness.ts"

const services = (engine: Layer.Layer<Engine>) =>
  Layer.merge(
    layerInProcess(() => engine),
    layerConnector
  ).pipe(
    Layer.provide(layerInProcessNetwork),
    Layer.provide(Layer.mergeAll(layerRandom, layerTurns, Layer.succeed(CurrentSettings, settings)))
  )
const paced = layerScripted({ tokens: 1000, tokensPerS: 10 })

const launched = (modelPath = plan.modelPath) =>
  Effect.gen(function* () {
    const { launch } = yield* WorkerLauncher
    const { connect } = yield* WorkerConnector
    const said: Array<ControlMessage> = []
    const ready = yield* Deferred.make<void>()
    const running = yield* launch({ ...plan, modelPath }, (message) => {
      said.push(message)
      if (message.t === "ready") Deferred.unsafeDone(ready, Effect.void)
    })
    return { said, running, ready: Deferred.await(ready), api: connect("in-process://worker/w1", plan.instance) }
  })

describe("a worker in this process", () => {
  it.scoped("is reached by its url, beats, and streams like one over HTTP", () =>
    Effect.gen(function* () {
      const worker = yield* launched()
      yield* worker.ready
      expect(worker.running.process).toBeUndefined()
      expect(worker.said[0]).toEqual({ t: "bound", port: 0, url: "in-process://worker/w1" })
      expect((yield* worker.api.health({})).pid).toBe(process.pid)
      const reading = yield* Effect.fork(readAll(yield* begin(worker, { max_tokens: 15 })))
      yield* TestClock.adjust("2 seconds")
      const reader = yield* Fiber.join(reading)
      expect(tokensOf(reader).length).toBe(15)
      expect(lastOf(reader).event).toBe("done")
      expect(worker.said.filter(({ t }) => t === "beat").length).toBe(2)
    }).pipe(Effect.provide(services(paced)))
  )

  it.effect("is gone when its scope closes: readers hear why, nobody answers, and the same id can start again", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const worker = yield* launched().pipe(Scope.extend(scope))
      yield* worker.ready
      const reader = makeReader()
      const reading = yield* Effect.fork(readAll(yield* begin(worker), reader))
      yield* TestClock.adjust("1 second")
      yield* Scope.close(scope, Exit.void)
      expect(yield* worker.running.exit).toEqual({ code: 0, signal: undefined })
      yield* Effect.exit(Fiber.join(reading))
      expect(lastOf(reader)).toMatchObject({ event: "error", data: { code: "SHUTTING_DOWN" } })
      expect((yield* Effect.flip(worker.api.health({}))).code).toBe("CONNECTION_TIMEOUT")
      yield* Effect.scoped(Effect.flatMap(launched(), (again) => again.ready))
    }).pipe(Effect.provide(services(paced)))
  )

  it.scopedLive("whose model cannot be loaded tells it and exits as the program does, with its last words", () =>
    Effect.gen(function* () {
      const worker = yield* launched(import.meta.filename)
      expect(yield* worker.running.exit).toEqual({ code: loadFailedCode, signal: undefined })
      expect(worker.said.find(({ t }) => t === "failed")).toMatchObject({ code: "MODEL_INVALID" })
      expect(worker.running.lastWords()).not.toBe("")
    }).pipe(Effect.provide(services(layerLlama({ gpu: "cpu" }))))
  )

  it.scoped("that has a bug exits with 1 and its cause, and nobody else dies of it", () =>
    Effect.gen(function* () {
      const worker = yield* launched()
      expect(yield* worker.running.exit).toEqual({ code: 1, signal: undefined })
      expect(worker.running.lastWords()).toContain("out of luck")
    }).pipe(Effect.provide(services(Layer.succeed(Engine, { load: () => Effect.dieMessage("out of luck") }))))
  )
})
