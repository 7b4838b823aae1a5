import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { Kernel } from "../../src/simulator/world/kernel/kernel.ts"
import { Machine } from "../../src/simulator/world/machine.ts"

const kernelOf = (seed: number) => {
  const kernel = new Kernel({ seed })
  return { kernel, machine: new Machine(kernel, { name: "m", ramBytes: 1e9, gpus: [] }, 1) }
}

/** The order in which ten pieces of work, all ready at once, run. */
const order = (seed: number): string => {
  const { kernel } = kernelOf(seed)
  const ran: Array<number> = []
  for (let i = 0; i < 10; i++) kernel.schedule({ key: i, run: () => ran.push(i) })
  kernel.run(() => ran.length === 10, 1)
  return ran.join()
}

describe("The kernel", () => {
  it("runs what is ready in an order that the seed alone decides", () => {
    expect(order(1)).toBe(order(1))
    expect(new Set([1, 2, 3, 4, 5, 6].map(order)).size).toBeGreaterThan(4)
  })

  it("never reorders the work of one key", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { kernel } = kernelOf(seed)
      const ran: Array<string> = []
      for (let i = 0; i < 6; i++)
        for (const key of ["a", "b"]) kernel.schedule({ key, run: () => ran.push(`${key}${i}`) })
      kernel.run(() => ran.length === 12, 1)
      for (const key of ["a", "b"])
        expect(ran.filter((each) => each.startsWith(key))).toEqual([0, 1, 2, 3, 4, 5].map((i) => `${key}${i}`))
    }
  })

  it("moves time from timer to timer, and shuffles those of one moment", () => {
    const fired = (seed: number) => {
      const { kernel, machine } = kernelOf(seed)
      const process = machine.spawn("p")
      const seen: Array<string> = []
      const sleeper = (name: string, ms: number) =>
        process.fork(
          Effect.zipRight(
            Effect.sleep(ms),
            Effect.sync(() => seen.push(`${name}@${kernel.now}`))
          )
        )
      for (const name of ["a", "b", "c", "d"]) sleeper(name, 1000)
      sleeper("late", 86_400_000)
      expect(kernel.run(() => seen.length === 5, Infinity)).toBeUndefined()
      expect(seen[4]).toBe("late@86400000")
      expect(seen.slice(0, 4).toSorted()).toEqual(["a", "b", "c", "d"].map((name) => `${name}@1000`))
      return seen.join()
    }
    expect(new Set([1, 2, 3, 4, 5].map(fired)).size).toBeGreaterThan(2)
  })

  it("says that nothing will ever happen any more, instead of hanging", () => {
    const { kernel, machine } = kernelOf(1)
    machine.spawn("p").fork(Effect.never)
    expect(kernel.run(() => false, Infinity)).toEqual({ _tag: "Idle" })
  })

  it("stops at its limit of virtual time, and goes on from there", () => {
    const { kernel } = kernelOf(1)
    let rung = false
    kernel.at(5000, () => (rung = true))
    expect(kernel.run(() => rung, 4000)).toEqual({ _tag: "TimeLimit" })
    expect(kernel.run(() => rung, 6000)).toBeUndefined()
  })
})

describe("Something real", () => {
  const strays: ReadonlyArray<readonly [string, RegExp, () => unknown]> = [
    ["Date.now", /Date\.now/, () => Date.now()],
    ["Math.random", /Math\.random/, () => Math.random()],
    ["performance.now", /performance\.now/, () => performance.now()],
    ["crypto.randomUUID", /randomUUID/, () => crypto.randomUUID()],
    ["setTimeout", /Timeout/, () => clearTimeout(setTimeout(() => undefined, 1))],
    ["setInterval", /setInterval/, () => clearInterval(setInterval(() => undefined, 1))],
    ["setImmediate", /Immediate/, () => clearImmediate(setImmediate(() => undefined))],
    ["queueMicrotask", /Microtask/, () => queueMicrotask(() => undefined)],
    ["a promise", /PROMISE/, () => Promise.resolve(1).then(() => 2)],
    ["Effect.promise", /PROMISE/, () => Effect.runFork(Effect.promise(() => Promise.resolve(1)))],
    ["a fiber outside of the kernel", /PROMISE|Immediate|Timeout/, () => Effect.runFork(Effect.yieldNow())]
  ]
  it.each(strays)("stops the run with its call site: %s", (_, what, stray) => {
    const { kernel, machine } = kernelOf(1)
    const process = machine.spawn("p")
    process.fork(Effect.sync(() => stray()))
    const stop = kernel.run(() => false, 1000)
    expect(stop).toMatchObject({ _tag: "Leak", what: expect.stringMatching(what) })
    expect(stop?._tag === "Leak" ? stop.site : "").toContain("kernel.test.ts")
  })

  it("is not what Effect notes of a fiber's life: when it began and ended", () => {
    const { kernel, machine } = kernelOf(1)
    const ended: Array<string> = []
    const outside = () => Effect.runFork(Effect.void).addObserver((exit) => ended.push(exit._tag))
    machine.spawn("p").fork(Effect.sync(outside))
    expect(kernel.run(() => ended.length === 1, 1000)).toBeUndefined()
  })

  it("is what it was again after the run", () => {
    const { kernel } = kernelOf(1)
    kernel.run(() => true, 1)
    expect(Math.abs(Date.now() - new Date().getTime())).toBeLessThan(1000)
  })
})

describe("A simulated process", () => {
  it("that is killed runs nothing any more: no finalizer, no timer", () => {
    const { kernel, machine } = kernelOf(1)
    const process = machine.spawn("p")
    const seen: Array<string> = []
    process.main(
      Effect.as(
        Effect.ensuring(
          Effect.sleep(1000),
          Effect.sync(() => seen.push("finalizer"))
        ),
        0
      )
    )
    kernel.at(500, () => process.kill())
    expect(kernel.run(() => false, 5000)).toEqual({ _tag: "Idle" })
    expect(seen).toEqual([])
    expect(process.status).toEqual({ code: undefined, signal: "SIGKILL" })
    expect(machine.find(process.id)).toBeUndefined()
  })

  it("that is stopped does nothing until it continues; then what was due is late", () => {
    const { kernel, machine } = kernelOf(1)
    const process = machine.spawn("p")
    let at: number | undefined
    process.fork(Effect.map(Effect.sleep(100), () => (at = kernel.now)))
    kernel.at(50, () => process.stop())
    kernel.at(2000, () => process.continue())
    kernel.run(() => at !== undefined, 5000)
    expect(at).toBe(2000)
  })

  it("takes its children along, but for one that is stopped", () => {
    const { kernel, machine } = kernelOf(1)
    const parent = machine.spawn("parent")
    const [child, stopped] = [machine.spawn("child", parent), machine.spawn("stopped", parent)]
    stopped.stop()
    parent.kill()
    kernel.run(() => false, 1000)
    expect([child.isAlive, stopped.isAlive]).toEqual([false, true])
    stopped.continue()
    kernel.run(() => false, 2000)
    expect(stopped.isAlive).toBe(false)
  })
})
