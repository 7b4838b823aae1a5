import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describe } from "vitest"
import { Ledger } from "../../../src/actors/hive/devices/ledger.ts"
import { Devices, noRoom } from "../../../src/actors/hive/devices/devices.ts"
import type { Machine } from "../../../src/layers/devices/index.ts"
import { DeviceId } from "../../../src/machines/vocabulary/ids.ts"

const cpu: Machine["cpu"] = { cores: 4, ramBytes: 16e9, ramFreeBytes: 16e9 }
const leases = { all: Effect.succeed([]), put: () => Effect.void, remove: () => Effect.void }

describe("The devices of a hive", () => {
  it.effect("are looked at anew once a worker took its memory: an older figure does not show it", () =>
    Effect.gen(function* () {
      let freeMb = 10_300
      const look = Effect.sync((): Machine => ({
        cpu,
        driver: undefined,
        gpus: [{ id: DeviceId.make("gpu0"), name: "RTX 3060", backend: "cuda", vram_mb: 10_300, vram_free_mb: freeMb }]
      }))
      const devices = new Devices(new Ledger(leases), { look, ram: Effect.succeed(cpu) }, yield* look, 0)
      const room = Effect.map(devices.device(DeviceId.make("gpu0")), ({ supply }) => devices.ledger.available(supply))
      const { supply } = yield* devices.device(DeviceId.make("gpu0"))
      yield* devices.ledger.book("w1", "w1", supply, () => ({ bytes: 4e9 }))
      // it loads, and so does somebody else's program
      freeMb -= 4000 + 3000
      expect(yield* room).toBe(6_000e6)
      yield* devices.settle("w1", 0, undefined)
      expect(yield* room).toBe(3_000e6)
    })
  )
})

describe("What a device could give if others went", () => {
  it.each([
    [161.2e6, 161.9e6, true],
    [161.9e6, 161.9e6, true],
    [161.9e6, 161.8e6, false],
    [161.2e6, 161.1e6, false]
  ])("is told on the same side of what is needed as it is in bytes: %d of %d", (needed, bytes, wouldDo) => {
    const { details } = noRoom(DeviceId.make("gpu0"), needed, 0, { bytes, context: 512 })
    expect(Number(details["most_mb"]) >= Number(details["required_mb"])).toBe(wouldDo)
  })
})
