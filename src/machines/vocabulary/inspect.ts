/**
 * What an inspector sees: one record a line (of a trace file) or an event (of `/inspect/events`). `actor`, `event` and
 * `snapshot` are the three messages of Stately's inspection protocol, with paths for session ids; the others are what
 * supervision and a cluster add. A trace file is JSON lines: a `trace` record first, then the others in order of time.
 */
import * as Schema from "effect/Schema"
import { Count, EpochMs } from "./common.ts"
import { JobId } from "./ids.ts"

/** Which program says it: `queen`, `hive-localhost`, or a simulated process. Paths are unique within it. */
const from = { at: EpochMs, daemon: Schema.String }

/** The first record: of a file, and each time that a stream begins anew; what was known before is forgotten. */
export const TraceHeader = Schema.Struct({
  kind: Schema.Literal("trace"),
  version: Schema.Literal(1),
  source: Schema.Literal("cluster", "simulation"),
  at: EpochMs,
  /** of a simulation */
  seed: Schema.optional(Schema.Number)
})
export type TraceHeader = typeof TraceHeader.Type

/** A timer of a chart that is running: the event it will send, and when, milliseconds since 1970. */
export const PendingTimer = Schema.Struct({ event: Schema.String, due: EpochMs })
export type PendingTimer = typeof PendingTimer.Type

/** Restarts within the period that is running; one more than `max` is too many. */
export const Restarts = Schema.Struct({ count: Count, max: Count, period_ms: Schema.Number })
export type Restarts = typeof Restarts.Type

/** A machine's state as Stately writes it; `context` is redacted. */
export const ChartSnapshot = Schema.Struct({
  status: Schema.Literal("active", "done", "error", "stopped"),
  /** `"cold"`, or nested: `{"healthy": "idle"}` */
  value: Schema.Unknown,
  tags: Schema.Array(Schema.String),
  context: Schema.optional(Schema.Unknown)
})
export type ChartSnapshot = typeof ChartSnapshot.Type

/** The children of a supervisor, in start order; `running` is false while a failed restart waits to be tried again. */
export const Children = Schema.Array(Schema.Struct({ id: Schema.String, running: Schema.Boolean }))

export const ActorRecord = Schema.Struct({
  kind: Schema.Literal("actor"),
  ...from,
  path: Schema.String,
  /** path of its supervisor, and its id there; absent at the root */
  parent: Schema.optional(Schema.String),
  child: Schema.optional(Schema.String),
  /** id of its chart (see `/inspect/machines`); absent: a supervisor */
  machine: Schema.optional(Schema.String),
  snapshot: Schema.optional(ChartSnapshot),
  children: Schema.optional(Children),
  /** milliseconds since 1970 */
  started: EpochMs
})

const EventObject = Schema.Struct({ type: Schema.String }, { key: Schema.String, value: Schema.Unknown })

export const EventRecord = Schema.Struct({
  kind: Schema.Literal("event"),
  ...from,
  path: Schema.String,
  event: EventObject
})

export const SnapshotRecord = Schema.Struct({
  kind: Schema.Literal("snapshot"),
  ...from,
  path: Schema.String,
  event: Schema.Struct({ type: Schema.String }),
  snapshot: ChartSnapshot
})

/** What changes without a transition; sent after changes, at most a few times a second. */
export const VitalsRecord = Schema.Struct({
  kind: Schema.Literal("vitals"),
  ...from,
  path: Schema.String,
  /** messages that wait */
  mailbox: Schema.optional(Count),
  timers: Schema.optional(Schema.Array(PendingTimer)),
  restarts: Schema.optional(Restarts),
  children: Schema.optional(Children)
})

/** An actor is gone. `defect`: it died of a bug; `killed`: interrupted by somebody who is not its supervisor. */
export const ExitRecord = Schema.Struct({
  kind: Schema.Literal("exit"),
  ...from,
  path: Schema.String,
  reason: Schema.Literal("normal", "stopped", "defect"),
  error: Schema.optional(Schema.String)
})

/**
 * A supervisor's report on a child (four fields, as in OTP): start, exit, restart, escalation (`gave_up`), shutdown
 * (`stopped`). A worker's chart reports the restarts of its process in the same way, with its backoff.
 */
export const SupervisionRecord = Schema.Struct({
  kind: Schema.Literal("supervision"),
  ...from,
  /** of the supervisor */
  path: Schema.String,
  child: Schema.String,
  context: Schema.Literal(
    "started",
    "start_error",
    "child_terminated",
    "restarting",
    "stopped",
    "killed",
    "shutdown_error",
    "gave_up"
  ),
  reason: Schema.String,
  restarts: Schema.optional(Restarts),
  /** milliseconds until the next try */
  backoff_ms: Schema.optional(Schema.Number)
})

/** A program of the cluster is heard of, or no longer: then its actors are gone with it. */
export const DaemonRecord = Schema.Struct({
  kind: Schema.Literal("daemon"),
  ...from,
  state: Schema.Literal("up", "down")
})

/** The queen's view of a hive, a worker or a job (HiveView with device beats, WorkerView, JobView); null: gone. */
export const ViewRecord = Schema.Struct({
  kind: Schema.Literal("view"),
  ...from,
  of: Schema.Literal("hive", "worker", "job"),
  id: Schema.String,
  view: Schema.NullOr(Schema.Unknown)
})

/** A line that somebody was told. */
export const NarrationRecord = Schema.Struct({
  kind: Schema.Literal("narration"),
  ...from,
  actor: Schema.String,
  action: Schema.String,
  human: Schema.String,
  level: Schema.Literal("info", "warn", "error"),
  job: Schema.optional(JobId)
})

/** So many records were dropped because the reader was slow. */
export const LostRecord = Schema.Struct({ kind: Schema.Literal("lost"), ...from, count: Count })

/** A simulation broke an invariant; or (`fault`) did something to the cluster. */
export const ViolationRecord = Schema.Struct({
  kind: Schema.Literal("violation"),
  ...from,
  invariant: Schema.String,
  message: Schema.String
})
export const FaultRecord = Schema.Struct({ kind: Schema.Literal("fault"), ...from, what: Schema.String })

export const InspectRecord = Schema.Union(
  TraceHeader,
  ActorRecord,
  EventRecord,
  SnapshotRecord,
  VitalsRecord,
  ExitRecord,
  SupervisionRecord,
  DaemonRecord,
  ViewRecord,
  NarrationRecord,
  LostRecord,
  ViolationRecord,
  FaultRecord
)
export type InspectRecord = typeof InspectRecord.Type
