/**
 * The shutdown protocol (docs/design.md#shutdown) as the activities of the queen's chart. One absolute deadline,
 * counted from its first step: draining ends at 25 s, workers are killed by 30 s, hives by 33 s; idle, all of it takes
 * under 2 s.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Settings } from "../../../layers/settings/index.ts"
import * as say from "../../../machines/narration.ts"
import { type QueenCommand, queenMachine } from "../../../machines/queen.ts"
import type { ChildSpec } from "../../core/supervision/child.ts"
import { type MachineActor, machineActor } from "../../core/machine/machine-actor.ts"
import type { ActorSystem } from "../../core/system.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { EventRing } from "../log/event-ring.ts"
import type { Hives } from "../hives/hives.ts"
import type { Jobs } from "../jobs/jobs.ts"

/** how long a shutdown looks for a hive that should not run, milliseconds: its machine may not answer */
const lookMs = 1000

export interface ShutdownWorld {
  readonly view: ClusterView
  readonly ring: EventRing
  readonly hives: Hives
  readonly jobs: Jobs
  readonly times: Settings["shutdown"]
  readonly idleMs: number
  /** she ends in good order */
  readonly onGoodbye: () => void
  /** the end of this turn of the event loop: by then the readers have what was said in it */
  readonly endOfTurn: Effect.Effect<void>
}

export const queenActor = (
  world: ShutdownWorld,
  path: string,
  onStart: (actor: MachineActor<typeof queenMachine>) => void
): ChildSpec<ActorSystem, MachineActor<typeof queenMachine>> => {
  const { view, ring, hives, jobs, times } = world
  let began = 0
  let state: QueenCommand["state"] = "serving"
  /** Comes true `ms` after the shutdown began. */
  const after = (ms: number) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sleep(Math.max(0, began + ms - now)))

  const stopWorkers = Effect.suspend(() =>
    Effect.forEach(
      view.allWorkers(),
      (worker) =>
        Effect.suspend(() => view.hive(worker.hive)?.claimed?.api.stopWorker({ id: worker.id }) ?? Effect.void).pipe(
          Effect.ignore
        ),
      { concurrency: "unbounded", discard: true }
    )
  )
  const stopHives = Effect.suspend(() =>
    Effect.forEach(
      view.allHives(),
      ({ id, state }) => {
        const stopped = hives.stop(id)
        // One that was still starting when the queen before died is there and was never claimed: worth a look.
        if (state === "cold" || state === "failed") return Effect.ignore(Effect.timeoutOption(stopped, lookMs))
        return Effect.catchAll(stopped, () => Effect.sync(() => ring.narrate(say.hiveLeft(id), { hiveId: id })))
      },
      { concurrency: "unbounded", discard: true }
    )
  )

  const lines: Partial<Record<QueenCommand["state"], () => say.Line>> = {
    stopping_workers: say.cascadeWorkers,
    stopping_hives: say.cascadeHives,
    goodbye: say.goodbye
  }
  const perform = (command: QueenCommand): Effect.Effect<void> =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      if (command.state === "draining") began = now
      if (command.state !== state) ring.stateChanged("queen", "queen", state, command.state)
      state = command.state
      const line = lines[command.state]?.()
      if (line !== undefined) ring.narrate(line)
    })

  return {
    id: "queen",
    // Its end is the end of the whole tree.
    restart: "transient",
    significant: true,
    start: Effect.tap(
      machineActor({
        path,
        machine: queenMachine,
        input: { idleMs: world.idleMs },
        perform,
        activities: {
          drain: () => jobs.drain(Effect.suspend(() => after(times.drainMs))),
          stopWorkers: () =>
            Effect.raceFirst(
              stopWorkers,
              Effect.suspend(() => after(times.workersMs))
            ),
          stopHives: () =>
            Effect.raceFirst(
              stopHives,
              Effect.suspend(() => after(times.hivesMs))
            ),
          endStreams: () =>
            Effect.zipRight(
              Effect.sync(() => {
                world.onGoodbye()
                ring.end()
              }),
              world.endOfTurn
            )
        }
      }),
      (actor) => Effect.sync(() => onStart(actor))
    )
  }
}
