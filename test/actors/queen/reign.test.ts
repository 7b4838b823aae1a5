/** How long a queen may act: she stops where her leadership is lost, and hives refuse her if she does not. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { reign } from "../../../src/actors/queen/endings/reign.ts"
import { layer as layerJobLogs } from "../../../src/actors/queen/log/job-logs.ts"
import { layerMetrics } from "../../../src/actors/queen/metrics/metrics.ts"
import { Ids } from "../../../src/layers/ids/index.ts"
import { layerMemory as layerJournal } from "../../../src/layers/journal/memory.ts"
import { lead } from "../../../src/layers/leadership/index.ts"
import { layerMemory, LeadersSeat } from "../../../src/layers/leadership/memory.ts"
import { layerMemory as layerCatalog, MemoryCatalog } from "../../../src/layers/queen-catalog/memory.ts"
import { QueenCatalog } from "../../../src/layers/queen-catalog/index.ts"
import { CurrentSettings } from "../../../src/layers/settings/index.ts"
import { defaults } from "../../../src/layers/settings/defaults.ts"
import { layerNode as layerTurns } from "../../../src/layers/turns/node.ts"
import { Call } from "../../../src/protocol/endpoint.ts"
import { makeWorld as makeHive } from "../../support/hive-world.ts"
import { makeWorld } from "../../support/queen/world.ts"

const ids = Layer.succeed(Ids, { make: (prefix) => Effect.succeed(`${prefix}-1`) })
const settings = { ...defaults, version: "test", home: { state: "/nowhere", logs: "/nowhere", config: "/nowhere" } }
const logs = Layer.provide(layerJobLogs, layerJournal()).pipe(
  Layer.provide(Layer.mergeAll(ids, layerTurns, layerMetrics, Layer.succeed(CurrentSettings, settings)))
)
const leading = (lease: LeadersSeat) => lead.pipe(Effect.provide(layerMemory(lease, "memory://queen")))

describe("A queen", () => {
  it.scoped("stops, and says why, as soon as her leadership is lost", () =>
    Effect.gen(function* () {
      const { queen } = yield* makeWorld()
      const lease = new LeadersSeat()
      const reigning = yield* Effect.fork(Effect.flip(reign(queen, yield* leading(lease))))
      yield* Effect.yieldNow()
      yield* lease.depose
      expect(yield* Fiber.join(reigning)).toMatchObject({
        code: "CONFLICT",
        what: "the queen at memory://queen leads no more: it was taken away"
      })
    }).pipe(Effect.provide(logs))
  )

  it.scoped("ends without a failure where she is asked to, and another may lead after her", () =>
    Effect.gen(function* () {
      const { queen } = yield* makeWorld()
      const lease = new LeadersSeat()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const reigning = yield* Effect.fork(reign(queen, yield* leading(lease)))
          yield* queen.shutdown(false)
          yield* Fiber.join(reigning)
        })
      )
      expect((yield* leading(lease)).url).toBe("memory://queen")
    }).pipe(Effect.provide(logs))
  )

  it.scoped(
    "who was deposed and does not know it is refused by hives that her successor has claimed, by her epoch",
    () =>
      Effect.gen(function* () {
        const { hive } = yield* makeHive()
        const lease = new LeadersSeat()
        const store = new MemoryCatalog()
        /** One who leads, opens her catalog, and claims the hive. */
        const claimed = Effect.gen(function* () {
          const { url } = yield* leading(lease)
          const { identity } = yield* Effect.provide(QueenCatalog, Layer.provide(layerCatalog(store), ids))
          yield* hive.api.claim({ queen: { ...identity, name: "queen", url } })
          const call = { correlationId: undefined, deadline: undefined, queen: identity }
          return { asks: Effect.either(Effect.provideService(hive.api.listWorkers({}), Call, call)) }
        })
        const old = yield* claimed
        expect((yield* old.asks)._tag).toBe("Right")
        yield* lease.depose
        const next = yield* claimed
        expect(yield* old.asks).toMatchObject({ _tag: "Left", left: { code: "HIVE_OWNED" } })
        expect((yield* next.asks)._tag).toBe("Right")
      })
  )
})
