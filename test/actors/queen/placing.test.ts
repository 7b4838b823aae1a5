/** A job's way to its place: which hives are woken and asked, what it hears, and why there is none. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ClusterView } from "../../../src/actors/queen/cluster/cluster-view.ts"
import { notLost } from "../../../src/actors/queen/cluster/hive-entry.ts"
import { noPlace } from "../../../src/actors/queen/placement/no-place.ts"
import { place, type PlacingPorts } from "../../../src/actors/queen/placement/placing.ts"
import { type ErrorCode, rbeeError, type RbeeError } from "../../../src/machines/errors.ts"
import type { PlaceInput } from "../../../src/machines/job.ts"
import type { Lifecycle } from "../../../src/machines/vocabulary/common.ts"
import { cpuDevice, DeviceId, HiveId, JobId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import { request } from "../../support/fleet.ts"

const [local, far] = [HiveId.make("localhost"), HiveId.make("far")]
const model = ModelRef.make("minillama")
const gpu0 = DeviceId.make("gpu0")
const refused = (code: ErrorCode, details: Readonly<Record<string, unknown>> = {}) => rbeeError(code, "no", "", details)

/** Hives of these states, each with a GPU; `capacity` is what they say to the question for room. */
const stage = (
  states: Readonly<Record<string, Lifecycle>>,
  capacity: (hive: string, device: string) => RbeeError | undefined = () => undefined
) => {
  const asked: Array<string> = []
  const did: Array<string> = []
  const lines: Array<string> = []
  const view = new ClusterView(() => 0)
  const add = (id: HiveId, state: Lifecycle): void => {
    const hive = view.addHive(id)
    const answer = ({ device }: { readonly device: string }) =>
      Effect.suspend(() => {
        asked.push(`${id}/${device}`)
        return capacity(id, device) ?? Effect.void
      })
    const api = { capacity: answer } as never
    view.claim(id, { url: "http://127.0.0.1:1", instance: "x", version: "1", api, lost: notLost() })
    const gpu = { id: gpu0, name: "GPU", backend: "cuda" as const, vram_mb: 8000, vram_free_mb: 8000 }
    hive.has({ cpu: { cores: 1, ram_mb: 16_000, ram_free_mb: 16_000 }, gpus: [gpu], models: 0, workers: 0 }, 0)
    hive.enter(state)
    view.hiveChanged(id)
  }
  for (const [id, state] of Object.entries(states)) add(HiveId.make(id), state)
  let failing: RbeeError | undefined
  const hives = {
    ensure: (id: HiveId) =>
      Effect.suspend(() => {
        did.push(`ensure ${id}`)
        if (failing !== undefined) return failing
        view.hive(id)?.enter("healthy")
        view.hiveChanged(id)
        return Effect.void
      }),
    add: (id: HiveId) => Effect.sync(() => add(id, "cold")),
    suspect: (id: HiveId) => Effect.sync(() => void did.push(`suspect ${id}`)),
    left: (id: HiveId) => Effect.sync(() => void did.push(`left ${id}`)),
    canBeWoken: (id: HiveId) => id === local,
    isReleased: () => false
  }
  const waits: Array<unknown> = []
  const scheduler = { isScaleOut: () => false, waitForRoom: (...all: ReadonlyArray<unknown>) => waits.push(all) }
  const log = {
    jobId: JobId.make("job-1"),
    request: { model },
    tokens: () => 0,
    facts: () => ({ failovers: 0 }),
    narrate: (line: { readonly action: string }) => void lines.push(line.action)
  }
  const ports = { view, hives, scheduler, localHive: local } as never as PlacingPorts
  const input: PlaceInput = { excluded: [], fallen: undefined, failover: undefined, alone: false, needs: undefined }
  const go = (asks = request({ model }), more: Partial<PlaceInput> = {}, isAgain = false) =>
    place(ports, log as never, asks, { ...input, ...more }, isAgain)
  return { asked, did, lines, view, waits, go, fail: (error: RbeeError) => (failing = error) }
}

describe("A job that looks for its place", () => {
  it.effect("adds and wakes this machine's own hive where there is none", () =>
    Effect.gen(function* () {
      const { did, go, lines } = stage({})
      expect(yield* go()).toMatchObject({ kind: "fresh", place: { hive: local, device: "gpu0" } })
      expect(did).toEqual(["ensure localhost"])
      expect(lines).toEqual(["hive_add_local", "scheduled", "capacity_ask"])
    })
  )

  it.effect("adds it, too, where it is asked for by its name", () =>
    Effect.gen(function* () {
      const { did, go, lines } = stage({})
      expect(yield* go(request({ model, hive: local }))).toMatchObject({ kind: "fresh", place: { hive: local } })
      expect(did).toEqual(["ensure localhost"])
      expect(lines[0]).toBe("hive_add_local")
    })
  )

  it.effect("asks none of those that cannot be woken where one is awake", () =>
    Effect.gen(function* () {
      const { did, go } = stage({ far: "healthy", localhost: "cold" })
      expect(yield* go()).toMatchObject({ kind: "fresh", place: { hive: far } })
      expect(did).toEqual(["ensure far"])
    })
  )

  it.effect("looks at none of many hives that are awake but at the one that it is put on", () =>
    Effect.gen(function* () {
      const many = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`far-${n}`, "healthy" as const]))
      const { did, go, lines } = stage(many)
      expect(yield* go()).toMatchObject({ kind: "fresh", place: { hive: "far-0" } })
      expect(did).toEqual(["ensure far-0"])
      expect(lines).toEqual(["scheduled", "capacity_ask"])
    })
  )

  it.effect("has a chosen hive looked at that is not awake after all, without a line of it", () =>
    Effect.gen(function* () {
      const { asked, did, fail, go, lines } = stage({ far: "healthy" })
      fail(refused("CONNECTION_TIMEOUT"))
      expect((yield* Effect.flip(go())).code).toBe("CONNECTION_TIMEOUT")
      expect(did.slice(0, 2)).toEqual(["ensure far", "suspect far"])
      expect({ asked, lines }).toEqual({ asked: [], lines: [] })
    })
  )

  it.effect("waits for nobody to go where that is only preferred", () =>
    Effect.gen(function* () {
      const full = refused("VRAM_EXHAUSTED", { available_mb: 1, required_mb: 2000, most_mb: 4000 })
      const { go, waits } = stage({ far: "healthy" }, () => full)
      expect(yield* go(request({ model, hive: far }))).toEqual({ kind: "full" })
      expect(waits).toHaveLength(1)
      const error = yield* Effect.flip(go(request({ model, hive: far, isPreferred: true })))
      expect(error.code).toBe("VRAM_EXHAUSTED")
      expect(waits).toHaveLength(1)
    })
  )

  it.effect("adds none where another hive is asked for by name", () =>
    Effect.gen(function* () {
      const { did, go, lines } = stage({ far: "healthy" })
      expect(yield* go(request({ model, hive: far }))).toMatchObject({ place: { hive: far } })
      expect(did).toEqual(["ensure far"])
      expect(lines).not.toContain("hive_add_local")
    })
  )

  it.effect("tries those that are in trouble last, and tells of the first failure", () =>
    Effect.gen(function* () {
      const { did, fail, go } = stage({ far: "degraded", localhost: "cold" })
      fail(refused("SSH_UNREACHABLE"))
      expect((yield* Effect.flip(go())).code).toBe("SSH_UNREACHABLE")
      expect(did).toEqual(["ensure localhost", "ensure far"])
    })
  )

  it.effect("does not wake a hive again that was stopped under it", () =>
    Effect.gen(function* () {
      const { did, go } = stage({ localhost: "stopped" })
      expect((yield* Effect.flip(go(request({ model }), {}, true))).code).toBe("SHUTTING_DOWN")
      expect((yield* Effect.flip(go(request({ model, hive: local }), {}, true))).code).toBe("SHUTTING_DOWN")
      expect(did).toEqual([])
      expect(yield* go()).toMatchObject({ kind: "fresh" })
    })
  )

  it.effect("asks the next one where one has no room, and hears so unless it has looked before", () =>
    Effect.gen(function* () {
      const full = (_: string, device: string) =>
        device === "gpu0" ? refused("VRAM_EXHAUSTED", { required_mb: 9000, available_mb: 100 }) : undefined
      const { asked, go, lines } = stage({ localhost: "healthy" }, full)
      expect(yield* go()).toMatchObject({ kind: "fresh", place: { device: "cpu" } })
      expect(asked).toEqual(["localhost/gpu0", "localhost/cpu"])
      expect(lines).toEqual(["scheduled", "capacity_ask", "capacity_full", "scheduled", "capacity_ask"])
      lines.length = 0
      yield* go(request({ model }), {}, true)
      expect(lines).toEqual(["scheduled"])
    })
  )

  it.effect("hears which place it fell from, once", () =>
    Effect.gen(function* () {
      const fallen = (details: Readonly<Record<string, unknown>>) => ({
        fallen: { error: refused("WORKER_START_FAILED", details), place: { hive: local, device: gpu0 } }
      })
      for (const [details, action] of [
        [{}, "start_failed"],
        [{ degraded: true }, "device_degraded"],
        [{ quarantined: true }, "model_refused"]
      ] as const) {
        const { go, lines } = stage({ localhost: "healthy" })
        yield* go(request({ model }), { ...fallen(details), excluded: [{ hive: local, device: gpu0 }] })
        expect(lines).toEqual([action, "scheduled", "capacity_ask"])
      }
    })
  )

  it.effect("fails at once with what no other place would cure", () =>
    Effect.gen(function* () {
      const { asked, go } = stage({ localhost: "healthy" }, () => refused("MODEL_NOT_FOUND"))
      expect((yield* Effect.flip(go())).code).toBe("MODEL_NOT_FOUND")
      expect(asked).toHaveLength(1)
    })
  )

  it.effect("has a silent hive looked at and looks anew, a few times; of one that ends it waits for the end", () =>
    Effect.gen(function* () {
      const silent = stage({ localhost: "healthy" }, () => refused("CONNECTION_TIMEOUT"))
      expect((yield* Effect.flip(silent.go())).code).toBe("CONNECTION_TIMEOUT")
      expect(silent.did.filter((one) => one === "suspect localhost")).toHaveLength(4)
      let times = 0
      const ending = stage({ localhost: "healthy" }, () => (times++ < 2 ? refused("SHUTTING_DOWN") : undefined))
      expect(yield* ending.go()).toMatchObject({ kind: "fresh" })
      expect(ending.did).toContain("left localhost")
      expect(ending.did).not.toContain("suspect localhost")
    })
  )

  it.effect("waits where there may be room later, and ends with the amounts where there never will", () =>
    Effect.gen(function* () {
      const never = stage({ localhost: "healthy" }, () =>
        refused("VRAM_EXHAUSTED", { required_mb: 9000.4, available_mb: 100.2 })
      )
      expect(yield* Effect.flip(never.go())).toMatchObject({
        code: "VRAM_EXHAUSTED",
        details: { needed_mb: 9001, available_mb: 101 }
      })
      const later = stage({ localhost: "healthy" }, () =>
        refused("VRAM_EXHAUSTED", { required_mb: 7000, available_mb: 100, most_mb: 8000 })
      )
      expect(yield* later.go()).toEqual({ kind: "full" })
      expect(later.waits).toHaveLength(1)
    })
  )
})

describe("Why there is no place", () => {
  const { view } = stage({ localhost: "healthy" })
  const at = (device: DeviceId) => ({ hive: local, device })
  const why = (...args: [Partial<Parameters<typeof request>[0]>, RbeeError | undefined, ReadonlyArray<RbeeError>]) => {
    const [asks, fallen, full] = args
    const all = full.map((error, i) => ({ place: at(i === 0 ? gpu0 : cpuDevice), error }))
    return Effect.runSync(Effect.flip(noPlace(view, request({ model, ...asks }), fallen, all)))
  }
  const amounts = (needed: number, available: number, more = {}) =>
    refused("VRAM_EXHAUSTED", { needed_mb: needed, available_mb: available, ...more })

  it("is what the last place failed with, before all else", () => {
    const fallen = refused("WORKER_START_FAILED")
    expect(why({}, fallen, [amounts(1, 2)])).toBe(fallen)
  })

  it("is a file that cannot be loaded, before any want of room", () => {
    const invalid = refused("MODEL_INVALID")
    expect(why({}, undefined, [amounts(9000, 100), invalid])).toBe(invalid)
  })

  it("is the least that is needed against the most that there is, of every place", () => {
    const error = why({}, undefined, [amounts(9000, 100, { context_max: 10 }), amounts(7000, 300, { context_max: 20 })])
    expect(error).toMatchObject({
      code: "VRAM_EXHAUSTED",
      what: "minillama needs 7000 MB; GPU0 has 100 MB, CPU has 300 MB",
      details: {
        needed_mb: 7000,
        available_mb: 300,
        context_max: 20,
        candidates: [
          { hive: local, device: gpu0, needed_mb: 9000, available_mb: 100 },
          { hive: local, device: cpuDevice, needed_mb: 7000, available_mb: 300 }
        ]
      }
    })
    expect(why({}, undefined, [amounts(9000, 100)]).details).not.toHaveProperty("context_max")
  })

  it("is the first refusal where none has amounts", () => {
    const first = refused("BACKEND_UNAVAILABLE")
    expect(why({}, undefined, [first, refused("LOADING_STALLED")])).toBe(first)
  })

  it("is a device that is not there, or that none may serve", () => {
    expect(why({ device: DeviceId.make("gpu7") }, undefined, [])).toMatchObject({
      code: "INVALID_REQUEST",
      what: "there is no device GPU7",
      details: { device: "gpu7" }
    })
    expect(why({ device: gpu0 }, undefined, [])).toMatchObject({
      code: "BACKEND_UNAVAILABLE",
      what: "no device may serve this job; there is GPU0, CPU"
    })
  })
})
