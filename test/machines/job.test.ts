import { describe, expect, it } from "vitest"
import { type ErrorCode, rbeeError } from "../../src/machines/errors.ts"
import { InferFailed, type JobCommand, jobMachine, straightEnd, straightTo } from "../../src/machines/job.ts"
import { DeviceId, HiveId, WorkerId } from "../../src/machines/vocabulary/ids.ts"
import { Coverage, Walk } from "../support/walk.ts"

const coverage = new Coverage()
const lease = {
  worker: WorkerId.make("w1"),
  instance: "i1",
  hive: HiveId.make("localhost"),
  device: DeviceId.make("cpu")
}
const place = { hive: "localhost", device: "gpu0" }
const placement = { ...place, losers: [] }
const done = {
  tokens: 3,
  finish_reason: "stop",
  usage: { prompt_tokens: 1, completion_tokens: 3, cached_tokens: 0 }
} as const
const error = (code: ErrorCode) => rbeeError(code, `it was ${code}`)
const lost = (tokens: number, reached = true) =>
  new InferFailed({ error: error("WORKER_CRASHED"), tokens, reached, sent: reached })

const queued = () => new Walk(jobMachine, { tokens: 0 }, coverage)
const placing = () => queued().done("admit")
const provisioning = () => placing().done("place", { kind: "fresh", place, placement })
const starting = () => provisioning().done("ensureModel").done("ensureRuntime")
const streaming = () => starting().done("startWorker", { kind: "ready", lease })
const resident = () => placing().done("place", { kind: "resident", lease, placement: { ...lease, losers: [] } })

const states = (walk: Walk<typeof jobMachine>) =>
  walk.commands.flatMap((command) => {
    const known = command as JobCommand
    return known.type === "entered" ? [known.state] : []
  })
const last = (walk: Walk<typeof jobMachine>) => walk.commands.at(-1)
const again = (walk: Walk<typeof jobMachine>) => walk.done("place", { kind: "resident", lease, placement })

describe("A job", () => {
  it("is placed, gets model and runtime side by side, a worker, its answer, and ends once", () => {
    const walk = provisioning()
    expect(walk.running).toEqual(expect.arrayContaining(["ensureModel", "ensureRuntime"]))
    expect(walk.input("ensureModel")).toEqual(place)
    walk.done("ensureRuntime").done("ensureModel")
    expect(walk.input("startWorker")).toEqual({ place, alone: false })
    walk.done("startWorker", { kind: "ready", lease })
    expect(walk.input("infer")).toEqual({ lease, alone: false })
    walk.done("infer", done)
    expect(states(walk)).toEqual(["queued", "placing", "provisioning", "starting", "streaming", "done"])
    expect(last(walk)).toEqual({ type: "finish", done, cause: undefined })
    expect(() => walk.send({ type: "CANCEL" })).toThrow("it has ended")
  })

  it("goes straight to a resident worker's slot", () => {
    expect(states(resident().done("infer", done))).toEqual(["queued", "placing", "streaming", "done"])
  })

  it("that finds a slot at once goes the way that its actor knows by heart, and ends as it knows, or asks its chart", () => {
    const { now, past } = straightTo({ lease, placement: { ...lease, losers: [] } })
    const filled = { ...done, finish_reason: "length", outgrown: { context: 64, trained_context: 4096 } } as const
    for (const end of [done, filled, { ...filled, outgrown: { context: 4096, trained_context: 4096 } }])
      for (const maxTokens of [undefined, 3, 40]) {
        const walk = new Walk(jobMachine, { tokens: 0, ...(maxTokens === undefined ? {} : { maxTokens }) }, coverage)
        for (const { activity, output } of past) walk.done(activity, output)
        expect(walk.running).toEqual([now.activity])
        expect(walk.input(now.activity)).toEqual(now.input)
        const before = walk.commands.length
        walk.done(now.activity, end)
        const isOver = walk.snapshot.status === "done"
        expect(straightEnd(end, maxTokens)).toEqual(isOver ? walk.commands.slice(before) : undefined)
      }
    expect(straightEnd(filled, 40)).toBeUndefined()
    expect(straightEnd(done, 40)).toHaveLength(3)
  })

  it("that gives way goes back into the line with the tokens that it has, and its slot is given back", () => {
    const walk = streaming().send({ type: "PAUSE", tokens: 3 })
    expect(states(walk).slice(-2)).toEqual(["streaming", "queued"])
    expect(walk.commands).toContainEqual({ type: "release" })
    expect(walk.input("admit")).toMatchObject({ alone: false })
    walk.done("admit").done("place", { kind: "resident", lease, placement }).done("infer", done)
    expect(last(walk)).toEqual({ type: "finish", done, cause: undefined })
  })

  it("carries the lifecycle words as tags", () => {
    const tags = [queued(), placing(), provisioning(), starting(), streaming(), streaming().fail("infer", lost(1))]
    expect(tags.map(({ snapshot }) => Array.from(snapshot.tags).join())).toEqual([
      "cold",
      "waking",
      "loading",
      "loading",
      "healthy",
      "degraded"
    ])
  })

  it("waits again where all slots are taken, before a worker is started or after", () => {
    for (const walk of [placing().done("place", { kind: "full" }), starting().done("startWorker", { kind: "full" })]) {
      expect(walk.snapshot.value).toBe("queued")
      expect(walk.running).toContain("admit")
    }
  })

  it("looks once for a worker with a longer context, where the model could hold its prompt", () => {
    const overflow = (trained_context: number, context = 4096) =>
      new InferFailed({
        error: rbeeError("INVALID_REQUEST", "too long", "", { prompt_tokens: 5000, context, trained_context }),
        tokens: 0,
        reached: true,
        sent: true
      })
    const walk = streaming().fail("infer", overflow(131_072))
    expect(walk.snapshot.value).toBe("queued")
    const needs = { context: 8192, prompt: 5000, had: 4096 }
    expect(walk.input("admit")).toEqual({ alone: false, needs })
    walk.done("admit")
    expect(walk.input("place")).toMatchObject({ needs })
    again(walk).fail("infer", overflow(131_072, 8192))
    expect(last(walk)).toMatchObject({ type: "fail", error: { code: "INVALID_REQUEST" } })
    expect(last(streaming().fail("infer", overflow(4096)))).toMatchObject({ type: "fail" })
  })

  it("tries again where its worker came up with less context than it needs, and gives up in the end", () => {
    const overflow = (context: number) =>
      new InferFailed({
        error: rbeeError("INVALID_REQUEST", "too long", "", { prompt_tokens: 5000, context, trained_context: 131_072 }),
        tokens: 0,
        reached: true,
        sent: true
      })
    const walk = again(streaming().fail("infer", overflow(2048)).done("admit")).fail("infer", overflow(4096))
    expect(walk.snapshot.value).toBe("degraded")
    walk.fire("retryDelay")
    expect(walk.input("place")).toMatchObject({ needs: { context: 8192 }, excluded: [] })
    while (walk.snapshot.status === "active") {
      if (walk.snapshot.value === "degraded") walk.fire("retryDelay")
      else again(walk).fail("infer", overflow(4096))
    }
    expect(last(walk)).toMatchObject({ type: "fail", error: { code: "INVALID_REQUEST" } })
  })

  const outgrown = { ...done, tokens: 40, outgrown: { context: 4096, trained_context: 131_072 } }
  const outgrowing = { ...outgrown, usage: { ...done.usage, prompt_tokens: 4056 } }

  it("goes on in a longer context where its answer has filled the one that it had, as often as that helps", () => {
    const walk = streaming().done("infer", outgrowing)
    expect(walk.snapshot.value).toBe("queued")
    expect(walk.snapshot.context.tokens).toBe(40)
    expect(walk.input("admit")).toEqual({ alone: false, needs: { context: 7168, prompt: 4096, had: 4096 } })
    again(walk.done("admit")).done("infer", { ...outgrowing, outgrown: { context: 7168, trained_context: 131_072 } })
    expect(walk.snapshot.value).toBe("queued")
    again(walk.done("admit")).done("infer", done)
    expect(last(walk)).toEqual({ type: "finish", done, cause: undefined })
  })

  it("ends where its context ends once it is as long as it was asked to be, or as the model can hold", () => {
    const asked = new Walk(jobMachine, { tokens: 0, maxTokens: 40 }, coverage).done("admit")
    expect(last(again(asked).done("infer", outgrowing))).toMatchObject({ type: "finish" })
    const endless = { ...outgrowing, tokens: 1024 }
    expect(last(streaming().done("infer", endless))).toMatchObject({ type: "finish" })
    const whole = { ...outgrowing, outgrown: { context: 4096, trained_context: 4096 } }
    expect(last(streaming().done("infer", whole))).toMatchObject({ type: "finish" })
  })

  it("ends with the answer that it has where no longer context is to be had, and says why", () => {
    const growing = () => streaming().done("infer", outgrowing)
    const fresh = () => growing().done("admit").done("place", { kind: "fresh", place, placement })
    const full = error("VRAM_EXHAUSTED")
    const broken = error("INTERNAL")
    for (const [walk, cause] of [
      [growing().done("admit").fail("place", full), full],
      [growing().send({ type: "END", error: full }), full],
      [fresh().fail("ensureModel", full).fail("place", full), full],
      [fresh().fail("ensureModel", broken), broken],
      [fresh().fail("ensureRuntime", broken), broken],
      [fresh().done("ensureModel").done("ensureRuntime").fail("startWorker", broken), broken]
    ] as const)
      expect(last(walk)).toEqual({ type: "finish", done: outgrowing, cause })
    const walk = fresh().fail("ensureModel", error("CONNECTION_TIMEOUT"))
    while (walk.snapshot.status === "active") {
      walk.fire("retryDelay").done("place", { kind: "fresh", place, placement })
      walk.fail("ensureModel", error("CONNECTION_TIMEOUT"))
    }
    expect(last(walk)).toMatchObject({ type: "finish", cause: { code: "CONNECTION_TIMEOUT" } })
  })

  it("ends with the answer that it has where each larger worker comes up as small as the one before", () => {
    const walk = streaming().done("infer", outgrowing)
    const nothingMore = { ...outgrowing, tokens: 0 }
    for (let starts = 0; walk.snapshot.status === "active"; starts++) {
      expect(starts).toBeLessThan(20)
      again(walk.done("admit")).done("infer", nothingMore)
    }
    expect(last(walk)).toMatchObject({ type: "finish", done: nothingMore })
  })

  it("has no answer to end with once it goes on elsewhere", () => {
    const walk = again(streaming().done("infer", outgrowing).done("admit")).fail("infer", error("INTERNAL"))
    expect(last(walk)).toMatchObject({ type: "fail", error: { code: "INTERNAL" } })
  })

  it("leaves a place that cannot serve it, and remembers why", () => {
    for (const walk of [
      provisioning().fail("ensureModel", error("VRAM_EXHAUSTED")),
      provisioning().fail("ensureRuntime", error("BACKEND_UNAVAILABLE")),
      starting().fail("startWorker", error("WORKER_START_FAILED"))
    ]) {
      expect(walk.snapshot.value).toBe("placing")
      expect(walk.input("place")).toMatchObject({ excluded: [place], fallen: { place }, failover: undefined })
    }
  })

  it("comes back to where something only went away for a moment, and gives up in the end", () => {
    for (const walk of [
      provisioning().fail("ensureModel", error("CONNECTION_TIMEOUT")),
      provisioning().fail("ensureRuntime", error("HIVE_NOT_FOUND")),
      starting().fail("startWorker", error("CONNECTION_TIMEOUT"))
    ]) {
      expect(walk.snapshot.value).toBe("degraded")
      walk.fire("retryDelay")
      expect(walk.input("place")).toMatchObject({ excluded: [], failover: undefined })
    }
    const walk = resident()
    const delays: Array<number | undefined> = []
    while (walk.snapshot.status === "active") {
      walk.fail("infer", lost(0, false))
      if (walk.snapshot.status !== "active") break
      delays.push(walk.delay("retryDelay"))
      again(walk.fire("retryDelay"))
    }
    expect(delays).toEqual([0, 100, 200, 400, 800, 1600, 2000, 2000])
    expect(last(walk)).toMatchObject({ type: "fail", error: { code: "WORKER_CRASHED" } })
  })

  it("fails with what cannot be otherwise elsewhere", () => {
    for (const walk of [
      placing().fail("place", error("VRAM_EXHAUSTED")),
      provisioning().fail("ensureModel", error("MODEL_NOT_FOUND")),
      provisioning().fail("ensureRuntime", error("INTERNAL")),
      starting().fail("startWorker", error("MODEL_INVALID")),
      streaming().fail(
        "infer",
        new InferFailed({ error: error("INVALID_REQUEST"), tokens: 0, reached: false, sent: true })
      )
    ]) {
      expect(walk.snapshot.value).toBe("failed")
      expect(last(walk)?.type).toBe("fail")
    }
  })

  it("fails over with its tokens, at once, and starts counting anew with each token gained", () => {
    const walk = streaming().fail("infer", lost(7))
    expect(walk.delay("retryDelay")).toBe(0)
    walk.fire("retryDelay")
    expect(walk.input("place")).toMatchObject({
      failover: { from: { hive: "localhost", device: "cpu" }, tokens: 7 },
      alone: false
    })
    for (const tokens of [8, 9, 10]) again(walk).fail("infer", lost(tokens)).fire("retryDelay")
    again(walk).fail("infer", lost(11))
    expect(last(walk)).toMatchObject({ type: "fail", error: { code: "POISON_REQUEST", details: { deaths: 5 } } })
  })

  it("is poison when two workers in a row die before a token, and is alone the second time", () => {
    const walk = streaming().fail("infer", lost(0)).fire("retryDelay")
    expect(walk.input("place")).toMatchObject({ alone: true })
    walk.done("place", { kind: "full" })
    expect(walk.input("admit")).toEqual({ alone: true })
    again(walk.done("admit")).fail("infer", lost(0))
    expect(last(walk)).toMatchObject({ type: "fail", error: { code: "POISON_REQUEST", details: { deaths: 2 } } })
    expect(states(walk).slice(-2)).toEqual(["degraded", "failed"])
  })

  it("is charged with a worker that dies before it acknowledges the request, but not with one that nobody listened for", () => {
    const unheard = (sent: boolean) =>
      new InferFailed({ error: error("WORKER_CRASHED"), tokens: 0, reached: false, sent })
    const walk = streaming().fail("infer", unheard(true)).fire("retryDelay")
    expect(walk.input("place")).toMatchObject({ alone: true, failover: undefined })
    again(walk).fail("infer", unheard(true))
    expect(last(walk)).toMatchObject({ type: "fail", error: { code: "POISON_REQUEST", details: { deaths: 2 } } })
    expect(streaming().fail("infer", unheard(false)).snapshot.context).toMatchObject({ deaths: 0, retries: 1 })
  })

  it("leaves a place whose engine the file ends, and fails with a file that is wrong everywhere", () => {
    const quarantined = rbeeError("MODEL_INVALID", "no", "", { quarantined: true })
    expect(starting().fail("startWorker", quarantined).snapshot.value).toBe("placing")
    expect(starting().fail("startWorker", error("MODEL_INVALID")).snapshot.value).toBe("failed")
  })

  it("gives its slot back whenever it leaves it", () => {
    for (const walk of [
      streaming().done("infer", done),
      streaming().fail("infer", lost(1)),
      streaming().send({ type: "CANCEL" }),
      streaming().send({ type: "END", error: error("SHUTTING_DOWN") })
    ]) {
      expect(walk.said.filter((type) => type === "release")).toHaveLength(2) // the first, at its start, gives nothing
    }
  })

  it("is cancelled and ended from everywhere, and its work is left", () => {
    for (const make of [queued, placing, provisioning, starting, streaming]) {
      const cancelled = make().send({ type: "CANCEL" })
      expect(cancelled.running).toEqual([])
      expect(last(cancelled)).toEqual({ type: "cancel" })
      const ended = make().send({ type: "END", error: error("SHUTTING_DOWN") })
      expect(last(ended)).toMatchObject({ type: "fail", error: { code: "SHUTTING_DOWN" } })
    }
  })

  it("was walked here through every state and every transition", () => {
    // the end of both provisioning regions is an event inside one step: `starting` is entered by it alone
    const inner = (missing: string) => missing.includes("xstate.done.state")
    expect(coverage.missing(jobMachine).filter((missing) => !inner(missing))).toEqual([])
  })
})
