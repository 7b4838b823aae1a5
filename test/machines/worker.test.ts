import { describe, expect, it } from "vitest"
import type { ErrorCode } from "../../src/machines/errors.ts"
import { failures } from "../../src/machines/kinds/llama/words.ts"
import { type WorkerExit, workerLimits } from "../../src/machines/worker-terms.ts"
import { workerMachine } from "../../src/machines/worker.ts"
import { Coverage, Walk } from "../support/walk.ts"
import { JobId, WorkerId } from "../../src/machines/vocabulary/ids.ts"

const coverage = new Coverage()
const limits = { ...workerLimits, idleMs: 2000, drainMs: 7000 }

const make = (pinned = false) =>
  new Walk(
    workerMachine,
    { id: WorkerId.make("w1"), shape: { context: 4096, slots: 4 }, pinned, expectedBatchMs: 100, limits, failures },
    coverage
  )
const waking = (pinned = false) => make(pinned).send({ type: "START" })
const loading = (pinned = false) => waking(pinned).send({ type: "BOUND", port: 8601, url: "http://127.0.0.1:8601" })
const idle = (pinned = false) =>
  loading(pinned).send({ type: "READY", backend: "CPU", context: 4096, slots: 4, exactness: undefined })
const beat = (busy: number, tokens_out = 0, progress = 0) =>
  ({ type: "BEAT", beat: { busy, tokens_out, progress, infers: [] } }) as const
const busy = () => idle().send(beat(1, 1, 1))
const exit = (at: number, more: Partial<WorkerExit> = {}): WorkerExit => ({
  at,
  reason: "exit code 1",
  exitCode: 1,
  signal: undefined,
  code: undefined,
  isEngines: false,
  hasRoom: true,
  lastWords: "boom",
  ...more
})
const ticks = (walk: ReturnType<typeof make>, count: number) => {
  for (let i = 0; i < count; i++) walk.fire("tick")
  return walk
}

describe("A worker", () => {
  it("wakes, loads, is healthy, and says each of it once", () => {
    const walk = waking()
    expect(walk.snapshot.hasTag("waking")).toBe(true)
    expect(walk.input("run")).toEqual({ attempt: 1, shape: { context: 4096, slots: 4 } })
    walk.send({ type: "BOUND", port: 8601, url: "u" }).send({ type: "LOADING", progress: 0.5 })
    expect(walk.snapshot.hasTag("loading")).toBe(true)
    walk.send({ type: "READY", backend: "CPU", context: 512, slots: 4, exactness: undefined })
    expect(walk.snapshot.hasTag("healthy")).toBe(true)
    expect(walk.said).toEqual(["bound", "progress", "ready"])
  })

  it("is as exact as it tells, when it is ready or later, and a new process begins anew", () => {
    const walk = idle()
    expect(walk.snapshot.context.ready?.exactness).toBeUndefined()
    const exactness = { exact: true, bits: "0a" }
    walk.send({ type: "EXACT", exactness })
    expect(walk.snapshot.context.ready?.exactness).toEqual(exactness)
    expect(walk.said.at(-1)).toBe("exact")
    walk.done("run", exit(0)).fire("backoff")
    walk.send({ type: "BOUND", port: 8601, url: "u" })
    walk.send({ type: "READY", backend: "CPU", context: 4096, slots: 4, exactness: undefined })
    expect(walk.snapshot.context.ready?.exactness).toBeUndefined()
  })

  it("does not count a death that a request is blamed for, as often as it happens", () => {
    const walk = waking()
    for (const at of [0, 1, 2, 3, 4]) {
      walk
        .send({ type: "BOUND", port: 8601, url: "u" })
        .send({ type: "READY", backend: "CPU", context: 4096, slots: 4, exactness: undefined })
        .send({
          type: "BEAT",
          beat: {
            busy: 1,
            tokens_out: 0,
            progress: 0,
            infers: [{ job_id: JobId.make("job-1"), epoch: 2, next: 0, alone: true }]
          }
        })
      walk.done("run", exit(at))
      expect(walk.delay("backoff")).toBe(0)
      walk.fire("backoff")
    }
    walk.done("run", exit(5))
    expect(walk.delay("backoff")).toBe(0)
    expect(walk.snapshot.context.deaths).toEqual([5])
  })

  it("restarts at once, then after 0.5 s, then 1 s, and the fourth death within a minute is the end", () => {
    const walk = waking()
    const delays: Array<number | undefined> = []
    for (const at of [0, 1000, 2000]) {
      walk.done("run", exit(at))
      expect(walk.snapshot.hasTag("degraded")).toBe(true)
      delays.push(walk.delay("backoff"))
      walk.fire("backoff")
    }
    expect(delays).toEqual([0, 500, 1000])
    walk.done("run", exit(60_000))
    expect(walk.output).toEqual({
      outcome: "failed",
      code: "WORKER_START_FAILED",
      blame: "unclear",
      attempts: 4,
      reason: "exit code 1",
      lastWords: "boom"
    })
    expect(walk.said).toEqual(["restarting", "restarting", "restarting", "ended"])
    expect(walk.commands[2]).toEqual({ type: "restarting", n: 3, reason: "exit code 1", boot: true })
  })

  it("forgets deaths that are older than a minute", () => {
    const walk = waking()
    for (const at of [0, 30_000, 60_001, 90_002, 120_003, 150_004]) walk.done("run", exit(at)).fire("backoff")
    expect(walk.snapshot.hasTag("waking")).toBe(true)
  })

  it.each<ErrorCode>(["MODEL_INVALID", "BACKEND_UNAVAILABLE"])("does not try again after %s", (code) => {
    const walk = loading().done("run", exit(0, { code, reason: "no tensors" }))
    expect(walk.output).toMatchObject({ outcome: "failed", code, attempts: 1, reason: "no tensors" })
  })

  it("takes half of context and slots after the device ran out of memory, once", () => {
    const walk = loading().done("run", exit(0, { signal: "SIGABRT", hasRoom: false, reason: "killed by SIGABRT" }))
    expect(walk.commands.at(-1)).toEqual({
      type: "shrunk",
      from: { context: 4096, slots: 4 },
      to: { context: 2048, slots: 2 }
    })
    walk.fire("backoff")
    expect(walk.input("run")).toEqual({ attempt: 2, shape: { context: 2048, slots: 2 } })
    walk.done("run", exit(1, { signal: "SIGABRT", lastWords: "CUDA error: out of memory" })).fire("backoff")
    expect(walk.input("run")).toEqual({ attempt: 3, shape: { context: 2048, slots: 2 } })
  })

  it("is given up and killed when it is silent for 10 s, and comes back", () => {
    const walk = ticks(idle(), 10)
    expect(walk.running).toContain("end")
    expect(walk.input("end")).toEqual({ graceMs: 0 })
    walk.done("end").done("run", exit(10_000, { reason: "killed by SIGKILL" }))
    expect(walk.snapshot.hasTag("degraded")).toBe(true)
    expect(walk.commands.at(-1)).toEqual({ type: "restarting", n: 1, reason: "silent for 10 s", boot: false })
  })

  it("is given up when it is silent for 10 s while it loads, too, long before its loading would count as stalled", () => {
    const walk = ticks(loading().send({ type: "LOADING", progress: 0.5 }), 9)
    expect(walk.running).toEqual(["run"])
    walk
      .fire("tick")
      .done("end")
      .done("run", exit(10_000, { reason: "killed by SIGKILL" }))
    expect(walk.commands.at(-1)).toMatchObject({ type: "restarting", reason: "silent for 10 s" })
  })

  it("is not given up for one late tick after the machine slept", () => {
    const walk = ticks(idle(), 9).send(beat(0))
    expect(ticks(walk, 9).snapshot.hasTag("healthy")).toBe(true)
  })

  it("has 30 s to bind", () => {
    expect(ticks(waking(), 29).running).toEqual(["run"])
    expect(ticks(waking(), 30).running).toContain("end")
  })

  it("fails to load only when nothing moves for 60 s, however long it takes in all", () => {
    const walk = loading()
    for (let i = 1; i <= 20; i++) {
      for (let k = 0; k < 50; k++) walk.fire("tick").send(beat(0, 0, i))
      walk.send({ type: "LOADING", progress: i / 100 })
    }
    expect(walk.snapshot.hasTag("loading")).toBe(true)
    for (let k = 0; k < 60; k++) walk.fire("tick").send(k < 59 ? beat(0, 0, 20) : { type: "JOIN", pin: false })
    expect(walk.running).toContain("end")
    walk.done("end").done("run", exit(0))
    expect(walk.commands.at(-1)).toMatchObject({ type: "restarting", reason: "loading stalled at 20%" })
  })

  it("is killed when it beats but its work does not move for 30 s, and never while it moves", () => {
    const walk = busy()
    for (let i = 0; i < 100; i++) walk.fire("tick").send(beat(1, i, 2 + i))
    expect(walk.snapshot.hasTag("healthy")).toBe(true)
    const stuck = beat(1, 99, 101)
    for (let i = 0; i < 29; i++) walk.fire("tick").send(stuck)
    expect(walk.snapshot.hasTag("healthy")).toBe(true)
    walk.fire("tick")
    expect(walk.running).toContain("end")
  })

  it("has ten times its own batch time where that is longer", () => {
    const walk = busy()
    // a batch each 20 s
    for (let i = 2; i < 12; i++) for (let k = 1; k <= 20; k++) walk.fire("tick").send(beat(1, i, k < 20 ? i - 1 : i))
    expect(walk.snapshot.hasTag("healthy")).toBe(true)
    for (let k = 0; k < 150; k++) walk.fire("tick").send(beat(1, 11, 11))
    expect(walk.snapshot.hasTag("healthy")).toBe(true)
  })

  it("unloads when it was idle for its time, through draining", () => {
    const walk = idle().send(beat(0)).fire("idle")
    expect(walk.running).toEqual(expect.arrayContaining(["run", "drain"]))
    // an answer that began just then has the time that any stop gives it
    expect(walk.input("drain")).toEqual({ drainMs: limits.drainMs })
    expect(walk.delay("drained")).toBe(limits.drainMs)
    walk.done("drain").done("run", exit(0, { reason: "exit code 0" }))
    expect(walk.output).toEqual({ outcome: "stopped" })
  })

  it("starts its idle time anew when it is joined, and when it answered between two beats", () => {
    const walk = idle()
      .send({ type: "JOIN", pin: false })
      .send(beat(0, 5, 5))
    expect(walk.snapshot.hasTag("healthy")).toBe(true)
    walk.send(beat(1, 6, 6))
    expect(walk.delay("idle")).toBeUndefined()
    walk.send(beat(0, 7, 7))
    expect(walk.delay("idle")).toBe(2000)
  })

  it("stays when it is pinned, at its start or by who joins it", () => {
    expect(idle(true).fire("idle").snapshot.hasTag("healthy")).toBe(true)
    expect(idle().send({ type: "JOIN", pin: true }).fire("idle").running).toEqual(["run"])
    expect(
      busy()
        .send({ type: "JOIN", pin: true })
        .send(beat(0, 2, 2))
        .fire("idle").running
    ).toEqual(["run"])
  })

  it("stays when it was pinned while it waited to be started again", () => {
    const walk = idle().done("run", exit(0)).send({ type: "JOIN", pin: true }).fire("backoff")
    walk.send({ type: "BOUND", port: 8601, url: "u" })
    walk.send({ type: "READY", backend: "CPU", context: 4096, slots: 4, exactness: undefined })
    expect(walk.fire("idle").running).toEqual(["run"])
    expect(walk.snapshot.hasTag("healthy")).toBe(true)
  })

  it("drains when it is stopped, and is ended when draining takes too long or cannot be asked for", () => {
    const walk = busy().send({ type: "STOP", drainMs: 5000 })
    expect(walk.input("drain")).toEqual({ drainMs: 5000 })
    expect(walk.delay("drained")).toBe(5000)
    walk.send({ type: "STOP", drainMs: 1000 })
    expect(walk.delay("drained")).toBe(1000)
    walk.send(beat(1, 2, 2)).fire("drained")
    expect(walk.input("end")).toEqual({ graceMs: limits.graceMs })
    expect(walk.done("end").done("run", exit(0)).output).toEqual({ outcome: "stopped" })

    const deaf = busy().send({ type: "STOP", drainMs: 5000 }).fail("drain", "gone")
    expect(deaf.running).toContain("end")
  })

  it("stops from anywhere", () => {
    const stop = { type: "STOP", drainMs: 0 } as const
    expect(make().send(stop).output).toEqual({ outcome: "stopped" })
    for (const walk of [waking(), loading(), idle()]) {
      expect(walk.send(stop).send(stop).done("run", exit(0)).output).toEqual({ outcome: "stopped" })
    }
    const backingOff = waking().done("run", exit(0)).send({ type: "JOIN", pin: true })
    expect(backingOff.send(stop).output).toEqual({ outcome: "stopped" })
  })

  it("does not come back when it dies of being ended", () => {
    const walk = ticks(idle(), 10).send({ type: "GIVE_UP", reason: "again", code: undefined })
    walk.send({ type: "STOP", drainMs: 0 }).done("run", exit(0))
    expect(walk.output).toEqual({ outcome: "stopped" })
    expect(idle().send({ type: "GIVE_UP", reason: "told so", code: undefined }).running).toContain("end")
  })

  it("was walked here through every state and every transition", () => {
    expect(coverage.missing(workerMachine)).toEqual([])
  })
})
