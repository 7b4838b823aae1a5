import { describe, expect, it } from "vitest"
import { decide, type MachineFacts, type ResidentFacts, type Wish } from "../../../src/machines/policy/placement.ts"

const wish = (change: Partial<Wish> = {}): Wish => ({
  model: "minillama",
  hive: undefined,
  device: undefined,
  allowCpu: true,
  context: undefined,
  alone: false,
  ...change
})
const gpu = (id: string, vram_mb: number, declared = false) =>
  ({ id, name: id, backend: "cuda", vram_mb, vram_free_mb: vram_mb, declared }) as const
const machine = (
  hive: string,
  gpus: MachineFacts["devices"]["gpus"],
  degraded: ReadonlyArray<string> = []
): MachineFacts => ({
  hive,
  devices: { cpu: { cores: 4, ram_mb: 16_000, ram_free_mb: 8000 }, gpus, models: 0, workers: 0 },
  degraded
})
const two = [machine("box", [gpu("gpu0", 12_000), gpu("gpu1", 24_000)])]
const resident = (worker: string, change: Partial<ResidentFacts> = {}): ResidentFacts => ({
  worker,
  hive: "box",
  device: "cpu",
  model: "minillama",
  context: 512,
  slots: 4,
  free: 4,
  ...change
})
const order = (...args: Parameters<typeof decide>) => {
  const decision = decide(...args)
  return decision.kind === "devices" ? decision.order.map(({ hive, device }) => `${hive}/${device}`) : decision.kind
}

describe("The basic scheduler", () => {
  it("takes the strongest GPU first and the CPU last", () => {
    expect(order(wish(), two, [], [])).toEqual(["box/gpu1", "box/gpu0", "box/cpu"])
    const more = [...two, machine("attic", [gpu("gpu0", 16_000)])]
    expect(order(wish(), more, [], [])).toEqual(["box/gpu1", "attic/gpu0", "box/gpu0", "attic/cpu", "box/cpu"])
  })

  it("leaves the CPU out where it is not allowed, unless it is asked for by name", () => {
    expect(order(wish({ allowCpu: false }), two, [], [])).toEqual(["box/gpu1", "box/gpu0"])
    expect(order(wish({ device: "cpu" }), two, [], [])).toEqual(["box/cpu"])
  })

  it("keeps to the hive and the device that are asked for, and says why the others lost", () => {
    expect(order(wish({ device: "gpu0" }), two, [], [])).toEqual(["box/gpu0"])
    expect(order(wish({ hive: "attic" }), two, [], [])).toEqual([])
    const decision = decide(wish({ device: "gpu0" }), two, [], [])
    expect(decision.losers).toEqual([
      { hive: "box", device: "gpu1", verdict: "another device is asked for (gpu0)" },
      { hive: "box", device: "cpu", verdict: "another device is asked for (gpu0)" }
    ])
  })

  it("passes over what is degraded and what failed for this job", () => {
    const decision = decide(
      wish(),
      [machine("box", two[0]?.devices.gpus ?? [], ["gpu1"])],
      [],
      [{ hive: "box", device: "gpu0" }]
    )
    expect(decision).toMatchObject({ kind: "devices", order: [{ device: "cpu" }] })
    expect(decision.losers.map(({ device, verdict }) => [device, verdict])).toEqual([
      ["gpu1", "the device is degraded and takes no new work"],
      ["gpu0", "failed for this job already"]
    ])
  })

  it("serves a device that stands in the configuration only with the CPU's runtime", () => {
    expect(decide(wish(), [machine("box", [gpu("gpu0", 1000, true)])], [], [])).toMatchObject({
      order: [{ device: "gpu0", backend: "cpu" }, { device: "cpu" }]
    })
  })

  it("prefers a resident worker to every device, and of those the one with most free slots", () => {
    const workers = [resident("w1", { free: 1 }), resident("w2", { free: 3 }), resident("w3", { model: "other" })]
    expect(decide(wish(), two, workers, [])).toEqual({
      kind: "resident",
      worker: "w2",
      losers: [{ hive: "box", device: "cpu", verdict: "worker w1: busier" }]
    })
  })

  it("waits for resident workers that are all busy", () => {
    expect(decide(wish(), two, [resident("w1", { free: 0 })], [])).toMatchObject({
      kind: "full",
      losers: [{ verdict: "worker w1: all slots busy" }]
    })
    expect(decide(wish({ alone: true }), two, [resident("w1", { free: 3 })], []).kind).toBe("full")
    expect(decide(wish({ alone: true }), two, [resident("w1")], []).kind).toBe("resident")
  })

  it("does not count residents that do not fit the wish", () => {
    const workers = [resident("w1"), resident("w2", { device: "gpu0", context: 256 })]
    expect(decide(wish({ device: "gpu0", context: 512 }), two, workers, []).kind).toBe("devices")
    expect(decide(wish({ allowCpu: false }), two, [resident("w1")], []).kind).toBe("devices")
  })
})
