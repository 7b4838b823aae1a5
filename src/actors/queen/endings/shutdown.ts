/**
 * The shutdown protocol (docs/design.md#shutdown) as the activities of the queen's chart. One absolute deadline,
 * counted from its first step: draining ends at 25 s, workers are killed by 30 s, hives by 33 s; idle, all of it takes
 * under 2 s.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { CurrentSettings } from "../../../layers/settings/index.ts"
import { Turns } from "../../../layers/turns/index.ts"
import * as say from "../../../machines/narration.ts"
import { type QueenCommand, queenMachine } from "../../../machines/queen.ts"
import type { ChildSpec } from "../../core/supervision/child.ts"
import { type MachineActor, machineActor } from "../../core/machine/machine-actor.ts"
import type { ActorSystem } from "../../core/system.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import type { HiveEntry } from "../cluster/hive-entry.ts"
import { Hives } from "../hives/hives.ts"
import { Jobs } from "../jobs/jobs.ts"
import { Events } from "../log/event-ring.ts"
import { LiveJobs } from "../log/live-jobs.ts"
import { SessionBook } from "../sessions/stored-sessions.ts"
import { OwnLife, ownPath } from "./own-life.ts"

/** how long a shutdown looks for a hive that should not run, milliseconds: its machine may not answer */
const lookMs = 1000

type Ports = ActorSystem | Cluster | CurrentSettings | Events | Hives | Jobs | LiveJobs | OwnLife | SessionBook | Turns

/** Her end is the end of the whole tree. */
export const queenActor: ChildSpec<Ports, MachineActor<typeof queenMachine>> = {
  id: "queen",
  restart: "transient",
  significant: true,
  start: Effect.gen(function* () {
    const { queen, shutdown: times } = yield* CurrentSettings
    let began = 0
    let state: QueenCommand["state"] = "serving"
    const { narrate, stateChanged } = yield* Events
    const { leave } = yield* OwnLife
    const perform = (command: QueenCommand): Effect.Effect<void> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (command.state === "draining") began = now
        if (command.state !== state) stateChanged("queen", "queen", state, command.state)
        state = command.state
        const line = lines[command.state]?.()
        if (line !== undefined) narrate(line)
        return state === "serving" ? Effect.void : leave
      })
    /** Comes true `ms` after the shutdown began. */
    const after = (ms: number) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sleep(Math.max(0, began + ms - now)))
    const within = <R>(ms: number, work: Effect.Effect<void, never, R>) =>
      Effect.raceFirst(
        work,
        Effect.suspend(() => after(ms))
      )

    const actor = yield* machineActor({
      path: ownPath,
      machine: queenMachine,
      input: { idleMs: queen.idleMs },
      perform,
      activities: {
        drain: () => Effect.flatMap(Jobs, (jobs) => jobs.drain(Effect.suspend(() => after(times.drainMs)))),
        stopWorkers: () => within(times.workersMs, stopWorkers),
        stopHives: () => within(times.hivesMs, stopHives),
        endStreams: () => endStreams
      }
    })
    if ((yield* LiveJobs).isBusy) yield* actor.ref.tell({ type: "BUSY" })
    return actor
  })
}

const lines: Partial<Record<QueenCommand["state"], () => say.Line>> = {
  stopping_workers: say.cascadeWorkers,
  stopping_hives: say.cascadeHives,
  goodbye: say.goodbye
}

const stopWorkers = Effect.flatMap(Cluster, (view) =>
  Effect.forEach(
    view.allWorkers(),
    ({ hive, id }) =>
      Effect.ignore(Effect.suspend(() => view.hive(hive)?.claimed?.api.stopWorker({ id }) ?? Effect.void)),
    { concurrency: "unbounded", discard: true }
  )
)

const stopHives = Effect.flatMap(Cluster, (view) =>
  Effect.forEach(view.allHives(), stopHive, { concurrency: "unbounded", discard: true })
)

const stopHive = ({ id, state }: HiveEntry) =>
  Effect.gen(function* () {
    const hives = yield* Hives
    const { narrate } = yield* Events
    const stopped = hives.stop(id)
    // nothing runs there, and nobody looks
    if (state === "asleep") return
    // One that was still starting when the queen before died is there and was never claimed: worth a look.
    if (state === "cold" || state === "failed") return yield* Effect.ignore(Effect.timeoutOption(stopped, lookMs))
    yield* Effect.catchAll(stopped, () => Effect.sync(() => narrate(say.hiveLeft(id), { hiveId: id })))
  })

/** She ends in good order; by the end of this turn of the event loop the readers have what was said in it. */
const endStreams = Effect.gen(function* () {
  const sessions = yield* SessionBook
  const events = yield* Events
  const { atEndOfTurn } = yield* Turns
  sessions.gone("queen", "queen")
  events.end()
  yield* Effect.async<void>((resume) => atEndOfTurn(() => resume(Effect.void)))
})
