/** What machines that sleep are judged by: how long they take to wake, and which of them is woken for a request. */
import { expect, it } from "vitest"
import { type Sleeper, stillAsleep, toWake } from "../../src/machines/policy/placement/sleepers.ts"
import type { PlacementRequest } from "../../src/machines/policy/placement/placement.ts"
import { usualMs, withWaking } from "../../src/machines/policy/wake-time.ts"
import { cpuDevice, gpuDevice, HiveId, ModelRef } from "../../src/machines/vocabulary/ids.ts"

it("what waking usually takes is the median of the last five times", () => {
  expect(usualMs([])).toBeUndefined()
  expect(usualMs([40_000])).toBe(40_000)
  expect(usualMs([40_000, 44_000])).toBe(42_000)
  // an update at one of its starts
  expect(usualMs([40_000, 300_000, 42_000])).toBe(42_000)
  expect([1, 2, 3, 4, 5, 6, 7].reduce<ReadonlyArray<number>>(withWaking, [])).toEqual([3, 4, 5, 6, 7])
})

const sleeper = (name: string, vramMb: number, usual?: number): Sleeper => ({
  hive: HiveId.make(name),
  usualMs: usual,
  devices: {
    cpu: { cores: 4, ram_mb: 4000, ram_free_mb: 100 },
    gpus: [{ id: gpuDevice(0), name: "card", backend: "cuda", vram_mb: vramMb, vram_free_mb: 0 }]
  }
})
const request = (more: Partial<PlacementRequest> = {}): PlacementRequest => ({
  model: ModelRef.make("m"),
  hive: undefined,
  device: undefined,
  allowCpu: true,
  context: undefined,
  alone: false,
  ...more
})
const woken = (sleepers: ReadonlyArray<Sleeper>, more: Partial<PlacementRequest>, bytes = 1e9) =>
  toWake(sleepers, request(more), bytes, [])?.hive

it("of those that could hold the model the one is woken that is up soonest", () => {
  const sleepers = [sleeper("unknown", 8000), sleeper("slow", 8000, 60_000), sleeper("quick", 2000, 20_000)]
  expect(woken(sleepers, {})).toBe("quick")
  expect(woken(sleepers, { allowCpu: false }, 4e9)).toBe("slow")
  expect(woken(sleepers, {}, 20e9)).toBeUndefined()
  expect(woken([sleeper("unknown", 8000), sleeper("another", 8000)], {})).toBe("another")
})

it("none is woken where it may not run, or failed already", () => {
  const sleepers = [sleeper("attic", 8000)]
  expect(woken(sleepers, { hive: HiveId.make("other") })).toBeUndefined()
  expect(woken(sleepers, { device: gpuDevice(1) })).toBeUndefined()
  const failed = [cpuDevice, gpuDevice(0)].map((device) => ({ hive: HiveId.make("attic"), device }))
  expect(toWake(sleepers, request(), 1e9, failed)).toBeUndefined()
})

it("one of which nothing is known is taken to have room", () => {
  expect(
    toWake([{ hive: HiveId.make("attic"), devices: undefined, usualMs: undefined }], request(), 1e12, [])?.hive
  ).toBe("attic")
})

it("who was not taken because it sleeps is told as such, each device of it", () => {
  expect(stillAsleep([sleeper("attic", 8000, 41_600)])).toEqual(
    [gpuDevice(0), cpuDevice].map((device) => ({
      hive: "attic",
      device,
      verdict: "its machine sleeps (usually up in 42 s), and those that are awake come first"
    }))
  )
})
