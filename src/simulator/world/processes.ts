/**
 * The process port over simulated processes: what production's launchers stand on. A child is on its parent's leash and
 * has a control pipe; a daemon outlives who started it.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type ExitStatus, Processes } from "../../layers/process/index.ts"
import type { SimProcess } from "./process.ts"

/** Hears of the end of `child` as its own step; of the pipes' last words before it. */
const exitOf = (process: SimProcess, child: SimProcess): Effect.Effect<ExitStatus> => {
  const exit = Deferred.unsafeMake<ExitStatus>(process.fork(Effect.void).id())
  child.exited((status) => process.post(child, () => Deferred.unsafeDone(exit, Effect.succeed(status))))
  return Deferred.await(exit)
}

/** The processes of the machine that `process` runs on, as it sees them. */
export const layerProcesses = (process: SimProcess): Layer.Layer<Processes> => {
  const { machine } = process
  return Layer.succeed(Processes, {
    spawn: (options) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const child: SimProcess = machine.start(
            { ...options, tell: (line) => process.post(child, () => options.onControlLine?.(line)) },
            process
          )
          return { id: child.id, exit: exitOf(process, child), lastWords: () => child.lastWords, child }
        }),
        ({ child }) => endProcess(process, () => child, options.graceMs)
      ),
    daemon: (options) =>
      Effect.sync(() => {
        const child = machine.start(options)
        return { id: child.id, exit: exitOf(process, child) }
      }),
    self: process.id,
    identify: (pid) => Effect.sync(() => machine.processes.get(pid)?.id),
    alive: (id) => Effect.sync(() => machine.find(id) !== undefined),
    end: (id, graceMs) =>
      endProcess(
        process,
        () => {
          const target = machine.find(id)
          // a stopped process takes no SIGTERM until it goes on
          target?.continue()
          return target
        },
        graceMs
      ),
    portOwner: () => Effect.succeed(undefined),
    memory: (id) => Effect.sync(() => (machine.find(id) === undefined ? undefined : machine.memory(id.pid)))
  })
}

/** SIGTERM, `graceMs`, SIGKILL; returns when it is gone. `by` waits. */
const endProcess = (by: SimProcess, find: () => SimProcess | undefined, graceMs: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const target = find()
    if (target === undefined || !target.isAlive) return Effect.void
    return Effect.async<void>((resume) => {
      target.exited(() => by.post(target, () => resume(Effect.void)))
      if (graceMs <= 0) return target.kill()
      const stop = by.at(graceMs, () => target.kill())
      target.exited(stop)
      target.terminate()
    })
  })
