/** Whose turn it is among those that wait for room, and who is closed for it. */
import { describe, expect, it } from "vitest"
import { type CapacityWait, takeCapacityTurns } from "../../../src/machines/policy/placement/capacity-turns.ts"
import { Fleet } from "../../../src/machines/policy/placement/fleet.ts"
import type { ResidentFacts } from "../../../src/machines/policy/placement/fleet-facts.ts"
import { placeKey } from "../../../src/machines/policy/placement/place.ts"
import { mayGoAt, patienceOf } from "../../../src/machines/policy/placement/residency.ts"
import { DeviceId, HiveId, JobId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import { resident } from "../../support/fleet.ts"

const now = 1_000_000
const place = (device: string) => ({ hive: HiveId.make("box"), device: DeviceId.make(device) })
const [gpu0, gpu1] = [place("gpu0"), place("gpu1")]
const hope = (at: typeof gpu0, requiredMb = 5000) => ({ ...at, requiredMb })
const wait = (job: string, change: Partial<CapacityWait> = {}): CapacityWait => ({
  job: JobId.make(job),
  model: ModelRef.make("wanted"),
  since: now,
  hopes: [hope(gpu0)],
  ...change
})
const other = (worker: string, change: Partial<ResidentFacts> = {}): ResidentFacts =>
  resident(worker, { ...gpu0, model: ModelRef.make("other"), memoryMb: 9000, ...change })

/** Two GPUs with so much free, MB. */
const fleetWith = (free: readonly [number, number], residents: ReadonlyArray<ResidentFacts> = []): Fleet => {
  const fleet = new Fleet()
  const gpus = [0, 1].map((i) => ({
    ...{ id: DeviceId.make(`gpu${i}`), name: "GPU", backend: "cuda" as const },
    ...{ vram_mb: 10_000, vram_free_mb: 10_000 }
  }))
  fleet.setHive({
    hive: HiveId.make("box"),
    devices: { cpu: { cores: 4, ram_mb: 16_000, ram_free_mb: 16_000 }, gpus },
    beats: free.map((free_mb, i) => ({ id: `gpu${i}`, state: "healthy", free_mb }))
  })
  for (const one of residents) fleet.setResident(one)
  return fleet
}
const going = (waits: ReadonlyArray<CapacityWait>, fleet: Fleet) =>
  takeCapacityTurns(waits, fleet, now).go.map(({ job }) => job)

describe("Those that wait for room", () => {
  it("go the longest waiting first, one for each room", () => {
    const waits = [wait("job-1"), wait("job-2"), wait("job-3", { hopes: [hope(gpu1)] })]
    expect(going(waits, fleetWith([6000, 6000]))).toEqual(["job-1", "job-3"])
    expect(going(waits, fleetWith([6000, 0], [other("w", { ...gpu1, free: 0 })]))).toEqual(["job-1"])
  })

  it("go where there is just as much as is needed, and not where 1 MB is missing", () => {
    const busy = other("w", { free: 0 })
    expect(going([wait("job-1")], fleetWith([5000, 0], [busy]))).toEqual(["job-1"])
    expect(going([wait("job-1")], fleetWith([4999, 0], [busy]))).toEqual([])
  })

  it("take the room that costs the least to make, whichever they named first", () => {
    const waits = [wait("job-1", { hopes: [hope(gpu0), hope(gpu1)] }), wait("job-2")]
    // the first goes to the free one, so that the idle worker of the other makes room for the second
    expect(going(waits, fleetWith([0, 6000], [other("w")]))).toEqual(["job-1", "job-2"])
  })

  it("go to a place that they did not hope for, which nobody before them has taken", () => {
    const asked: Array<ReadonlyArray<string>> = []
    const elsewhere: CapacityWait["elsewhere"] = (_, taken) => {
      asked.push([...taken])
      return taken.has(placeKey(gpu1)) ? undefined : gpu1
    }
    const fleet = fleetWith([0, 10_000], [other("w", { free: 0 })])
    expect(going([wait("job-1", { elsewhere }), wait("job-2", { elsewhere })], fleet)).toEqual(["job-1"])
    expect(asked).toEqual([[], [placeKey(gpu1)]])
  })

  it("look again where nothing can be hoped for any more, and where their device has gone", () => {
    expect(going([wait("job-1")], fleetWith([0, 0], [other("w", { isPinned: true })]))).toEqual(["job-1"])
    expect(going([wait("job-1", { hopes: [hope(place("gpu7"))] })], fleetWith([0, 0]))).toEqual(["job-1"])
    expect(going([wait("job-1", { hopes: [] })], fleetWith([0, 0]))).toEqual([])
  })

  it("are looked at again when the first of what they wait for comes true, and no time that has passed is named", () => {
    const [young, old] = [other("young", { readyAt: now - 1, free: 0 }), other("old", { ...gpu1, free: 0 })]
    const fleet = fleetWith([0, 0], [young, old])
    const ofYoung = wait("job-1")
    const ofOld = wait("job-2", { hopes: [hope(gpu1)], since: now - patienceOf(5000) + 7 })
    expect(takeCapacityTurns([ofYoung], fleet, now).at).toBe(Math.min(mayGoAt(young), now + patienceOf(5000)))
    expect(takeCapacityTurns([ofYoung, ofOld], fleet, now).at).toBe(now + 7)
    expect(takeCapacityTurns([ofOld, ofYoung], fleet, now).at).toBe(now + 7)
    expect(takeCapacityTurns([wait("job-3", { hopes: [hope(gpu1)], since: 0 })], fleet, now).at).toBeUndefined()
  })

  it("have the workers closed that hold their room, once their patience is spent and those had their time", () => {
    const closed = (since: number, change: Partial<ResidentFacts> = {}) => [
      ...takeCapacityTurns([wait("job-1", { since })], fleetWith([0, 0], [other("w", { free: 0, ...change })]), now)
        .close
    ]
    expect(closed(now - patienceOf(5000))).toEqual(["w"])
    expect(closed(now - patienceOf(5000) + 1)).toEqual([])
    expect(closed(0, { readyAt: now - 1 }), "it was only just loaded").toEqual([])
    expect(closed(0, { isServing: false }), "it is not there yet").toEqual([])
  })

  it("have a worker of their own model closed at once where it is too small, and replace it when it is free", () => {
    const own = { model: ModelRef.make("wanted") }
    const small = (free: number) =>
      takeCapacityTurns([wait("job-1")], fleetWith([0, 0], [other("w", { ...own, free })]), now)
    expect([...small(0).close]).toEqual(["w"])
    expect(small(4)).toMatchObject({ go: [{ job: "job-1", replaces: ["w"] }] })
    expect(takeCapacityTurns([wait("job-1")], fleetWith([0, 0], [other("w")]), now).go).toEqual([
      { job: "job-1", replaces: [] }
    ])
  })
})
