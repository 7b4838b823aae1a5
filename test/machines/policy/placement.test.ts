import { describe, expect, it } from "vitest"
import { type Fleet } from "../../../src/machines/policy/placement/fleet.ts"
import { decide, type PlacementRequest, type ResidentFacts } from "../../../src/machines/policy/placement/placement.ts"
import { Search } from "../../../src/machines/policy/placement/search.ts"
import { askedBy, fleetOf, placeOf, resident, request } from "../../support/fleet.ts"
import { HiveId, DeviceId, cpuDevice, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const setUp = { slots: 2, free: 2, kv_type: "q8_0" as const }
const chosen = (asked: PlacementRequest["setup"], worker: Partial<ResidentFacts> = setUp) => {
  const decision = decide(
    { ...request(), ...(asked === undefined ? {} : { setup: asked }) },
    fleetOf(two, [resident("w1", worker)])
  )
  return decision.kind
}

const order = (asked: PlacementRequest, fleet: Fleet, excluded: ConstructorParameters<typeof Search>[2] = []) =>
  askedBy(new Search(fleet, asked, excluded, 0))
const two = { box: [12_000, 24_000] }

describe("The scheduler's search for a device", () => {
  it("takes the strongest GPU first and the CPU last", () => {
    expect(order(request(), fleetOf(two))).toEqual(["box/gpu1", "box/gpu0", "box/cpu"])
    expect(order(request(), fleetOf({ ...two, attic: [16_000] }))).toEqual([
      "box/gpu1",
      "attic/gpu0",
      "box/gpu0",
      "attic/cpu",
      "box/cpu"
    ])
  })

  it("leaves the CPU out where it is not allowed, unless it is asked for by name", () => {
    expect(order(request({ allowCpu: false }), fleetOf(two))).toEqual(["box/gpu1", "box/gpu0"])
    expect(order(request({ device: DeviceId.make("cpu"), allowCpu: false }), fleetOf(two))).toEqual(["box/cpu"])
  })

  it("keeps to the hive and the device that are asked for, and says why the others lost", () => {
    const search = new Search(fleetOf(two), request({ device: DeviceId.make("gpu0") }), [], 0)
    expect(askedBy(search)).toEqual(["box/gpu0"])
    expect(search.losers).toEqual([
      { hive: "box", device: DeviceId.make("gpu1"), verdict: "another device is asked for (gpu0)" },
      { hive: "box", device: cpuDevice, verdict: "another device is asked for (gpu0)" },
      { hive: "box", device: DeviceId.make("gpu0"), verdict: "no" }
    ])
    expect(order(request({ hive: HiveId.make("attic") }), fleetOf(two))).toEqual([])
  })

  it("passes over what is degraded and what failed for this job", () => {
    const fleet = fleetOf(two)
    const gpus = [12_000, 24_000].map((vram_mb, i) => ({
      id: DeviceId.make(`gpu${i}`),
      name: "GPU",
      backend: "cuda" as const,
      vram_mb,
      vram_free_mb: vram_mb
    }))
    fleet.setHive({
      hive: HiveId.make("box"),
      devices: { cpu: { cores: 4, ram_mb: 16_000, ram_free_mb: 8000 }, gpus },
      beats: [{ id: DeviceId.make("gpu1"), state: "degraded", free_mb: 24_000 }]
    })
    const search = new Search(fleet, request(), [{ hive: HiveId.make("box"), device: DeviceId.make("gpu0") }], 0)
    expect(askedBy(search)).toEqual(["box/cpu"])
    expect(search.losers.slice(0, 2)).toEqual([
      { hive: "box", device: DeviceId.make("gpu1"), verdict: "the device is degraded and takes no new work" },
      { hive: "box", device: DeviceId.make("gpu0"), verdict: "failed for this job already" }
    ])
  })

  it("prefers a hive that has the file to one that has not, all else equal, and says so", () => {
    const fleet = fleetOf({ attic: [24_000], box: [24_000] })
    fleet.seen.setFiles(HiveId.make("box"), [{ model: ModelRef.make("minillama"), bytes: 4e9 }])
    const search = new Search(fleet, request(), [], 0)
    const first = search.next()
    expect(first === undefined ? undefined : placeOf(first)).toBe("box/gpu0")
    expect(first === undefined ? [] : search.passedOver(first)).toContainEqual({
      hive: "attic",
      device: DeviceId.make("gpu0"),
      verdict: expect.stringContaining("has to be fetched")
    })
  })

  it("prefers an idle device to one that decodes for others, all else equal", () => {
    const busy = resident("w1", { device: DeviceId.make("gpu0"), model: ModelRef.make("other"), free: 0 })
    expect(order(request(), fleetOf({ box: [24_000, 24_000] }, [busy]))).toEqual(["box/gpu1", "box/gpu0", "box/cpu"])
  })

  it("goes by what a device was seen to do for the model, where that is known", () => {
    const fleet = fleetOf({ box: [24_000, 24_000] })
    fleet.observe({ hive: HiveId.make("box"), device: DeviceId.make("gpu1") }, ModelRef.make("minillama"), 50)
    fleet.observe({ hive: HiveId.make("box"), device: DeviceId.make("gpu0") }, ModelRef.make("minillama"), 5)
    expect(order(request(), fleet)[0]).toBe("box/gpu1")
  })

  it("takes the stronger of two that are as fast, and of two that are alike the first by name", () => {
    const fleet = fleetOf({ box: [12_000, 24_000, 24_000], attic: [24_000] })
    for (const device of ["gpu0", "gpu1", "gpu2"].map((id) => DeviceId.make(id)))
      fleet.observe({ hive: HiveId.make("box"), device }, ModelRef.make("minillama"), 20)
    fleet.observe({ hive: HiveId.make("attic"), device: DeviceId.make("gpu0") }, ModelRef.make("minillama"), 20)
    const gpus = request({ allowCpu: false })
    expect(order(gpus, fleet)).toEqual(["attic/gpu0", "box/gpu1", "box/gpu2", "box/gpu0"])
  })

  it("looks at every device that was asked for by its name, however many there are", () => {
    const fleet = fleetOf({ attic: [24_000, 8000], box: [24_000, 8000], cellar: [24_000, 8000] })
    const search = new Search(fleet, request({ device: DeviceId.make("gpu1") }), [], 0, 1)
    expect(askedBy(search)).toEqual(["attic/gpu1", "box/gpu1", "cellar/gpu1"])
  })

  it("takes a device that was slow for a sign of the model, where no other has served it yet", () => {
    const fleet = fleetOf({ attic: [24_000], box: [24_000] })
    fleet.seen.setFiles(HiveId.make("box"), [{ model: ModelRef.make("minillama"), bytes: 4e9 }])
    fleet.observe({ hive: HiveId.make("box"), device: DeviceId.make("gpu0") }, ModelRef.make("minillama"), 5)
    expect(order(request(), fleet)[0], "the file is there, all else equal").toBe("box/gpu0")
  })

  it("offers a device again with idle workers unloaded where that costs less than a slower one, and not where it does not", () => {
    const full = { requiredMb: 8000, availableMb: 1000 }
    const idle = resident("w1", { device: DeviceId.make("gpu0"), model: ModelRef.make("other"), memoryMb: 9000 })
    const ask = (bytes: number) => {
      const fleet = fleetOf({ box: [24_000] }, [idle])
      fleet.seen.setFiles(HiveId.make("box"), [{ model: ModelRef.make("minillama"), bytes }])
      const search = new Search(fleet, request(), [], 1e6)
      const first = search.next()
      if (first !== undefined) search.refused(first, "full", full)
      const next = search.next()
      return next === undefined ? undefined : [placeOf(next), next.evict.map(({ worker }) => worker)]
    }
    expect(ask(7e9), "a large model is slow on the CPU").toEqual(["box/gpu0", ["w1"]])
    expect(ask(3e6), "a tiny one is not").toEqual(["box/cpu", []])
  })

  it("believes a hive that says that all of its workers together would do, whatever older beats told of them", () => {
    const ask = (mostMb: number | undefined) => {
      const stale = resident("w1", { device: DeviceId.make("gpu0"), model: ModelRef.make("other"), memoryMb: 120 })
      const search = new Search(fleetOf({ box: [180] }, [stale]), request({ allowCpu: false }), [], 1e6)
      const first = search.next()
      if (first !== undefined) search.refused(first, "full", { requiredMb: 162, availableMb: 34, mostMb })
      return search.next()?.evict.map(({ worker }) => worker)
    }
    expect(ask(162)).toEqual(["w1"])
    expect(ask(161), "too little, all the same").toBeUndefined()
    expect(ask(undefined), "an older hive does not say").toBeUndefined()
  })

  it("hopes for a device that would do by its hive's word, where no worker is known yet that could go", () => {
    const ask = (mostMb: number) => {
      const search = new Search(fleetOf({ box: [180] }), request({ allowCpu: false }), [], 1e6)
      const first = search.next()
      if (first !== undefined) search.refused(first, "full", { requiredMb: 162, availableMb: 0, mostMb })
      return { again: search.next(), hopes: search.hopes }
    }
    expect(ask(162)).toEqual({
      again: undefined,
      hopes: [{ hive: "box", device: DeviceId.make("gpu0"), requiredMb: 162 }]
    })
    expect(ask(161)).toEqual({ again: undefined, hopes: [] })
  })

  it("hopes for a device whose workers are busy or just loaded, and for no device that is too small or pinned", () => {
    const fleet = fleetOf({ box: [24_000, 12_000, 8000] }, [
      resident("busy", { device: DeviceId.make("gpu0"), model: ModelRef.make("a"), memoryMb: 20_000, free: 0 }),
      resident("pinned", { device: DeviceId.make("gpu1"), model: ModelRef.make("b"), memoryMb: 11_000, isPinned: true })
    ])
    const search = new Search(fleet, request({ allowCpu: false }), [], 1e6)
    for (let one = search.next(); one !== undefined; one = search.next())
      search.refused(one, "full", { requiredMb: 10_000, availableMb: 500 })
    expect(search.hopes).toEqual([{ hive: "box", device: DeviceId.make("gpu0"), requiredMb: 10_000 }])
  })
})

describe("The scheduler's choice among resident workers", () => {
  it("is the one that will be done first, and it says why the others lost", () => {
    const workers = [
      resident("w1", { free: 1 }),
      resident("w2", { free: 3 }),
      resident("w3", { model: ModelRef.make("other") })
    ]
    const decision = decide(request(), fleetOf(two, workers))
    expect(decision).toMatchObject({ kind: "resident", worker: "w2" })
    expect(decision.kind === "resident" ? decision.losers : []).toEqual([
      { hive: "box", device: cpuDevice, verdict: expect.stringMatching(/^worker w1: .* s expected against .*busier$/) }
    ])
  })

  it("balances a model that is resident twice", () => {
    const fleet = fleetOf({ box: [24_000, 24_000] })
    const free = { gpu0: 4, gpu1: 4 }
    const taken: Array<string> = []
    for (let i = 0; i < 8; i++) {
      for (const device of ["gpu0", "gpu1"] as const)
        fleet.setResident(resident(device, { device: DeviceId.make(device), free: free[device] }))
      const decision = decide(request(), fleet)
      if (decision.kind !== "resident") continue
      taken.push(decision.worker)
      free[decision.worker as "gpu0" | "gpu1"]--
    }
    expect(taken).toEqual(["gpu0", "gpu1", "gpu0", "gpu1", "gpu0", "gpu1", "gpu0", "gpu1"])
  })

  it("waits for resident workers that are all busy, or that make room", () => {
    expect(decide(request(), fleetOf(two, [resident("w1", { free: 0 })]))).toMatchObject({
      kind: "full",
      losers: [{ verdict: "worker w1: all slots busy" }]
    })
    expect(decide(request({ alone: true }), fleetOf(two, [resident("w1", { free: 3 })])).kind).toBe("full")
    expect(decide(request({ alone: true }), fleetOf(two, [resident("w1")])).kind).toBe("resident")
    expect(decide(request(), fleetOf(two, [resident("w1", { isClosing: true })])).kind).toBe("full")
  })

  it("does not count residents that do not fit the request", () => {
    const workers = [resident("w1"), resident("w2", { device: DeviceId.make("gpu0"), context: 256 })]
    expect(decide(request({ device: DeviceId.make("gpu0"), context: 512 }), fleetOf(two, workers)).kind).toBe("devices")
    expect(decide(request({ allowCpu: false }), fleetOf(two, [resident("w1")])).kind).toBe("devices")
  })
})

describe("A worker that is set up in some way", () => {
  it("serves who asks for that, and who leaves it open", () => {
    for (const asked of [
      undefined,
      {},
      { slots: 2 },
      { kv_type: "q8_0" as const },
      { slots: 2, kv_type: "q8_0" as const }
    ])
      expect(chosen(asked), JSON.stringify(asked)).toBe("resident")
    for (const asked of [
      { slots: 1 },
      { slots: 3 },
      { kv_type: "f16" as const },
      { slots: 2, kv_type: "f16" as const }
    ])
      expect(chosen(asked), JSON.stringify(asked)).toBe("devices")
  })

  it("serves who asks for what it was asked for, where its device or its model did not let it be so", () => {
    const lesser = { slots: 2, free: 2, kv_type: "f16" as const, asked: { slots: 4, kv_type: "q8_0" as const } }
    expect(chosen({ slots: 4, kv_type: "q8_0" }, lesser)).toBe("resident")
    expect(chosen({ slots: 2, kv_type: "f16" }, lesser)).toBe("resident")
    expect(chosen({ slots: 8 }, lesser)).toBe("devices")
    // of a hive that does not say
    expect(chosen({ kv_type: "f16" }, { slots: 2, free: 2 })).toBe("devices")
  })
})
