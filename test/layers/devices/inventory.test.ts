import { describe, expect, it } from "vitest"
import { withInventory } from "../../../src/layers/devices/inventory.ts"
import { DeviceId, cpuDevice } from "../../../src/machines/vocabulary/ids.ts"

const machine = {
  cpu: { cores: 2, ramBytes: 8e9, ramFreeBytes: 6e9 },
  gpus: [
    {
      id: DeviceId.make("gpu0"),
      name: "RTX 3060",
      backend: "cuda",
      uuid: "GPU-1",
      vram_mb: 12_000,
      vram_free_mb: 11_000
    }
  ],
  driver: "550"
} as const

describe("the inventory of the configuration", () => {
  it("declares a GPU that is not there, and says that it is declared", () => {
    expect(withInventory(machine, [{ id: DeviceId.make("gpu1"), name: "RTX 3090", vram_mb: 24_000 }]).gpus).toEqual([
      machine.gpus[0],
      {
        id: DeviceId.make("gpu1"),
        name: "RTX 3090",
        backend: "cuda",
        vram_mb: 24_000,
        vram_free_mb: 24_000,
        declared: true
      }
    ])
  })

  it("leaves 4 GB of a GPU that is there to others, and does not take it for declared", () => {
    expect(withInventory(machine, [{ id: DeviceId.make("gpu0"), leave_mb: 4000, name: "other" }]).gpus).toEqual([
      { ...machine.gpus[0], leave_mb: 4000, vram_free_mb: 7000 }
    ])
  })

  it("caps what is used of a GPU and of the CPU", () => {
    const capped = withInventory(machine, [
      { id: DeviceId.make("gpu0"), vram_mb: 5000 },
      { id: cpuDevice, leave_mb: 7000 }
    ])
    expect(capped.gpus[0]).toMatchObject({ vram_mb: 12_000, leave_mb: 7000, vram_free_mb: 4000 })
    expect(capped.cpu).toEqual({ cores: 2, ramBytes: 1e9, ramFreeBytes: 0 })
  })

  it("declares nothing without an amount of memory", () => {
    expect(withInventory(machine, [{ id: DeviceId.make("gpu7"), name: "RTX 4090" }]).gpus).toEqual(machine.gpus)
  })
})
