/** What everybody who asks for leadership can count on, over each implementation. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Scope from "effect/Scope"
import { lead, type Leadership } from "../../../src/layers/leadership/index.ts"
import { layerMemory, LeadersSeat } from "../../../src/layers/leadership/memory.ts"
import { type Bound, layerPort } from "../../../src/layers/leadership/port.ts"
import { serveHttp } from "../../../src/layers/transport/http/server/server.ts"
import { takenReason } from "../../../src/machines/vocabulary/address.ts"
import { Kernel } from "../../../src/simulator/world/kernel/kernel.ts"
import { Machine } from "../../../src/simulator/world/machine.ts"
import { Links } from "../../../src/simulator/world/network/links.ts"
import { Network } from "../../../src/simulator/world/network/network.ts"

type Bind = Parameters<typeof layerPort>[0]

/** Two who could lead the same cluster, and what takes leadership from whoever has it. */
interface Candidates {
  readonly one: Layer.Layer<Leadership>
  readonly other: Layer.Layer<Leadership>
  readonly takeAway: Effect.Effect<void>
}

/** An address of which what listens there can be closed from outside. */
const overPort = (bind: Bind): Candidates => {
  const open = new Set<Scope.CloseableScope>()
  const closable: Bind = Effect.gen(function* () {
    const inner = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const bound: Bound = yield* Scope.extend(bind, inner)
    open.add(inner)
    return bound
  })
  const takeAway = Effect.suspend(() =>
    Effect.forEach(open, (scope) => Scope.close(scope, Exit.void), { discard: true })
  )
  return { one: layerPort(closable), other: layerPort(closable), takeAway }
}

/** The first to bind takes any port that is free, the others that one. */
const overTcp = (): Candidates => {
  let port = 0
  return overPort(
    Effect.suspend(() => serveHttp({ apis: [], host: "127.0.0.1", port, token: undefined, role: "queen" })).pipe(
      Effect.tap((bound) => Effect.sync(() => (port = bound.port))),
      Logger.withMinimumLogLevel(LogLevel.None)
    )
  )
}

const inSimulation = (): Candidates => {
  const kernel = new Kernel({ seed: 1 })
  const machine = new Machine(kernel, { name: "m", ramBytes: 1e9, gpus: [] }, 1)
  const network = new Network(kernel, new Links(kernel, { minMs: 1, maxMs: 1 }))
  const url = "sim://m:queen"
  return overPort(
    Effect.gen(function* () {
      const over = yield* Deferred.make<void>()
      yield* Effect.addFinalizer(() => Deferred.succeed(over, undefined))
      yield* network.listen(machine.spawn("queen"), url, {}, {})
      return { url, port: 0, closed: Deferred.await(over) }
    })
  )
}

const inMemory = (): Candidates => {
  const seat = new LeadersSeat()
  return {
    one: layerMemory(seat, "memory://one"),
    other: layerMemory(seat, "memory://other"),
    takeAway: seat.depose
  }
}

/** One who leads until told to give up. */
const leader = (layer: Layer.Layer<Leadership>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope, { _tag: "Sequential" })
    const term = yield* lead.pipe(Effect.provide(layer), Scope.extend(scope))
    return { url: term.url, lost: term.lost ?? Effect.never, giveUp: Scope.close(scope, Exit.void) }
  })
/** Lets everything run that can run now. */
const settle = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

describe.each([
  { name: "The port, over TCP", make: overTcp },
  { name: "The port, in simulation", make: inSimulation },
  { name: "Leadership in memory", make: inMemory }
])("$name", ({ make }) => {
  it.scopedLive("is one's at a time, and who asks beside hears that another leads", () =>
    Effect.gen(function* () {
      const { one, other } = make()
      yield* leader(one)
      const refused = yield* Effect.flip(leader(other))
      expect(refused).toMatchObject({ code: "CONFLICT", details: { reason: takenReason } })
    })
  )

  it.scopedLive("is another's as soon as it is given up, and never again of who gave it up unasked", () =>
    Effect.gen(function* () {
      const { one, other } = make()
      const first = yield* leader(one)
      yield* first.giveUp
      yield* leader(other)
      expect(yield* Effect.flip(leader(one))).toMatchObject({ code: "CONFLICT" })
    })
  )

  it.scopedLive("that is given up is not lost", () =>
    Effect.gen(function* () {
      const { one } = make()
      const { giveUp, lost } = yield* leader(one)
      const losing = yield* Effect.fork(Effect.either(lost))
      yield* settle
      yield* giveUp
      yield* settle
      expect((yield* Fiber.poll(losing))._tag).toBe("None")
    })
  )

  it.scopedLive("tells its leader that it is lost, also one who asks later, and another may lead", () =>
    Effect.gen(function* () {
      const { one, other, takeAway } = make()
      const { lost, url } = yield* leader(one)
      const losing = yield* Effect.fork(Effect.either(lost))
      yield* settle
      yield* takeAway
      const told = yield* Fiber.join(losing)
      expect(Either.flip(told)).toMatchObject({ right: { code: "CONFLICT", details: { url } } })
      expect(yield* Effect.flip(lost)).toMatchObject({ code: "CONFLICT" })
      yield* leader(other)
    })
  )

  it.scopedLive("of which one was refused is not disturbed by that", () =>
    Effect.gen(function* () {
      const { one, other } = make()
      const { giveUp, lost } = yield* leader(one)
      const losing = yield* Effect.fork(Effect.either(lost))
      yield* Effect.flip(leader(other))
      yield* settle
      expect((yield* Fiber.poll(losing))._tag).toBe("None")
      yield* giveUp
      yield* leader(other)
    })
  )
})
