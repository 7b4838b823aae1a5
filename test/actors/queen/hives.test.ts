/** Hives under a queen: heartbeats, capabilities, starting and stopping, in the test's time. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { none as noFiber } from "effect/FiberId"
import * as TestClock from "effect/TestClock"
import { type RbeeError, rbeeError } from "../../../src/machines/errors.ts"
import { makeStores, makeWorld, type QueenWorld } from "../../support/queen/world.ts"
import { WorkerId, HiveId, localHive } from "../../../src/machines/vocabulary/ids.ts"

const stateOf = ({ api }: QueenWorld) => Effect.map(api.listHives({}), ([hive]) => hive?.state)
const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
/** Waits, turn by turn of the event loop, without any time passing. */
const becomes = (world: QueenWorld, state: string) =>
  stateOf(world).pipe(Effect.zipLeft(turn), Effect.repeat({ until: (now) => now === state }))

describe("Heartbeats", () => {
  it.scoped("late ones degrade a hive, and it gets no new work until it beats again", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      yield* (yield* world.job()).ended
      world.hive.beating = false
      yield* TestClock.adjust("4 seconds")
      expect(yield* stateOf(world)).toBe("degraded")
      const waits = yield* world.job()
      yield* waits.until(({ event, data }) => event === "state" && data["to"] === "placing")
      expect(waits.lines()).toEqual([])
      world.hive.beating = true
      yield* TestClock.adjust("1 second")
      expect((yield* waits.ended).event).toBe("done")
      expect(yield* stateOf(world)).toBe("healthy")
    })
  )

  it.scoped(
    "a hive that is silent for ten seconds is lost: a process that does not answer is killed, and woken again",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld()
        const { events, hive, job } = world
        hive.script = () => ({ holdAt: 2 })
        const reader = yield* job()
        yield* reader.until(({ event, data }) => event === "token" && data["i"] === 1)
        hive.freeze()
        hive.script = () => ({})
        yield* TestClock.adjust("11 seconds")
        yield* events.saw("hive localhost lost; moving 1 jobs")
        yield* TestClock.adjust("10 seconds")
        expect((yield* reader.ended).event).toBe("done")
        expect(reader.text()).toBe("hello world")
        expect(hive.kills).toBe(1)
      })
  )

  it.scoped("of an unknown hive are 404, of a process that is not claimed 409", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      expect(yield* Effect.flip(api.heartbeat({ ...hive.beat(), hive_id: HiveId.make("attic") }))).toMatchObject({
        code: "HIVE_NOT_FOUND"
      })
      yield* (yield* job()).ended
      expect(yield* Effect.flip(api.heartbeat({ ...hive.beat(), instance: "stranger" }))).toMatchObject({
        code: "CONFLICT"
      })
    })
  )

  it.scoped("a worker that two beats in a row do not name has left", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      yield* (yield* job()).ended
      expect(yield* api.listWorkers({})).toMatchObject([{ id: "w1", hive: "localhost", state: "idle", slots: 2 }])
      hive.workers.clear()
      yield* TestClock.adjust("1 second")
      expect(yield* api.listWorkers({})).toHaveLength(1)
      yield* TestClock.adjust("1 second")
      expect(yield* api.listWorkers({})).toHaveLength(0)
    })
  )
})

describe("A list of hives", () => {
  it.scoped("has what their beats told, and asks none of them", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      yield* (yield* job()).ended
      hive.models.add("HF:acme/tiny:Q8_0")
      yield* TestClock.adjust("1 second")
      yield* turn
      const before = hive.calls.length
      expect(yield* api.listHives({})).toMatchObject([{ id: "localhost", workers: 1, models: 2 }])
      expect(hive.calls.slice(before)).toEqual([])
    })
  )
})

describe("A hive that has other models than before", () => {
  it.scoped("is asked which, once", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* makeWorld()
      yield* (yield* job()).ended
      yield* TestClock.adjust("1 second")
      const asked = () => hive.calls.filter((call) => call === "listModels").length
      const before = asked()
      hive.models.add("HF:acme/tiny:Q8_0")
      for (let second = 0; second < 3; second++) yield* TestClock.adjust("1 second")
      yield* turn
      expect(asked()).toBe(before + 1)
    })
  )
})

describe("Capabilities", () => {
  it.scoped("hold for the same process and are asked again when they are old, with their line alone", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* makeWorld({
        settings: (settings) => ({ ...settings, queen: { ...settings.queen, capabilitiesMs: 60_000 } })
      })
      yield* (yield* job()).ended
      yield* TestClock.adjust("59 seconds")
      const fresh = yield* job()
      yield* fresh.ended
      expect(fresh.lines()[0]).toBe("queen: using registered capabilities of hive 'localhost'")
      yield* TestClock.adjust("2 seconds")
      const stale = yield* job()
      yield* stale.ended
      expect(stale.lines()[0]).toBe("queen: hive localhost has CPU; models: 1, workers: 1")
      expect(stale.lines().join()).not.toMatch(/heartbeat|registered/)
      expect(hive.calls.filter((call) => call === "devices")).toHaveLength(2)
    })
  )

  it.scoped("hold across queens, for a hive that lives on", () =>
    Effect.gen(function* () {
      const stores = makeStores()
      const first = yield* makeWorld({ stores })
      yield* (yield* first.job()).ended
      yield* first.queen.shutdown(false)
      yield* first.queen.ended
      const second = yield* makeWorld({ stores })
      const reader = yield* second.job()
      yield* reader.ended
      expect(reader.lines()).toEqual([
        "queen: using registered capabilities of hive 'localhost'",
        "queen: basic scheduler picked CPU on hive localhost",
        "queen: connection to worker established; starting inference",
        "queen: worker finished inference",
        "queen: keeping hive and worker warm"
      ])
      expect(stores.hive.calls.filter((call) => call === "devices")).toHaveLength(1)
    })
  )

  it.scoped("of another process of the hive are asked, with its first heartbeat", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      yield* (yield* job()).ended
      yield* api.stopHive({ id: HiveId.make("localhost") })
      const reader = yield* job()
      yield* reader.ended
      expect(reader.lines().slice(0, 3)).toEqual([
        "queen: waking the beehive at localhost:8600",
        "queen: first heartbeat from hive localhost; checking capabilities…",
        "queen: hive localhost has CPU; models: 1, workers: 0"
      ])
      expect(reader.lines()).toContain("queen: model minillama found in hive catalog")
      expect(hive.running).toBe(true)
    })
  )
})

describe("A hive by hand", () => {
  it.scoped("starts, and is there already when it is started again; stops, twice; and can be forgotten then", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const { api, events, hive } = world
      expect(yield* api.startHive({ id: HiveId.make("localhost") })).toMatchObject({
        id: "localhost",
        state: "healthy",
        workers: 0
      })
      expect(yield* api.startHive({ id: HiveId.make("localhost") })).toMatchObject({ state: "healthy" })
      yield* events.saw("hive localhost has CPU; models: 0, workers: 0")
      expect(events.lines()).toEqual([
        "queen: waking the beehive at localhost:8600",
        "queen: first heartbeat from hive localhost; checking capabilities…",
        "queen: hive localhost has CPU; models: 0, workers: 0"
      ])
      expect(yield* Effect.flip(api.removeHive({ id: HiveId.make("localhost") }))).toMatchObject({ code: "CONFLICT" })
      expect(yield* api.stopHive({ id: HiveId.make("localhost") })).toMatchObject({ state: "stopped" })
      expect(hive.running).toBe(false)
      expect(yield* api.stopHive({ id: HiveId.make("localhost") })).toMatchObject({ state: "stopped" })
      yield* api.removeHive({ id: HiveId.make("localhost") })
      expect(yield* api.listHives({})).toEqual([])
      expect(yield* Effect.flip(api.startHive({ id: HiveId.make("attic") }))).toMatchObject({ code: "HIVE_NOT_FOUND" })
      expect(yield* Effect.flip(api.stopHive({ id: HiveId.make("localhost") }))).toMatchObject({
        code: "HIVE_NOT_FOUND"
      })
    })
  )

  it.scoped("that registers itself is claimed where it says that it is", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      world.hive.running = true
      yield* world.api.addHive({ id: localHive, url: world.hive.url })
      expect(yield* becomes(world, "healthy")).toBe("healthy")
    })
  )

  it.scoped("of another version is refused with both versions and the way out, and can be stopped", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.wake()
      hive.version = "0.0.9"
      const refused = { code: "VERSION_MISMATCH", details: { hive: "0.0.9", queen: "test" } }
      expect(yield* Effect.flip(api.startHive({ id: HiveId.make("localhost") }))).toMatchObject(refused)
      const { data } = yield* (yield* job()).ended
      expect(data).toMatchObject({
        code: "VERSION_MISMATCH",
        message: "hive localhost runs rbee 0.0.9, this is rbee test. rbee hives stop localhost, then try again"
      })
      expect(yield* api.stopHive({ id: HiveId.make("localhost") })).toMatchObject({ state: "stopped" })
      expect(hive.running).toBe(false)
      hive.version = "test"
      expect((yield* (yield* job()).ended).event).toBe("done")
    })
  )

  it.scoped("that is stopped ends the jobs that run on it, and is woken again by the next one", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.script = () => ({ holdAt: 2 })
      const reader = yield* job()
      yield* reader.until(({ event }) => event === "token")
      hive.script = () => ({})
      yield* api.stopHive({ id: HiveId.make("localhost") })
      expect((yield* reader.ended).data).toMatchObject({ code: "SHUTTING_DOWN" })
      expect(hive.running).toBe(false)
      expect((yield* (yield* job()).ended).event).toBe("done")
    })
  )

  it.scoped("is not looked for at the address that it had, where another cluster's may listen by now", () =>
    Effect.gen(function* () {
      const { api, hive } = yield* makeWorld()
      hive.wake()
      yield* api.addHive({ id: localHive, url: hive.url })
      yield* api.stopHive({ id: localHive })
      hive.calls.length = 0
      Object.assign(hive, { running: true, isAnothers: true, wakes: false })
      // as its launcher says, and not that the key is wrong there
      const waking = yield* Effect.fork(Effect.flip(api.startHive({ id: localHive })))
      yield* TestClock.adjust("1 minute")
      expect(yield* waking).toMatchObject({ code: "CONNECTION_TIMEOUT" })
      expect(hive.calls).toEqual([])
    })
  )

  it.scoped("that is out of reach when it is stopped is not said to be gone, and ends when it is heard of again", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const { api, hive } = world
      yield* (yield* world.job()).ended
      hive.isCutOff = true
      for (const _ of ["once", "again"])
        expect(yield* Effect.flip(api.stopHive({ id: HiveId.make("localhost") }))).toMatchObject({
          code: "CONNECTION_TIMEOUT"
        })
      expect(hive.running).toBe(true)
      hive.isCutOff = false
      yield* TestClock.adjust("1 second")
      expect(yield* becomes(world, "stopped")).toBe("stopped")
      expect(hive.running).toBe(false)
      expect(yield* api.stopHive({ id: HiveId.make("localhost") })).toMatchObject({ state: "stopped" })
    })
  )

  it.scoped(
    "that was stopped is not looked for after its own late beats, and is taken in when another process beats",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld()
        const { api, hive } = world
        yield* (yield* world.job()).ended
        const late = hive.beat()
        yield* api.stopHive({ id: HiveId.make("localhost") })
        yield* Effect.flip(api.heartbeat(late))
        yield* turn
        expect(yield* stateOf(world)).toBe("stopped")
        hive.wake()
        expect(yield* Effect.flip(api.heartbeat({ ...late, instance: "slow to start" }))).toMatchObject({
          code: "CONFLICT"
        })
        expect(yield* becomes(world, "healthy")).toBe("healthy")
      })
  )

  it.scoped("that is ending already is waited for, and woken again for the next job", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* makeWorld()
      hive.running = true
      hive.ending = true
      const reader = yield* job()
      yield* reader.until(({ event, data }) => event === "state" && data["to"] === "placing")
      yield* TestClock.adjust("5 seconds")
      expect(reader.lines()).toEqual(["queen: no hives found; adding local machine"])
      hive.kill()
      yield* TestClock.adjust("1 second")
      expect((yield* reader.ended).event).toBe("done")
      expect(reader.lines()).toContain("queen: waking the beehive at localhost:8600")
    })
  )

  it.scoped("that ends by itself as a job asks it for room is waited for, and woken again", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      yield* api.startHive({ id: HiveId.make("localhost") })
      hive.ending = true
      const reader = yield* job()
      yield* reader.until(({ data }) => data["action"] === "capacity_ask")
      yield* TestClock.adjust("5 seconds")
      expect(reader.events.some(({ event }) => event === "error")).toBe(false)
      hive.kill()
      yield* TestClock.adjust("2 seconds")
      expect((yield* reader.ended).event).toBe("done")
      expect(reader.lines()).toContain("queen: waking the beehive at localhost:8600")
    })
  )

  it.scoped("a worker stops on request", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      yield* (yield* job()).ended
      yield* api.stopWorker({ id: WorkerId.make("w1") })
      expect(yield* api.listWorkers({})).toEqual([])
      expect(hive.workers.size).toBe(0)
      expect(yield* Effect.flip(api.stopWorker({ id: WorkerId.make("w1") }))).toMatchObject({
        code: "WORKER_NOT_FOUND"
      })
      expect(yield* api.listModels({})).toMatchObject([{ model_ref: "minillama", hive: "localhost" }])
    })
  )
})

describe("Hives of other machines", () => {
  it.scoped("are woken four at a time, and her own machine's hive does not wait for them", () =>
    Effect.gen(function* () {
      const stores = makeStores()
      const waking = new Map<string, Deferred.Deferred<never, RbeeError>>()
      let woken = 0
      stores.wakeFar = (id) => {
        const end = Deferred.unsafeMake<never, RbeeError>(noFiber)
        waking.set(id, end)
        woken++
        return Effect.ensuring(
          Deferred.await(end),
          Effect.sync(() => waking.delete(id))
        )
      }
      const names = Array.from({ length: 10 }, (_, i) => `far${i}`)
      for (const [i, id] of names.entries())
        stores.catalog.hives.set(id, {
          id: HiveId.make(id),
          addedAt: 0,
          ssh: { host: `${id}.example`, hive_port: 8600 + i }
        })
      const { api } = yield* makeWorld({ stores })
      yield* Effect.forEach(names, (id) => Effect.forkScoped(Effect.ignore(api.startHive({ id: HiveId.make(id) }))))
      yield* turn.pipe(Effect.repeat({ until: () => woken >= 4 }))
      expect(yield* api.startHive({ id: HiveId.make("localhost") })).toMatchObject({ state: "healthy" })
      expect(waking.size).toBe(4)
      const [first] = waking.values()
      if (first !== undefined) yield* Deferred.fail(first, rbeeError("CONNECTION_TIMEOUT", "it does not answer"))
      yield* turn.pipe(Effect.repeat({ until: () => woken >= 5 }))
      expect(waking.size).toBe(4)
    })
  )
})

describe("A hive that cannot be woken", () => {
  it.scoped(
    "is tried three times; then the jobs that wait for it fail with its reason, and a later one tries anew",
    () =>
      Effect.gen(function* () {
        const { hive, job } = yield* makeWorld()
        hive.wakes = false
        const reader = yield* job()
        yield* reader.saw("waking the beehive at localhost:8600")
        yield* TestClock.adjust("2 seconds")
        expect((yield* reader.ended).data).toMatchObject({ code: "CONNECTION_TIMEOUT" })
        hive.wakes = true
        const next = yield* job()
        expect((yield* next.ended).event).toBe("done")
      })
  )
})
