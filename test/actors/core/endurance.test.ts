/** 10 000 restarts leave nothing behind: no fiber, no memory, no registry entry. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Supervisor from "effect/Supervisor"
import { setup } from "xstate"
import type { ChildSpec } from "../../../src/actors/core/supervision/child.ts"
import { machineActor } from "../../../src/actors/core/machine/machine-actor.ts"
import { type Report, Reports } from "../../../src/actors/core/reports.ts"
import { supervisor } from "../../../src/actors/core/supervision/supervisor.ts"
import { ActorSystem } from "../../../src/actors/core/system.ts"
import { activity } from "../../../src/machines/activity.ts"

setFlagsFromString("--expose-gc")
const collect: unknown = runInNewContext("gc")

const heapBytes = (): number => {
  if (typeof collect !== "function") throw new Error("no gc")
  for (let i = 0; i < 3; i++) collect()
  return process.memoryUsage().heapUsed
}

/** Waits for an hour and does a piece of work meanwhile; dies of CRASH. */
const machine = setup({
  types: { events: {} as { readonly type: "CRASH" } },
  actors: { work: activity() }
}).createMachine({
  id: "crasher",
  initial: "on",
  states: {
    on: {
      invoke: { src: "work", onDone: "off" },
      after: { 3_600_000: "off" },
      on: {
        CRASH: {
          guard: () => {
            throw new Error("crash")
          },
          target: "off"
        }
      }
    },
    off: {}
  }
})

const crasher = (path: string): ChildSpec<ActorSystem> => ({
  id: "crasher",
  start: machineActor({ path, machine, activities: { work: () => Effect.never } })
})

describe("10 000 restarts", () => {
  it.scopedLive(
    "leave as many fibers as before, exactly, and no memory",
    () =>
      Effect.gen(function* () {
        const tracker = yield* Supervisor.track
        const starts = yield* Queue.unbounded<void>()
        const sink = {
          report: (report: Report) =>
            report.context === "started" && report.child === "crasher" ? Queue.offer(starts, undefined) : Effect.void
        }
        const tree = supervisor({
          path: "root",
          children: [
            {
              id: "inner",
              shutdown: "infinity",
              start: supervisor({ path: "root/inner", intensity: 1_000_000, children: [crasher("root/inner/crasher")] })
            }
          ]
        })
        yield* tree.pipe(Effect.provideService(Reports, sink), Effect.supervised(tracker))
        const system = yield* ActorSystem
        const crash = Effect.gen(function* () {
          const ref = yield* Effect.flatten(system.find(machine, "root/inner/crasher"))
          yield* ref.tell({ type: "CRASH" })
          yield* Queue.take(starts)
        })
        yield* Queue.take(starts)
        // The first thousand fill caches and let the compiler settle.
        yield* Effect.repeatN(crash, 999)
        const fibers = yield* settledCount(tracker)
        const before = heapBytes()
        yield* Effect.repeatN(crash, 9_999)
        const grownBytes = heapBytes() - before
        // Two supervisors, the actor, its timer and its activity.
        assert.strictEqual(yield* settledCount(tracker), fibers)
        assert.strictEqual(fibers, 5)
        assert.strictEqual((yield* system.list()).length, 3)
        // A leak of one 100-byte object per restart would be 1 MB.
        assert.isBelow(grownBytes, 1_000_000)
      }).pipe(Effect.provide(ActorSystem.layer)),
    // all of it is work of the processor, which others may want too
    240_000
  )
})

const settledCount = (tracker: Supervisor.Supervisor<ReadonlyArray<Fiber.RuntimeFiber<unknown, unknown>>>) =>
  Effect.repeatN(Effect.yieldNow(), 10).pipe(
    Effect.zipRight(tracker.value),
    Effect.map((fibers) => fibers.length)
  )
