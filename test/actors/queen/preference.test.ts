/** Where a job would rather run. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ClusterView } from "../../../src/actors/queen/cluster/cluster-view.ts"
import { OutOfReach, preferring } from "../../../src/actors/queen/jobs/preference.ts"
import type { JobLog } from "../../../src/actors/queen/log/job-log.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import type { Placed, PlaceInput } from "../../../src/machines/job.ts"
import type { PlacementRequest } from "../../../src/machines/policy/placement/placement.ts"
import { DeviceId, HiveId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import type { CheckedRequest } from "../../../src/machines/vocabulary/job.ts"
import { fleetOf, resident } from "../../support/fleet.ts"

const attic = HiveId.make("attic")
const gpu1 = DeviceId.make("gpu1")
const model = ModelRef.make("minillama")
const input: PlaceInput = { excluded: [], fallen: undefined, failover: undefined, alone: false, needs: undefined }
const free = { kind: "fresh", place: { hive: HiveId.make("box"), device: gpu1 }, placement: {} } as never as Placed

/** `refuses`: what is said of the place that is preferred */
const stage = (request: Partial<CheckedRequest>, refuses?: string, fleet = fleetOf({})) => {
  const lines: Array<string> = []
  const asked: Array<PlacementRequest> = []
  let now = 0
  const view = new ClusterView(() => now)
  Object.assign(view, { fleet })
  const log = {
    request: { model, ...request },
    narrate: (line: { readonly human: string }) => void lines.push(line.human)
  } as never as JobLog
  const place = (there: PlacementRequest) => () => {
    asked.push(there)
    return refuses === undefined ? Effect.succeed(free) : rbeeError("VRAM_EXHAUSTED", refuses)
  }
  const outOfReach = new OutOfReach(view)
  const job = () => preferring({ view, outOfReach, place }, log)
  return { asked, job, lines, view, later: (ms: number) => (now += ms) }
}
const elsewhere = Effect.succeed<Placed>({ kind: "full" })

describe("A job that would rather run somewhere", () => {
  it.effect("runs there, and waits for nobody to go", () =>
    Effect.gen(function* () {
      const { asked, job, lines } = stage({ prefer: { hive: attic, device: gpu1 } })
      expect(yield* job().find(input, Effect.dieMessage("not looked for"))).toBe(free)
      expect(asked).toMatchObject([{ hive: "attic", device: "gpu1", isPreferred: true }])
      expect(lines).toEqual([])
    })
  )

  it.effect("gives way with the reason, once, and runs where there is room", () =>
    Effect.gen(function* () {
      const { job, lines } = stage({ prefer: { hive: attic, device: gpu1 } }, "it needs 9 MB")
      const own = job()
      expect(yield* own.find(input, Effect.dieMessage("later"))).toEqual({ kind: "full" })
      expect(own.now()).toBeUndefined()
      expect(yield* own.find(input, Effect.succeed(free))).toBe(free)
      expect(lines).toEqual(["GPU1 of hive attic is preferred, but it needs 9 MB; looking elsewhere"])
    })
  )

  it.effect("does not do so where the request says itself where", () =>
    Effect.gen(function* () {
      const { asked, job } = stage({ prefer: { hive: attic }, device: gpu1 }, "no")
      expect(yield* job().find(input, Effect.succeed(free))).toBe(free)
      expect(asked).toEqual([])
    })
  )

  it.effect("does not wait each time for a hive that could not be woken a moment ago", () =>
    Effect.gen(function* () {
      const { asked, job, later, lines, view } = stage({ prefer: { hive: attic } }, "it is off")
      view.addHive(attic).enter("failed")
      yield* job().find(input, elsewhere)
      yield* job().find(input, elsewhere)
      expect(asked).toHaveLength(1)
      expect(lines.at(-1)).toBe("hive attic is preferred, but it could not be reached a moment ago; looking elsewhere")
      later(61_000)
      yield* job().find(input, elsewhere)
      expect(asked).toHaveLength(2)
    })
  )

  it("takes a free slot elsewhere where it would have to wait for one", () => {
    const busy = resident("w1", { hive: attic, device: gpu1, free: 0 })
    const other = resident("w2", { hive: HiveId.make("box"), device: gpu1, free: 1 })
    const fleet = (all: ReadonlyArray<typeof busy>) => fleetOf({ attic: [8000, 8000], box: [8000, 8000] }, all)
    const waits = stage({ prefer: { hive: attic } }, undefined, fleet([busy])).job()
    waits.admit(input)
    expect(waits.now()).toEqual({ hive: attic })
    const goes = stage({ prefer: { hive: attic } }, undefined, fleet([busy, other]))
    const job = goes.job()
    job.admit(input)
    expect(job.now()).toBeUndefined()
    expect(goes.lines).toEqual(["hive attic is preferred, but all slots there are busy; looking elsewhere"])
  })
})
