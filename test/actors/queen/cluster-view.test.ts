/** What the queen believes of her workers: from beats, from their own streams, from those who called them. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { ClusterView } from "../../../src/actors/queen/cluster/cluster-view.ts"
import { notLost } from "../../../src/actors/queen/cluster/hive-entry.ts"
import type { WorkerBeat } from "../../../src/machines/vocabulary/worker.ts"
import { JobId, WorkerId, HiveId, DeviceId, cpuDevice, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const beatOf = (change: Partial<WorkerBeat> = {}): WorkerBeat => ({
  id: WorkerId.make("w1"),
  instance: "i1",
  state: "idle",
  load_progress: 1,
  url: "http://127.0.0.1:8601",
  device: DeviceId.make("cpu"),
  model: ModelRef.make("minillama"),
  context: 512,
  slots: 2,
  busy: 0,
  tokens_out: 0,
  restarts: 0,
  infers: [],
  ...change
})
const process = { url: "http://127.0.0.1:8600", instance: "x", version: "1", api: {} as never, lost: notLost() }
const heartbeat = { hive_id: HiveId.make("h"), instance: "x", seq: 1, version: "1", url: "u", devices: [], workers: [] }
const make = () => {
  const view = new ClusterView(() => 0)
  const hive = view.addHive(HiveId.make("h"))
  view.claim(HiveId.make("h"), process)
  hive.has({ cpu: { cores: 1, ram_mb: 1, ram_free_mb: 1 }, gpus: [], models: 0, workers: 0 }, 0)
  hive.enter("healthy")
  const beat = (...workers: ReadonlyArray<WorkerBeat>) => view.confirm({ ...heartbeat, workers })
  return { view, hive, beat }
}
const ready = { instance: "i1", url: "http://127.0.0.1:8601", backend: "CPU", context: 512, slots: 2 }
const at = { hive: HiveId.make("h"), worker: WorkerId.make("w1"), device: cpuDevice, model: ModelRef.make("minillama") }

describe("The cluster view", () => {
  it("gives out as many slots as a worker has, each job one, and takes them back", () => {
    const { view, beat } = make()
    beat(beatOf())
    expect(view.reserve(WorkerId.make("w1"), JobId.make("j1"), false)).toEqual({
      worker: "w1",
      instance: "i1",
      hive: HiveId.make("h"),
      device: cpuDevice
    })
    expect(view.reserve(WorkerId.make("w1"), JobId.make("j2"), true)).toBeUndefined()
    expect(view.reserve(WorkerId.make("w1"), JobId.make("j2"), false)).toBeDefined()
    expect(view.reserve(WorkerId.make("w1"), JobId.make("j3"), false)).toBeUndefined()
    expect(view.fleet.allResidents()).toMatchObject([{ worker: "w1", free: 0 }])
    expect(view.allWorkers()).toMatchObject([{ state: "busy", busy: 2 }])
    view.release(JobId.make("j1"))
    view.release(JobId.make("j2"))
    expect(view.reserve(WorkerId.make("w1"), JobId.make("j3"), true)).toBeDefined()
    expect(view.fleet.allResidents()).toMatchObject([{ free: 0 }])
    expect(view.leaseOf(JobId.make("j3"))?.worker).toBe("w1")
    expect(view.leaseOf(JobId.make("j1"))).toBeUndefined()
  })

  it("keeps its book over beats that are older than it", () => {
    const { view, beat } = make()
    beat(beatOf())
    view.reserve(WorkerId.make("w1"), JobId.make("j1"), false)
    beat(beatOf({ busy: 0 }))
    expect(view.fleet.allResidents()).toMatchObject([{ free: 1 }])
  })

  it("is known with its memory as soon as it is awake, before any beat", () => {
    const { view } = make()
    view.workerReady(at, { ...ready, memory_mb: 96 }, "5")
    expect(view.allWorkers()).toMatchObject([{ id: "w1", memory_mb: 96 }])
  })

  it("believes a worker's own stream before a beat that still says loading", () => {
    const { view, beat } = make()
    beat(beatOf({ state: "loading", slots: 0 }))
    expect(view.serves(WorkerId.make("w1"))).toBe(false)
    view.workerReady(at, ready, "5")
    expect(view.serves(WorkerId.make("w1"))).toBe(true)
    beat(beatOf({ state: "loading", slots: 0 }))
    expect(view.serves(WorkerId.make("w1"))).toBe(true)
    expect(view.heardOf(WorkerId.make("w1"))).toEqual({ instance: "i1", eventId: "5" })
  })

  it("does not let a beat under way bring back a life that was found dead", () => {
    const { view, beat } = make()
    beat(beatOf({ state: "busy" }))
    view.workerLost({ worker: WorkerId.make("w1"), instance: "i1" })
    beat(beatOf({ state: "busy" }))
    expect(view.serves(WorkerId.make("w1"))).toBe(false)
    beat(beatOf({ instance: "i2" }))
    expect(view.serves(WorkerId.make("w1"))).toBe(true)
    view.workerLost({ worker: WorkerId.make("w1"), instance: "i1" })
    expect(view.serves(WorkerId.make("w1"))).toBe(true)
  })

  it("takes it back when it only was out of reach", () => {
    const { view } = make()
    view.workerReady(at, ready, "5")
    view.workerLost({ worker: WorkerId.make("w1"), instance: "i1" })
    view.workerReady(at, ready, "5")
    expect(view.serves(WorkerId.make("w1"))).toBe(true)
  })

  it("tells those who sit on a worker when this life of it is over, however that shows", () => {
    for (const end of ["lost", "restarted", "degraded", "missed", "hive"] as const) {
      const { view, beat } = make()
      beat(beatOf())
      const lease = view.reserve(WorkerId.make("w1"), JobId.make("j1"), false)
      if (lease === undefined) throw new Error("no seat")
      let heard = 0
      view.onGone(lease, () => heard++)
      view.onGone(lease, () => expect.unreachable("it does not listen any more"))()
      if (end === "lost") view.workerLost(lease)
      if (end === "restarted") beat(beatOf({ instance: "i2" }))
      if (end === "degraded") beat(beatOf({ state: "degraded" }))
      if (end === "missed") for (let n = 0; n < 2; n++) beat()
      if (end === "hive") view.dropWorkers(HiveId.make("h"))
      expect(heard, end).toBe(1)
      view.onGone(lease, () => heard++)
      expect(heard, end).toBe(2)
      expect(view.leaseOf(JobId.make("j1")), end).toBeUndefined()
    }
  })

  it("counts who holds a slot, until it is given back or its worker is gone", () => {
    const { view, beat } = make()
    beat(beatOf())
    view.reserve(WorkerId.make("w1"), JobId.make("j1"), false)
    view.reserve(WorkerId.make("w1"), JobId.make("j2"), false)
    expect(view.holding).toBe(2)
    view.release(JobId.make("j1"))
    expect(view.holding).toBe(1)
    beat(beatOf({ instance: "i2" }))
    expect([view.holding, view.leaseOf(JobId.make("j2"))]).toEqual([0, undefined])
    expect(view.reserve(WorkerId.make("w1"), JobId.make("j3"), true)).toMatchObject({ instance: "i2" })
    view.release(JobId.make("j2"))
    expect(view.holding).toBe(1)
  })

  it("has no residents and no machines on a hive whose beats are late", () => {
    const { view, hive, beat } = make()
    beat(beatOf())
    expect(view.fleet.devices()).toHaveLength(1)
    hive.enter("degraded")
    view.hiveChanged(hive.id)
    expect(view.fleet.allResidents()).toEqual([])
    expect(view.fleet.devices()).toEqual([])
  })

  it("takes over the beats of the claimed process, and of no other, until that one stops", () => {
    const { view, hive, beat } = make()
    view.confirm({ ...heartbeat, instance: "another", workers: [beatOf()] })
    expect(view.allWorkers()).toEqual([])
    beat(beatOf())
    expect(view.allWorkers()).toHaveLength(1)
    hive.enter("stopping")
    beat(beatOf(), beatOf({ id: WorkerId.make("w2") }))
    expect(view.allWorkers()).toHaveLength(1)
  })

  it("counts a beat that overtook the answer to its claim from the claim on", () => {
    const view = new ClusterView(() => 0)
    const hive = view.addHive(HiveId.make("h"))
    hive.hear({ ...heartbeat, workers: [beatOf()] })
    view.claim(HiveId.make("h"), { ...process, instance: "another" })
    expect(view.allWorkers()).toEqual([])
    hive.hear({ ...heartbeat, workers: [beatOf()] })
    view.claim(HiveId.make("h"), process)
    expect(view.allWorkers()).toMatchObject([{ id: "w1", hive: HiveId.make("h") }])
  })

  it("keeps what must never be said of a hive from being said", () => {
    const hive = new ClusterView(() => 0).addHive(HiveId.make("h"))
    const devices = { cpu: { cores: 1, ram_mb: 1, ram_free_mb: 1 }, gpus: [], models: 0, workers: 0 }
    expect(() => hive.has(devices, 0)).toThrow(/is not claimed/)
    expect(() => hive.enter("healthy")).toThrow(/without a process/)
    expect(hive).toMatchObject({ state: "cold", devices: undefined })
  })

  it.effect("ends every call to a hive that is lost, and forgets what that one had", () =>
    Effect.gen(function* () {
      const { hive } = make()
      const lost = hive.claimed?.lost ?? notLost()
      hive.lose()
      expect(yield* Effect.flip(Deferred.await(lost))).toMatchObject({ code: "CONNECTION_TIMEOUT" })
      expect(hive).toMatchObject({ claimed: undefined, devices: undefined })
    })
  )
})
