/** What holds of every search for a place, in small clusters and in large ones, whatever is on them. */
import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { Fleet } from "../../../src/machines/policy/placement/fleet.ts"
import type { HiveFacts, ResidentFacts } from "../../../src/machines/policy/placement/fleet-facts.ts"
import type { PlacementRequest } from "../../../src/machines/policy/placement/placement.ts"
import { placeKey } from "../../../src/machines/policy/placement/place.ts"
import { mayGoAt } from "../../../src/machines/policy/placement/residency.ts"
import { type Candidate, Search } from "../../../src/machines/policy/placement/search.ts"
import { request as wishFor } from "../../support/fleet.ts"
import { WorkerId, HiveId, DeviceId, cpuDevice, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

interface World {
  readonly hives: ReadonlyArray<HiveFacts>
  readonly residents: ReadonlyArray<ResidentFacts>
  readonly files: ReadonlyArray<string>
  readonly request: PlacementRequest
  readonly needMb: number
  readonly now: number
}

const sizes = [4000, 8000, 12_000, 24_000] as const
const model = "wanted"

const worlds: FastCheck.Arbitrary<World> = FastCheck.record({
  // on both sides of the 64 devices that are all looked at
  gpus: FastCheck.array(FastCheck.array(FastCheck.constantFrom(...sizes), { minLength: 1, maxLength: 7 }), {
    minLength: 1,
    maxLength: 24,
    size: "max"
  }),
  workers: FastCheck.array(
    FastCheck.record({
      at: FastCheck.nat(400),
      share: FastCheck.constantFrom(0.5, 0.9, 0.98, 1),
      free: FastCheck.constantFrom(0, 0, 2, 4),
      isPinned: FastCheck.constantFrom(false, false, false, true),
      isServing: FastCheck.constantFrom(true, true, true, false),
      readyAt: FastCheck.nat(120_000)
    }),
    { minLength: 100, maxLength: 250, size: "max" }
  ),
  degraded: FastCheck.array(FastCheck.nat(400), { maxLength: 10 }),
  files: FastCheck.array(FastCheck.nat(23), { maxLength: 5 }),
  allowCpu: FastCheck.boolean(),
  mb: FastCheck.constantFrom(300, 3000, 7000, 23_000, 200_000),
  more: FastCheck.constantFrom(1, 1.2, 2)
}).map(({ allowCpu, degraded, files, gpus, mb, more, workers }) => {
  const places = gpus.flatMap((cards, h) => [
    ...cards.map((vramMb, i) => ({ hive: HiveId.make(`h${h}`), device: DeviceId.make(`gpu${i}`), mb: vramMb })),
    { hive: HiveId.make(`h${h}`), device: cpuDevice, mb: 16_000 }
  ])
  const left = new Map(places.map((place) => [placeKey(place), place.mb]))
  const residents = workers.flatMap(({ at, share, ...rest }, n): ReadonlyArray<ResidentFacts> => {
    // one for each device, then a few more here and there
    const place = places[(n < places.length ? n : at) % places.length]
    if (place === undefined) return []
    const room = left.get(placeKey(place)) ?? 0
    const memoryMb = Math.floor(room * share)
    if (memoryMb < 1) return []
    left.set(placeKey(place), room - memoryMb)
    const { device, hive } = place
    return [
      {
        worker: WorkerId.make(`w${n}`),
        hive,
        device: DeviceId.make(device),
        model: ModelRef.make(`m${n % 20}`),
        context: 512,
        slots: 4,
        memoryMb,
        isClosing: false,
        ...rest
      }
    ]
  })
  const out = new Set(
    degraded.map((at) => placeKey(places[at % places.length] ?? { hive: HiveId.make("none"), device: cpuDevice }))
  )
  return {
    hives: gpus.map((cards, h) => ({
      hive: HiveId.make(`h${h}`),
      devices: {
        cpu: { cores: 4, ram_mb: 16_000, ram_free_mb: 16_000 },
        gpus: cards.map((vram_mb, i) => ({
          id: DeviceId.make(`gpu${i}`),
          name: "GPU",
          backend: "cuda",
          vram_mb,
          vram_free_mb: vram_mb
        }))
      },
      beats: places
        .filter(({ hive }) => hive === `h${h}`)
        .map(({ device, hive }) => {
          const at = placeKey({ hive, device: DeviceId.make(device) })
          return { id: device, state: out.has(at) ? "degraded" : "healthy", free_mb: left.get(at) ?? 0 }
        })
    })),
    residents,
    files: [...new Set(files.map((h) => `h${h % gpus.length}`))],
    request: wishFor({ model: ModelRef.make(model), allowCpu }),
    needMb: (mb + 80) * more,
    now: 100_000
  }
})

const fleetOf = ({ files, hives, residents, needMb }: World): Fleet => {
  const fleet = new Fleet()
  for (const hive of hives) fleet.setHive(hive)
  for (const one of residents) fleet.setResident(one)
  for (const hive of files) fleet.seen.addFile(HiveId.make(hive), ModelRef.make(model), (needMb / 2 - 80) * 1e6)
  return fleet
}

/** Asks hive after hive, as the queen does. */
const ask = (world: World, fleet = fleetOf(world)) => {
  const search = new Search(fleet, world.request, [], world.now)
  const asked: Array<string> = []
  for (let one = search.next(); one !== undefined; one = search.next()) {
    const availableMb = one.evict.reduce((mb, { memoryMb }) => mb + memoryMb, one.device.freeMb)
    asked.push(`${placeKey(one.device)} ${one.evict.map(({ worker }) => worker).join()}`)
    if (availableMb >= world.needMb) return { search, asked, winner: one }
    search.refused(one, "full", { requiredMb: world.needMb, availableMb })
  }
  return { search, asked, winner: undefined }
}

const idle = (one: ResidentFacts, now: number) =>
  one.isServing && !one.isPinned && one.free === one.slots && mayGoAt(one) <= now

/** Room on every device by hand: at once, and with patience. */
const rooms = ({ hives, now, residents, request, needMb }: World) =>
  hives.flatMap(({ beats, hive }) =>
    beats.map(({ free_mb, id, state }) => {
      const here = residents.filter((one) => one.hive === hive && one.device === id)
      const sum = (list: ReadonlyArray<ResidentFacts>) => list.reduce((mb, one) => mb + one.memoryMb, free_mb)
      const isAllowed = state !== "degraded" && (id !== "cpu" || request.allowCpu)
      return {
        at: placeKey({ hive, device: DeviceId.make(id) }),
        isNow: isAllowed && sum(here.filter((one) => idle(one, now))) >= needMb,
        isLater: isAllowed && sum(here.filter((one) => !one.isPinned)) >= needMb
      }
    })
  )

const holds = (check: (world: World) => void): void =>
  FastCheck.assert(FastCheck.property(worlds, check), { numRuns: 150, seed: 4, endOnFailure: true })

describe("Every search for a place", () => {
  it("finds one exactly where there is one, and hopes exactly where waiting helps", () => {
    holds((world) => {
      const { search, winner } = ask(world)
      const all = rooms(world)
      expect(winner !== undefined).toBe(all.some(({ isNow }) => isNow))
      if (winner !== undefined) return
      expect(search.hopes.length > 0).toBe(all.some(({ isLater }) => isLater))
      for (const hope of search.hopes) expect(all.find(({ at }) => at === placeKey(hope))?.isLater).toBe(true)
    })
  })

  it("never over-books, and unloads nobody who is busy, pinned, on the way, or was only just loaded", () => {
    holds((world) => {
      const { winner } = ask(world)
      if (winner === undefined) return
      const freed = winner.evict.reduce((mb, { memoryMb }) => mb + memoryMb, 0)
      expect(winner.device.freeMb + freed).toBeGreaterThanOrEqual(world.needMb)
      for (const one of winner.evict) {
        expect(idle(one, world.now)).toBe(true)
        expect(placeKey(one)).toBe(winner.device.key)
        // and nobody without need
        expect(winner.device.freeMb + freed - one.memoryMb).toBeLessThan(world.needMb)
      }
    })
  })

  it("gives every device that lost a reason: the winner, the losers and the counted others are all there are", () => {
    holds((world) => {
      const { search, winner } = ask(world)
      const losers = [...search.losers, ...(winner === undefined ? [] : search.passedOver(winner))]
      const others = search.notLookedAt(winner)
      for (const { verdict } of [...losers, ...others]) expect(verdict).toMatch(/\w{3}/)
      const named = new Set(
        [...losers, ...(winner === undefined ? [] : [winner.device])].map(({ hive, device }) =>
          placeKey({ hive, device })
        )
      )
      const counted = others.reduce((sum, { count }) => sum + count, 0)
      expect(named.size + counted).toBe(world.hives.reduce((sum, { beats }) => sum + beats.length, 0))
      expect(new Set(others.map(({ verdict }) => verdict)).size).toBe(others.length)
    })
  })

  it("does the same again, in whatever order the cluster came together", () => {
    holds((world) => {
      const told = ({
        asked,
        search,
        winner
      }: {
        asked: ReadonlyArray<string>
        search: Search
        winner: Candidate | undefined
      }) => ({
        asked,
        losers: search.losers,
        hopes: search.hopes,
        seconds: winner?.seconds
      })
      const once = told(ask(world))
      expect(told(ask(world))).toEqual(once)
      const backwards = { ...world, hives: world.hives.toReversed(), residents: world.residents.toReversed() }
      expect(told(ask(backwards))).toEqual(once)
    })
  })

  it("does what it would in a cluster made anew, after workers, memory and time have come and gone", () => {
    const changes = FastCheck.array(FastCheck.record({ one: FastCheck.nat(300), free: FastCheck.nat(4) }), {
      maxLength: 40
    })
    FastCheck.assert(
      FastCheck.property(worlds, changes, (world, list) => {
        const fleet = fleetOf({ ...world, files: [] })
        for (const hive of world.files)
          fleet.seen.addFile(HiveId.make(hive), ModelRef.make(model), (world.needMb / 2 - 80) * 1e6)
        const residents = new Map(world.residents.map((one) => [one.worker, one]))
        const hives = new Map(world.hives.map((one) => [one.hive, one]))
        let now = 0
        for (const { free, one } of list) {
          // time passes, and is looked at
          now += 3000
          fleet.strongest("spare", () => 1, 1, now)
          const resident = world.residents[one % Math.max(1, world.residents.length)]
          if (resident === undefined) continue
          if (free === 0 && residents.delete(resident.worker)) {
            fleet.removeResident(resident.worker)
            const hive = hives.get(resident.hive)
            if (hive === undefined) continue
            const beats = hive.beats.map((beat) =>
              beat.id === resident.device ? { ...beat, free_mb: beat.free_mb + resident.memoryMb } : beat
            )
            hives.set(hive.hive, { ...hive, beats })
            fleet.setHive({ ...hive, beats })
          } else if (residents.has(resident.worker)) {
            const next = { ...resident, free }
            residents.set(next.worker, next)
            fleet.setResident(next)
          }
        }
        const after: World = { ...world, hives: [...hives.values()], residents: [...residents.values()], now: 130_000 }
        expect(ask(after, fleet).asked).toEqual(ask(after).asked)
      }),
      { numRuns: 150, seed: 5, endOnFailure: true }
    )
  })
})
