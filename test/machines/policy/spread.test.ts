import { describe, expect, it } from "vitest"
import { scaledOut, isWorthAnother } from "../../../src/machines/policy/placement/scale-out.ts"
import { Search } from "../../../src/machines/policy/placement/search.ts"
import { askedBy, fleetOf, resident, request } from "../../support/fleet.ts"
import { HiveId, DeviceId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const gpu0 = { device: DeviceId.make("gpu0"), memoryMb: 9000 } as const
const busy = resident("w1", { ...gpu0, free: 0 })
/** A model of 7 GB: an answer takes about 4 s on a GPU with 12 GB, a start 7.5 s. */
const fleetWith = (gpus: ReadonlyArray<number>, residents = [busy]) => {
  const fleet = fleetOf({ box: gpus }, residents)
  fleet.seen.setFiles(HiveId.make("box"), [{ model: ModelRef.make("minillama"), bytes: 7e9 }])
  return fleet
}
const worth = (fleet: ReturnType<typeof fleetWith>, ahead: number, waitedMs = 0, asked = request()) =>
  isWorthAnother(asked, fleet, ahead, waitedMs, 1e6)

describe("A job that finds all slots of its model taken", () => {
  it("waits where that is foreseen to be no longer than a start, and starts another worker where the line is long", () => {
    const fleet = fleetWith([12_000, 12_000])
    expect(worth(fleet, 0)).toBe(false)
    expect(worth(fleet, 40)).toBe(true)
  })

  it("does not wait much longer than a start takes, whatever was foreseen", () => {
    const fleet = fleetWith([12_000, 12_000])
    expect(worth(fleet, 0, 7000)).toBe(false)
    expect(worth(fleet, 0, 8000)).toBe(true)
  })

  it("waits where there is no other device, none with room, or none that it may use", () => {
    expect(worth(fleetWith([12_000]), 100, 1e6, request({ allowCpu: false }))).toBe(false)
    const other = resident("w2", { device: DeviceId.make("gpu1"), model: ModelRef.make("other"), memoryMb: 11_000 })
    const full = fleetWith([12_000, 12_000], [busy, other])
    full.setHive({
      hive: HiveId.make("box"),
      devices: {
        cpu: { cores: 4, ram_mb: 16_000, ram_free_mb: 16_000 },
        gpus: [12_000, 12_000].map((vram_mb, i) => ({
          id: DeviceId.make(`gpu${i}`),
          name: "GPU",
          backend: "cuda",
          vram_mb,
          vram_free_mb: vram_mb
        }))
      },
      beats: [{ id: DeviceId.make("gpu1"), state: "healthy", free_mb: 1000 }]
    })
    expect(worth(full, 100, 1e6, request({ allowCpu: false })), "nobody is unloaded for it").toBe(false)
    expect(worth(fleetWith([12_000, 12_000]), 100, 1e6, request({ device: DeviceId.make("gpu0") }))).toBe(false)
  })

  it("waits rather than taking a device that is slower than waiting is long", () => {
    // a minute longer on the CPU
    expect(worth(fleetWith([12_000]), 20)).toBe(false)
    expect(worth(fleetWith([12_000]), 0, 70_000)).toBe(true)
  })

  it("does not wait for one that is set up otherwise", () => {
    const other = resident("w2", { device: DeviceId.make("gpu0"), kv_type: "q8_0", memoryMb: 1000 })
    const own = { ...busy, kv_type: "f16" as const }
    const asked = { ...request(), setup: { kv_type: "f16" as const } }
    expect(worth(fleetWith([12_000, 12_000], [own, other]), 40, 0, asked)).toBe(true)
  })

  it("waits for a worker that is on its way", () => {
    const waking = resident("w2", { device: DeviceId.make("gpu1"), isServing: false, free: 0 })
    expect(worth(fleetWith([12_000, 12_000, 12_000], [busy, waking]), 100, 1e6)).toBe(false)
  })

  it("looks where the model is not, and says of the rest that it is there", () => {
    const search = new Search(fleetWith([12_000, 12_000]), scaledOut(request()), [], 1e6)
    expect(askedBy(search)).toEqual(["box/gpu1", "box/cpu"])
    expect(search.losers).toContainEqual({
      hive: "box",
      device: DeviceId.make("gpu0"),
      verdict: "the model is resident there already"
    })
  })
})
