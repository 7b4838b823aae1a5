/** Small judgements of the policy, each by its edge. */
import { describe, expect, it } from "vitest"
import { rbeeError } from "../../../src/machines/errors.ts"
import { failureClassOf, losesWorker, retryDelay } from "../../../src/machines/policy/failure-class.ts"
import { mayReloadAt, neededContext, noLonger, tooManyBytes } from "../../../src/machines/policy/memory/context.ts"
import { fit } from "../../../src/machines/policy/memory/fit.ts"
import { because, type Cost, lostBy, mainly } from "../../../src/machines/policy/placement/cost.ts"
import { Fleet } from "../../../src/machines/policy/placement/fleet.ts"
import { ObservedPerformance } from "../../../src/machines/policy/placement/observed-performance.ts"
import { decide, objection, reloadsAt, withoutModel } from "../../../src/machines/policy/placement/placement.ts"
import { makeRoom, patienceOf, residencyMs } from "../../../src/machines/policy/placement/residency.ts"
import { mismatchOfInstalled, mismatchOfRunning } from "../../../src/machines/policy/version.ts"
import { loadSeconds } from "../../../src/machines/policy/placement/cost.ts"
import { DeviceId, HiveId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import { fleetOf, request, resident } from "../../support/fleet.ts"

const model = ModelRef.make("minillama")
const box = (device: string) => ({ hive: HiveId.make("box"), device: DeviceId.make(device) })

describe("A failure on the way to an answer", () => {
  it.each([
    ["VRAM_EXHAUSTED", "candidate"],
    ["BACKEND_UNAVAILABLE", "candidate"],
    ["WORKER_START_FAILED", "candidate"],
    ["LOADING_STALLED", "candidate"],
    ["HIVE_OWNED", "candidate"],
    ["CONNECTION_TIMEOUT", "retry"],
    ["WORKER_CRASHED", "retry"],
    ["WORKER_NOT_FOUND", "retry"],
    ["HIVE_NOT_FOUND", "retry"],
    ["ALL_SLOTS_BUSY", "retry"],
    ["CANCELLED", "retry"],
    ["SHUTTING_DOWN", "retry"],
    ["INVALID_REQUEST", "fatal"],
    ["MODEL_INVALID", "fatal"]
  ] as const)("by %s means: %s; only what is fatal leaves the answer where it is", (code, means) => {
    const error = rbeeError(code, "no")
    expect(failureClassOf(error)).toBe(means)
    expect(losesWorker(error)).toBe(means !== "fatal")
  })

  it("of a file that one device's engine dies of may be none elsewhere, and no other code is judged so", () => {
    expect(failureClassOf(rbeeError("MODEL_INVALID", "no", "", { quarantined: true }))).toBe("candidate")
    expect(failureClassOf(rbeeError("INVALID_REQUEST", "no", "", { quarantined: true }))).toBe("fatal")
  })
})

describe("A job that lost its place", () => {
  it("looks for another one at once, then after a tenth of a second and twice as long each time, up to two seconds", () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8].map(retryDelay)).toEqual([0, 0, 100, 200, 400, 800, 1600, 2000, 2000])
  })
})

describe("A place", () => {
  it("serves who asked for it or for none, and the CPU who allows it or names it", () => {
    const why = (...args: Parameters<typeof request>) => objection(request(...args), box("cpu"))
    expect(why()).toBeUndefined()
    expect(why({ hive: HiveId.make("box"), device: DeviceId.make("cpu") })).toBeUndefined()
    expect(why({ hive: HiveId.make("attic") })).toBe("another hive is asked for (attic)")
    expect(why({ device: DeviceId.make("gpu0") })).toBe("another device is asked for (gpu0)")
    expect(why({ allowCpu: false })).toBe("the CPU is not allowed")
    expect(why({ allowCpu: false, device: DeviceId.make("cpu") })).toBeUndefined()
    expect(objection(request({ allowCpu: false }), box("gpu0"))).toBeUndefined()
  })

  it("is the worker's that is first by its name, where two would be done at once, and the others are counted", () => {
    const [a, b] = [resident("a", box("gpu0")), resident("b", box("gpu1"))]
    for (const workers of [
      [a, b],
      [b, a]
    ])
      expect(decide(request(), fleetOf({ box: [8000, 8000] }, workers))).toMatchObject({
        kind: "resident",
        worker: "a"
      })
    const fleet = fleetOf({ box: [8000, 8000] }, [a, b])
    expect(withoutModel(fleet, box("gpu0"), [{ ...box("gpu1"), verdict: "busier" }])).toEqual([
      { count: 1, verdict: "the model would have to be loaded there" }
    ])
    const all = ["gpu1", "cpu"].map((device) => ({ ...box(device), verdict: "busier" }))
    expect(withoutModel(fleet, box("gpu0"), all)).toEqual([])
  })
})

describe("A prompt that is too long for its worker", () => {
  const overflow = (context: number, prompt: number, trained: number) =>
    rbeeError("INVALID_REQUEST", "too long", "", { prompt_tokens: prompt, context, trained_context: trained })

  it("needs more where the model was trained for more, and nothing would do where it was not", () => {
    expect(neededContext(overflow(512, 600, 4096), 100)).toMatchObject({ prompt: 600, had: 512 })
    expect(neededContext(overflow(4096, 600, 4096), 100)).toBeUndefined()
    expect(neededContext(overflow(512, 4096, 4096), 100)).toBeUndefined()
  })

  it("is told the most that there is, and to ask for that only where it would do", () => {
    const need = { context: 8192, had: 512, prompt: 2000 }
    const full = (most: number) => rbeeError("VRAM_EXHAUSTED", "full", "", { context_max: most, needed_mb: 9 })
    expect(noLonger(need, full(4096)).todo).toBe("Ask for a context of 4096 tokens, or shorten the prompt")
    expect(noLonger(need, full(2000)).todo).toBe("Shorten the prompt, or use a smaller model")
    expect(noLonger(need, full(100))).toMatchObject({
      code: "INVALID_REQUEST",
      details: { prompt_tokens: 2000, context: 512, needed_context: 8192, needed_mb: 9 }
    })
  })
})

describe("Versions", () => {
  it("that are one are no matter; others are told with what to do, there or here", () => {
    const same = { hive: HiveId.make("box"), theirs: "1.0.0", ours: "1.0.0", remote: true }
    expect([mismatchOfRunning(same), mismatchOfInstalled(same)]).toEqual([undefined, undefined])
    const other = { ...same, theirs: "0.9.0" }
    expect(mismatchOfRunning(other)).toMatchObject({
      code: "VERSION_MISMATCH",
      details: { hive: "0.9.0", queen: "1.0.0" }
    })
    expect(mismatchOfRunning(other)?.what).toBe("hive box runs rbee 0.9.0, this is rbee 1.0.0")
    expect(mismatchOfRunning(other)?.todo).toContain("rbee hives upgrade box")
    expect(mismatchOfRunning({ ...other, remote: false })?.todo).toContain("try again")
    expect(mismatchOfInstalled(other)?.message).toMatch(/has rbee 0\.9\.0.*upgrade/)
  })
})

describe("Amounts at their edge", () => {
  it("a shape that takes all that there is fits", () => {
    const need = () => 1000
    expect(fit(need, 2048, { context: 512, slots: 1 }, 4, 1000).fits).toBe(true)
    expect(fit(need, 2048, { context: 512, slots: 1 }, 4, 999).fits).toBe(false)
  })

  it("a prompt whose bytes are as many tokens as the context has no room for an answer, one fewer has", () => {
    expect(tooManyBytes(4000, 4, 1000)).toMatchObject({ code: "INVALID_REQUEST", details: { prompt_tokens: 1000 } })
    expect(tooManyBytes(3996, 4, 1000)).toBeUndefined()
  })

  it("a job waits eight times as long as loading takes, and a worker stays four times, within bounds", () => {
    const mb = 10_000
    expect(patienceOf(mb)).toBeCloseTo(8000 * loadSeconds(mb), 6)
    expect(residencyMs(mb)).toBeCloseTo(4000 * loadSeconds(mb), 6)
    expect([patienceOf(1), patienceOf(1e7)]).toEqual([5000, 120_000])
    expect([residencyMs(0), residencyMs(1e7)]).toEqual([2000, 60_000])
  })

  it("a place lost by the part in which it is the furthest behind", () => {
    const winner: Cost = { fetch: 50, load: 5, evict: 0, read: 0, decode: 1 }
    expect(mainly({ fetch: 50, load: 9, evict: 1, read: 0, decode: 1 }, winner)).toBe(lostBy.load)
    expect(mainly({ fetch: 52, load: 6, evict: 0, read: 0, decode: 1 }, winner)).toBe(lostBy.fetch)
    expect(mainly({ fetch: 50, load: 5, evict: 0, read: 0, decode: 40 }, winner)).toBe(lostBy.decode)
    expect(because(winner, winner)).toBe("as good, but the weaker device, or later by name")
  })
})

describe("What was seen of models", () => {
  it("leaves out an answer of no speed", () => {
    const seen = new ObservedPerformance()
    const device = { ...box("gpu0"), gbps: 100 }
    const expected = seen.rate(device, model)
    seen.observe(device, model, 0)
    seen.observe(device, model, Number.NaN)
    expect(seen.rate(device, model)).toBe(expected)
    seen.observe(device, model, 7)
    expect(seen.rate(device, model)).toBe(7)
  })

  it("counts a use half after ten minutes", () => {
    const seen = new ObservedPerformance()
    expect(seen.heat(model, 0)).toBe(0)
    seen.used(model, 0)
    expect(seen.heat(model, 0)).toBe(1)
    expect(seen.heat(model, 600_000)).toBe(0.5)
    seen.used(model, 600_000)
    expect(seen.heat(model, 600_000)).toBe(1.5)
  })
})

describe("A worker that is too small", () => {
  it("may be loaded anew at the time of its last reload and a while, and at once where it never was", () => {
    const at = (workers: Parameters<typeof fleetOf>[1], now: number) =>
      reloadsAt(request({ context: 1024 }), fleetOf({ box: [] }, workers), now)
    const young = resident("w1", { reloadedAt: 1000 })
    expect(at([young], 1001)).toBe(mayReloadAt(1000))
    expect(at([young, resident("w2", { reloadedAt: 5000 })], 5001)).toBe(mayReloadAt(1000))
    expect(at([young], mayReloadAt(1000))).toBeUndefined()
    expect(at([resident("w1")], 1001)).toBeUndefined()
    expect(at([young, resident("w2", { context: 2048 })], 1001), "another one fits").toBeUndefined()
  })
})

describe("Making room", () => {
  const room = (sizes: ReadonlyArray<number>, shortMb: number, heat: (model: ModelRef) => number = () => 0) => {
    const workers = sizes.map((memoryMb, i) =>
      resident(`w${i}`, { memoryMb, model: ModelRef.make(`m${i}`), readyAt: 0 })
    )
    const found = makeRoom(workers, shortMb, heat, 1e9, model)
    return found.kind === "now" ? found.evict.map(({ worker }) => worker) : found.kind
  }

  it("takes one that is enough before several that together cost more", () => {
    expect(room([100, 100, 9000], 150)).toEqual(["w2"])
  })

  it("takes no one that the others suffice without, and of two that are enough the one that nobody wants", () => {
    expect(room([100, 100, 100], 200)).toHaveLength(2)
    expect(room([5000, 5000], 4000, (one) => (one === "m0" ? 5 : 0))).toEqual(["w1"])
    expect(room([5000, 5000], 4000, (one) => (one === "m1" ? 5 : 0))).toEqual(["w0"])
  })

  it("is never where all together are too little, and at once where they are just enough", () => {
    expect(room([100, 100], 201)).toBe("never")
    expect(room([100, 100], 200)).toHaveLength(2)
  })
})

describe("The strongest of a fleet", () => {
  it("are as many as are asked for, over the runtimes that there are, the strongest first", () => {
    const fleet = fleetOf({ box: [8000, 12_000, 24_000] })
    const strongest = (count: number) => fleet.strongest("free", () => 1000, count, 0).map(({ device }) => device)
    expect(strongest(1)).toEqual(["gpu2"])
    expect(strongest(2)).toHaveLength(2)
    expect(strongest(9)).toEqual(["gpu2", "gpu1", "gpu0", "cpu"])
    expect(new Fleet().strongest("free", () => 0, 3, 0)).toEqual([])
  })
})
