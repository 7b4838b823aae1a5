/** What a worker's snapshot says, in the words of the wire. */
import type { SnapshotFrom } from "xstate"
import type { SetUp } from "../../../machines/policy/memory/setup.ts"
import { type Shape, toMb } from "../../../machines/policy/memory/fit.ts"
import type { WorkerBeat, WorkerState } from "../../../machines/vocabulary/worker.ts"
import type { workerMachine } from "../../../machines/worker.ts"
import type { WorkerLife } from "./worker-life.ts"
import type { WorkerId, DeviceId, ModelRef } from "../../../machines/vocabulary/ids.ts"

export type Snapshot = SnapshotFrom<typeof workerMachine>

export const stateOf = (snapshot: Snapshot): WorkerState => {
  if (snapshot.hasTag("cold") || snapshot.hasTag("waking")) return "waking"
  if (snapshot.hasTag("stopped")) return "stopped"
  if (snapshot.hasTag("failed")) return "failed"
  if (snapshot.hasTag("degraded")) return "degraded"
  if (snapshot.hasTag("loading")) return "loading"
  if (!snapshot.hasTag("healthy")) return "stopping"
  if (snapshot.hasTag("stopping")) return "draining"
  return snapshot.context.beat.busy > 0 ? "busy" : "idle"
}

/** Somebody new may count on it. */
export const isJoinable = (snapshot: Snapshot): boolean =>
  ["waking", "loading", "idle", "busy", "degraded"].includes(stateOf(snapshot))

/** It has taken its memory, and answers. */
export const isServing = (snapshot: Snapshot): boolean => ["idle", "busy"].includes(stateOf(snapshot))

/** Something is under way that its hive must not end for being idle. */
export const isInUse = (snapshot: Snapshot): boolean =>
  ["waking", "loading", "busy", "degraded"].includes(stateOf(snapshot))

/** As loaded, or as it will be. */
export const shapeOf = ({ context }: Snapshot): Shape => context.ready ?? context.shape

export const beatOf = (
  {
    options: worker,
    setUp
  }: {
    readonly options: { readonly id: WorkerId; readonly device: { readonly id: DeviceId }; readonly modelRef: ModelRef }
    readonly setUp: Omit<SetUp, "slots">
  },
  snapshot: Snapshot,
  { current, restarts }: Pick<WorkerLife, "current" | "restarts">,
  memoryBytes: number | undefined
): WorkerBeat => {
  const { bound, ready, beat, loadProgress } = snapshot.context
  // the number of threads is no matter of the queen's: a field more would have every beat go the slow way of Schema
  const { threads: _, ...exactness } = ready?.exactness ?? {}
  return {
    id: worker.id,
    instance: current?.instance ?? "",
    ...(current?.process === undefined ? {} : { pid: current.process.pid }),
    state: stateOf(snapshot),
    load_progress: loadProgress,
    ...(bound?.port === undefined ? {} : { port: bound.port }),
    ...(bound === undefined ? {} : { url: bound.url }),
    device: worker.device.id,
    model: worker.modelRef,
    context: ready?.context ?? 0,
    slots: shapeOf(snapshot).slots,
    ...setUp,
    busy: beat.busy,
    tokens_out: beat.tokens_out,
    restarts,
    infers: beat.infers,
    ...(memoryBytes === undefined ? {} : { memory_mb: toMb(memoryBytes) }),
    ...(snapshot.context.pinned ? { pinned: true } : {}),
    ...exactness
  }
}
