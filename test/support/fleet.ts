/** Small fleets for tests of the placement policy. */
import { Fleet } from "../../src/machines/policy/placement/fleet.ts"
import type { ResidentFacts } from "../../src/machines/policy/placement/fleet-facts.ts"
import type { PlacementRequest } from "../../src/machines/policy/placement/placement.ts"
import type { Candidate, Search } from "../../src/machines/policy/placement/search.ts"
import { WorkerId, HiveId, DeviceId, ModelRef } from "../../src/machines/vocabulary/ids.ts"

export const request = (change: Partial<PlacementRequest> = {}): PlacementRequest => ({
  model: ModelRef.make("minillama"),
  hive: undefined,
  device: undefined,
  allowCpu: true,
  context: undefined,
  alone: false,
  ...change
})

export const resident = (worker: string, change: Partial<ResidentFacts> = {}): ResidentFacts => ({
  worker: WorkerId.make(worker),
  isServing: true,
  hive: HiveId.make("box"),
  device: DeviceId.make("cpu"),
  model: ModelRef.make("minillama"),
  context: 512,
  slots: 4,
  free: 4,
  memoryMb: 100,
  isPinned: false,
  isClosing: false,
  readyAt: 0,
  ...change
})

/** Hives with GPUs of these sizes in MB, all of it free, and a CPU with 16 GB. */
export const fleetOf = (
  hives: Readonly<Record<string, ReadonlyArray<number>>>,
  residents: ReadonlyArray<ResidentFacts> = []
): Fleet => {
  const fleet = new Fleet()
  for (const [hive, sizes] of Object.entries(hives)) {
    const gpus = sizes.map((vram_mb, i) => ({
      id: DeviceId.make(`gpu${i}`),
      name: "GPU",
      backend: "cuda" as const,
      vram_mb,
      vram_free_mb: vram_mb
    }))
    fleet.setHive({
      hive: HiveId.make(hive),
      devices: { cpu: { cores: 4, ram_mb: 16_000, ram_free_mb: 16_000 }, gpus },
      beats: []
    })
  }
  for (const one of residents) fleet.setResident(one)
  return fleet
}

export const placeOf = ({ device: { device, hive } }: Candidate): string => `${hive}/${device}`

/** All candidates in the order in which they are asked, if each refuses without amounts. */
export const askedBy = (search: Search): ReadonlyArray<string> => {
  const asked: Array<string> = []
  for (let one = search.next(); one !== undefined; one = search.next()) {
    asked.push(placeOf(one))
    search.refused(one, "no", undefined)
  }
  return asked
}
