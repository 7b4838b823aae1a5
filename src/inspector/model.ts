/** What is known at one moment of a trace: a fold over its records. Pure; values are replaced, never changed. */
import type { ChartSnapshot, InspectRecord, PendingTimer, Restarts } from "../machines/vocabulary/inspect.ts"
import type { HiveView, WorkerView } from "../machines/vocabulary/hive.ts"
import type { DeviceBeat } from "../machines/vocabulary/device.ts"
import type { JobView } from "../machines/vocabulary/job.ts"
import { isObject } from "../machines/formats/json/is-object.ts"
import { modelName } from "../web/kit/amounts.ts"

export type Of<K extends InspectRecord["kind"]> = Extract<InspectRecord, { readonly kind: K }>
type HistoryRecord = Of<"event" | "snapshot" | "supervision" | "exit" | "actor">

export interface ActorState {
  readonly key: string
  readonly daemon: string
  readonly path: string
  readonly parent: string | undefined
  readonly child: string | undefined
  /** id of its chart; undefined: a supervisor */
  readonly machine: string | undefined
  readonly snapshot: ChartSnapshot | undefined
  readonly children: ReadonlyArray<{ readonly id: string; readonly running: boolean }>
  readonly started: number
  readonly mailbox: number
  readonly timers: ReadonlyArray<PendingTimer>
  readonly restarts: Restarts | undefined
  /** deaths of this actor, or restarts of its process, that were followed by another life, and when the last one was */
  readonly restarted: number
  readonly restartedAt: number | undefined
  /** the last transition: where it came from, by which event */
  readonly last: { readonly from: unknown; readonly event: string; readonly at: number } | undefined
  /** newest last */
  readonly history: ReadonlyArray<HistoryRecord>
  /** when it ended; it is shown for a moment longer */
  readonly gone: number | undefined
}

export type HiveShown = HiveView & { readonly beats?: ReadonlyArray<DeviceBeat> }

export interface WorkerShown {
  readonly view: WorkerView
  /** tokens a second, over the last beats */
  readonly rate: number
  readonly at: number
}

export interface Phase {
  readonly state: string
  readonly from: number
  readonly to: number | undefined
}

export interface JobShown {
  readonly id: string
  readonly view: JobView | undefined
  readonly phases: ReadonlyArray<Phase>
  readonly lines: ReadonlyArray<Of<"narration">>
}

export interface World {
  at: number
  header: Of<"trace"> | undefined
  lost: number
  readonly daemons: Map<string, "up" | "down">
  readonly actors: Map<string, ActorState>
  readonly hives: Map<string, HiveShown>
  readonly workers: Map<string, WorkerShown>
  /** what the ids of workers stand for, of those too that have gone */
  readonly workerNames: Map<string, string>
  readonly jobs: Map<string, JobShown>
  lines: ReadonlyArray<Of<"narration">>
}

export const emptyWorld = (): World => ({
  at: 0,
  header: undefined,
  lost: 0,
  daemons: new Map(),
  actors: new Map(),
  hives: new Map(),
  workers: new Map(),
  workerNames: new Map(),
  jobs: new Map(),
  lines: []
})

export const copyWorld = (world: World): World => ({
  ...world,
  daemons: new Map(world.daemons),
  actors: new Map(world.actors),
  hives: new Map(world.hives),
  workers: new Map(world.workers),
  workerNames: new Map(world.workerNames),
  jobs: new Map(world.jobs)
})

export const keyOf = (daemon: string, path: string): string => `${daemon}|${path}`

const historyMax = 60
const linesMax = 400
/** An ended actor stays in sight for so long, milliseconds. */
export const lingerMs = 6000

/** of a job */
export const isEnd = (state: string): boolean => ["done", "failed", "cancelled"].includes(state)

const push = <A>(list: ReadonlyArray<A>, item: A, max: number): ReadonlyArray<A> =>
  list.length >= max ? [...list.slice(list.length - max + 1), item] : [...list, item]

/** Takes one record into the world. */
export const apply = (world: World, record: InspectRecord): void => {
  world.at = Math.max(world.at, record.at)
  switch (record.kind) {
    case "trace":
      Object.assign(world, emptyWorld(), { header: record, at: record.at, jobs: world.jobs, lines: world.lines })
      return
    case "daemon":
      world.daemons.set(record.daemon, record.state)
      for (const [key, actor] of world.actors)
        if (actor.daemon === record.daemon) {
          if (record.state === "up") world.actors.delete(key)
          else world.actors.set(key, { ...actor, gone: actor.gone ?? record.at })
        }
      return
    case "actor":
      return started(world, record)
    case "event":
      return change(world, record, (actor) => ({ history: push(actor.history, record, historyMax) }))
    case "snapshot":
      return snapshot(world, record)
    case "vitals":
      return change(world, record, (actor) => ({
        mailbox: record.mailbox ?? actor.mailbox,
        timers: record.timers ?? actor.timers,
        restarts: record.restarts ?? actor.restarts,
        children: record.children ?? actor.children
      }))
    case "exit":
      return change(world, record, (actor) => ({
        gone: record.at,
        timers: [],
        history: push(actor.history, record, historyMax)
      }))
    case "supervision":
      return supervised(world, record)
    case "view":
      return viewed(world, record)
    case "narration":
      world.lines = push(world.lines, record, linesMax)
      if (record.job !== undefined)
        changeJob(world, record.job, (job) => ({ lines: push(job.lines, record, linesMax) }))
      return
    case "lost":
      world.lost += record.count
      return
    case "violation":
    case "fault":
      return
  }
}

type At = { readonly daemon: string; readonly path: string }

const change = (world: World, { daemon, path }: At, patch: (actor: ActorState) => Partial<ActorState>): void => {
  const key = keyOf(daemon, path)
  const actor = world.actors.get(key)
  if (actor !== undefined) world.actors.set(key, { ...actor, ...patch(actor) })
}

const started = (world: World, record: Of<"actor">): void => {
  const { daemon, path } = record
  const key = keyOf(daemon, path)
  const before = world.actors.get(key)
  sweep(world)
  world.actors.delete(key)
  world.actors.set(key, {
    key,
    daemon,
    path,
    parent: record.parent,
    child: record.child,
    machine: record.machine,
    snapshot: record.snapshot,
    children: record.children ?? [],
    started: record.started,
    mailbox: 0,
    timers: [],
    restarts: undefined,
    restarted: before?.restarted ?? 0,
    restartedAt: before?.restartedAt,
    last: undefined,
    history: push(before?.history ?? [], record, historyMax),
    gone: undefined
  })
  if (record.machine === "job") phase(world, path, record.snapshot?.value, record.at)
}

const sweep = (world: World): void => {
  for (const [key, { gone }] of world.actors)
    if (gone !== undefined && world.at - gone > 10 * lingerMs) world.actors.delete(key)
}

const snapshot = (world: World, record: Of<"snapshot">): void => {
  change(world, record, (actor) => {
    const moved = JSON.stringify(actor.snapshot?.value) !== JSON.stringify(record.snapshot.value)
    return {
      snapshot: record.snapshot,
      history: push(actor.history, record, historyMax),
      ...(moved ? { last: { from: actor.snapshot?.value, event: record.event.type, at: record.at } } : {})
    }
  })
  const actor = world.actors.get(keyOf(record.daemon, record.path))
  if (actor?.machine === "job") phase(world, record.path, record.snapshot.value, record.at)
}

/** The outermost word of a state value. */
export const wordOf = (value: unknown): string =>
  typeof value === "string" ? value : isObject(value) ? (Object.keys(value)[0] ?? "") : ""

const changeJob = (world: World, id: string, patch: (job: JobShown) => Partial<JobShown>): void => {
  const job = world.jobs.get(id) ?? { id, view: undefined, phases: [], lines: [] }
  world.jobs.set(id, { ...job, ...patch(job) })
}

const phase = (world: World, path: string, value: unknown, at: number): void => {
  const state = wordOf(value)
  changeJob(world, path.slice(path.lastIndexOf("/") + 1), ({ phases }) => {
    const last = phases.at(-1)
    if (last?.state === state && last.to === undefined) return {}
    const closed = phases.map((one) => (one.to === undefined ? { ...one, to: at } : one))
    return { phases: [...closed, { state, from: at, to: isEnd(state) ? at : undefined }] }
  })
}

const supervised = (world: World, record: Of<"supervision">): void => {
  change(world, record, (actor) => ({
    history: push(actor.history, record, historyMax),
    restarts: record.restarts ?? actor.restarts
  }))
  if (record.context !== "restarting") return
  const restarted = (actor: ActorState) => ({ restarted: actor.restarted + 1, restartedAt: record.at })
  const own = world.actors.get(keyOf(record.daemon, record.path))
  // a chart that restarts its process speaks of itself; a supervisor of its child
  if (own?.machine !== undefined) return change(world, record, restarted)
  for (const actor of world.actors.values())
    if (actor.daemon === record.daemon && actor.parent === record.path && actor.child === record.child)
      change(world, actor, restarted)
}

const viewed = (world: World, { at, id, of, view }: Of<"view">): void => {
  switch (of) {
    case "hive":
      if (view === null) world.hives.delete(id)
      // what the queen writes under these kinds has these types (vocabulary/inspect.ts)
      else world.hives.set(id, view as HiveShown)
      return
    case "worker": {
      if (view === null) return void world.workers.delete(id)
      const next = view as WorkerView
      world.workerNames.set(id, `${modelName(next.model)} on ${next.device}`)
      const before = world.workers.get(id)
      const seconds = before === undefined ? 0 : (at - before.at) / 1000
      const made = next.tokens_out - (before?.view.tokens_out ?? next.tokens_out)
      const isNews = before === undefined || made > 0 || seconds > 2.5 || before.view.instance !== next.instance
      const rate = seconds <= 0 || made < 0 ? 0 : made / seconds
      world.workers.set(id, isNews ? { view: next, rate, at } : { ...before, view: next })
      return
    }
    case "job": {
      const next = view as JobView
      changeJob(world, id, ({ phases }) => ({
        view: next,
        ...(phases.length === 0 ? { phases: pastPhases(next) } : {})
      }))
    }
  }
}

/** Of a job that ended before anybody watched only its timings are left. */
const pastPhases = ({ created_at, state, timings }: JobView): ReadonlyArray<Phase> => {
  if (!isEnd(state)) return []
  const marks: ReadonlyArray<readonly [string, number | undefined]> = [
    ["placing", timings.placed_ms],
    ["starting", timings.started_ms ?? timings.first_token_ms],
    ["streaming", timings.total_ms]
  ]
  const phases: Array<Phase> = []
  let from = created_at
  for (const [name, ms] of marks) {
    if (ms === undefined) continue
    phases.push({ state: name, from, to: created_at + ms })
    from = created_at + ms
  }
  return [...phases, { state, from, to: from }]
}
