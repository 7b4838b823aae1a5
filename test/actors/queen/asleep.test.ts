/** Hives whose machines sleep, under a queen in the test's time. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import type { Facts, Remotes } from "../../../src/layers/remote/index.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import { JobId, localHive } from "../../../src/machines/vocabulary/ids.ts"
import { makeStores, makeWorld, type QueenWorld } from "../../support/queen/world.ts"

const mac = "aa:bb:cc:dd:ee:ff"
const sleepAfterS = 60

const view = ({ api }: QueenWorld) => Effect.map(api.listHives({}), ([hive]) => hive)
const stateOf = (world: QueenWorld) => Effect.map(view(world), (hive) => hive?.state)
const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
const becomes = (world: QueenWorld, state: string) =>
  stateOf(world).pipe(Effect.zipLeft(turn), Effect.repeat({ until: (now) => now === state }))

/** A queen whose one hive is on a machine that may sleep. */
const sleepy = (woke_ms?: ReadonlyArray<number>) => {
  const stores = makeStores()
  const asleep = woke_ms === undefined ? {} : { sleep: { since: 1, woke_ms } }
  stores.catalog.hives.set(localHive, {
    id: localHive,
    addedAt: 0,
    power: { mac, sleep_after_s: sleepAfterS },
    ...asleep
  })
  stores.hive.isAsleep = woke_ms !== undefined
  return stores
}

describe("A hive that may sleep", () => {
  it.scoped("sleeps when it has been idle for its time, and its workers are gone", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ stores: sleepy() })
      const { api, events, hive } = world
      yield* (yield* world.job()).ended
      hive.idleMs = sleepAfterS * 1000 - 1
      yield* TestClock.adjust("2 seconds")
      expect(yield* stateOf(world)).toBe("healthy")
      hive.idleMs = sleepAfterS * 1000
      yield* TestClock.adjust("1 second")
      yield* becomes(world, "asleep")
      yield* events.saw("hive localhost sleeps: it was idle for 60 s")
      expect(yield* api.listWorkers({})).toEqual([])
      expect(world.stores.catalog.hives.get(localHive)).toMatchObject({ sleep: { since: 3000, woke_ms: [] } })
    })
  )

  it.scoped("does not while a job is there, whatever it says itself", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ stores: sleepy() })
      const { hive } = world
      hive.script = () => ({ holdAt: 1 })
      const reader = yield* world.job()
      yield* reader.until(({ event }) => event === "token")
      hive.idleMs = sleepAfterS * 1000
      yield* TestClock.adjust("10 seconds")
      expect(yield* stateOf(world)).toBe("healthy")
      expect(hive.calls).not.toContain("suspend")
    })
  )

  it.scoped("that refuses goes on, and is asked again after that time", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ stores: sleepy() })
      const { hive } = world
      yield* (yield* world.job()).ended
      hive.refusesSleep = rbeeError("CONFLICT", "it fetches a model")
      hive.idleMs = sleepAfterS * 1000
      yield* TestClock.adjust("50 seconds")
      expect(hive.calls.filter((call) => call === "suspend")).toHaveLength(1)
      expect(yield* stateOf(world)).toBe("healthy")
      expect((yield* (yield* world.job()).ended).event).toBe("done")
      yield* TestClock.adjust("20 seconds")
      expect(hive.calls.filter((call) => call === "suspend")).toHaveLength(2)
    })
  )
})

describe("A hive that is added again", () => {
  const ssh = { host: "attic.lan", hive_port: 8600 }
  const unused = Effect.suspend(() => rbeeError("INVALID_REQUEST", "not asked for here"))
  const facts: Facts = {
    platform: "linux",
    arch: "x64",
    node: "v20.0.0",
    cores: 2,
    ram_mb: 4000,
    ram_free_mb: 2000,
    disk_free_mb: 9000,
    gpu_tools: [],
    latencyMs: 1,
    clockAheadMs: 0,
    npm: true,
    folder: "/nowhere",
    socket: "/nowhere/queen.sock",
    others: []
  }
  const remotes: Remotes = {
    check: () => Effect.succeed(facts),
    uninstall: () => unused,
    logs: () => unused,
    unlock: () => Effect.succeed(false),
    install: () => unused
  }

  it.scoped("may sleep from then on, and its hive is told; or does not any more", () =>
    Effect.gen(function* () {
      const stores = makeStores()
      stores.catalog.hives.set(localHive, { id: localHive, addedAt: 0, ssh })
      const world = yield* makeWorld({ stores, remotes })
      const { api, hive } = world
      yield* (yield* world.job()).ended
      expect(hive.claims.map(({ sleep_after_s }) => sleep_after_s)).toEqual([undefined])
      const added = yield* api.addHive({ id: localHive, ssh, power: { mac, sleep_after_s: 60 } })
      expect(added).toMatchObject({ power: { mac, sleep_after_s: 60 } })
      yield* api.addHive({ id: localHive, ssh })
      yield* api.addHive({ id: localHive, ssh, power: { mac } })
      expect(hive.claims.map(({ sleep_after_s }) => sleep_after_s)).toEqual([undefined, 60, 0])
      expect(stores.catalog.hives.get(localHive)).toMatchObject({ power: { mac }, url: hive.url })
    })
  )

  it.scoped("is not one of this machine, which could not wake itself", () =>
    Effect.gen(function* () {
      const { api } = yield* makeWorld()
      expect(yield* Effect.flip(api.addHive({ id: localHive, power: { mac } }))).toMatchObject({
        code: "INVALID_REQUEST",
        details: { field: "power" }
      })
    })
  )
})

describe("A hive whose machine sleeps", () => {
  it.scoped("is not woken, and not looked at, by lists, plans, checks and the time that passes", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ stores: sleepy([41_000, 43_000]) })
      const { api, hive } = world
      yield* becomes(world, "asleep")
      expect(yield* view(world)).toMatchObject({ power: { mac }, usually_up_s: 42 })
      expect(yield* api.plan({ model: "minillama" })).toMatchObject({ outcome: "asleep" })
      yield* api.listModels({})
      yield* api.metrics({})
      yield* TestClock.adjust("20 seconds")
      expect([hive.packets, hive.looks]).toEqual([0, 0])
      expect(yield* stateOf(world)).toBe("asleep")
    })
  )

  it.scoped(
    "is woken for a request, which hears how long that usually takes; what it took is known the next time",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld({ stores: sleepy([41_000, 43_000]) })
        const { hive, stores } = world
        hive.hears = false
        const reader = yield* world.job()
        yield* reader.saw("waking localhost: usually up in 42 s")
        yield* TestClock.adjust("40 seconds")
        expect(hive.packets).toBe(21)
        hive.hears = true
        yield* TestClock.adjust("5 seconds")
        expect((yield* reader.ended).event).toBe("done")
        expect(stores.catalog.hives.get(localHive)?.sleep).toEqual({ woke_ms: [41_000, 43_000, 42_250] })
        expect(yield* stateOf(world)).toBe("healthy")
      })
  )

  it.scoped("that was never woken says that", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ stores: sleepy([]) })
      const reader = yield* world.job()
      yield* reader.saw("waking localhost: it sleeps, and was never woken before")
      yield* TestClock.adjust("2 seconds")
      expect((yield* reader.ended).event).toBe("done")
    })
  )

  it.scoped("is called no more once nobody waits, and sleeps on", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ stores: sleepy([]) })
      const { api, hive } = world
      hive.hears = false
      const reader = yield* world.job()
      yield* TestClock.adjust("3 seconds")
      const { packets } = hive
      expect(packets).toBe(2)
      yield* api.cancelJob({ id: JobId.make(reader.id) })
      yield* TestClock.adjust("5 seconds")
      expect(hive.packets).toBe(packets)
      expect(yield* stateOf(world)).toBe("asleep")
    })
  )

  it.scoped("that does not wake within five minutes fails the request, with what may be wrong", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ stores: sleepy([]) })
      world.hive.hears = false
      // each look is a wait: nothing answers
      world.hive.isSilent = true
      const reader = yield* world.job()
      yield* TestClock.adjust("301 seconds")
      const { data } = yield* reader.ended
      expect(data).toMatchObject({ code: "SSH_UNREACHABLE" })
      expect(String(data["message"])).toContain(`called at ${mac} for 5 minutes`)
    })
  )

  it.scoped("is started by hand, too, and forgotten or stopped without being woken", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ stores: sleepy([]) })
      const { api, hive } = world
      yield* becomes(world, "asleep")
      yield* api.stopHive({ id: localHive })
      expect([yield* stateOf(world), hive.packets, hive.looks]).toEqual(["stopped", 0, 0])
      const starting = yield* Effect.fork(api.startHive({ id: localHive }))
      yield* TestClock.adjust("3 seconds")
      yield* starting
      yield* becomes(world, "healthy")
      expect(hive.packets).toBe(1)
    })
  )

  it.scoped("is taken in where somebody else has woken it, and its hive beats", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ stores: sleepy([]) })
      const { hive } = world
      yield* becomes(world, "asleep")
      hive.isAsleep = false
      hive.wake()
      yield* TestClock.adjust("2 seconds")
      yield* becomes(world, "healthy")
      expect(hive.packets).toBe(0)
      // which the next queen is to know
      expect(world.stores.catalog.hives.get(hive.id)?.sleep?.since).toBeUndefined()
    })
  )

  it.scoped("that was put to sleep by others sleeps to its queen, and is not woken for what it had loaded", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({ stores: sleepy() })
      const { hive } = world
      yield* (yield* world.job()).ended
      hive.isAsleep = true
      yield* TestClock.adjust("11 seconds")
      yield* becomes(world, "asleep")
      yield* TestClock.adjust("20 seconds")
      expect(hive.packets).toBe(0)
      const reader = yield* world.job()
      yield* TestClock.adjust("3 seconds")
      hive.wake()
      expect((yield* reader.ended).event).toBe("done")
    })
  )

  it.scoped("sleeps to the next queen, who does not look", () =>
    Effect.gen(function* () {
      const first = yield* makeWorld({ stores: sleepy() })
      yield* (yield* first.job()).ended
      first.hive.idleMs = sleepAfterS * 1000
      yield* TestClock.adjust("1 second")
      yield* becomes(first, "asleep")
      yield* first.crash
      first.hive.looks = 0
      const next = yield* makeWorld({ stores: first.stores })
      yield* becomes(next, "asleep")
      expect(next.hive.looks).toBe(0)
    })
  )
})
