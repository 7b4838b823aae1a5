/** What an observer of the actor system sees, as records of the inspector's vocabulary. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type { InspectRecord } from "../../machines/vocabulary/inspect.ts"
import { ChartSnapshot } from "../../machines/vocabulary/inspect.ts"
import type { ActorEntry, Observation } from "../core/system.ts"
import { redact, type RedactOptions } from "./redact.ts"

/** `daemon`: the program whose actors these are. */
export const recordOf = (seen: Observation, daemon: string, options: RedactOptions): InspectRecord => {
  const from = { at: seen.atMs, daemon, path: seen.path }
  switch (seen.type) {
    case "started":
      return actorRecord(seen.entry, seen.snapshot, daemon, seen.atMs, options)
    case "event":
      return { kind: "event", ...from, event: eventOf(seen.event, options) }
    case "snapshot":
      return {
        kind: "snapshot",
        ...from,
        event: { type: seen.event.type },
        snapshot: snapshotOf(seen.snapshot, options)
      }
    case "stopped":
      return { kind: "exit", ...from, ...exitOf(seen.exit) }
    case "supervision":
      return {
        kind: "supervision",
        ...from,
        child: seen.child,
        context: seen.context,
        reason: Cause.isCause(seen.reason) ? firstLine(seen.reason) : String(seen.reason),
        ...(seen.restarts === undefined ? {} : { restarts: seen.restarts }),
        ...(seen.backoffMs === undefined ? {} : { backoff_ms: seen.backoffMs })
      }
    case "narration": {
      const { line, job } = seen
      // a hive's line that is passed on has the time of its own
      return { ...line, kind: "narration", at: seen.atMs, daemon, ...(job === undefined ? {} : { job }) }
    }
  }
}

/** A living actor, as it is now. */
export const actorRecord = (
  { kind, lineage, machine, path, startedAt }: ActorEntry,
  state: unknown,
  daemon: string,
  at: number,
  options: RedactOptions
): InspectRecord => ({
  kind: "actor",
  at,
  daemon,
  path,
  ...(lineage === undefined ? {} : { parent: lineage.supervisor, child: lineage.child }),
  ...(kind === "machine" ? { machine: machine?.id ?? "", snapshot: snapshotOf(state, options) } : {}),
  ...(kind === "supervisor" ? { children: childrenOf(state) } : {}),
  started: startedAt
})

type Child = { readonly id: string; readonly running: boolean }

/** A supervisor's state is the list of its children. */
export const childrenOf = (state: unknown): ReadonlyArray<Child> => (Array.isArray(state) ? state.filter(isChild) : [])

const isChild = (value: unknown): value is Child =>
  typeof value === "object" && value !== null && "id" in value && "running" in value

/** A machine's snapshot is a live object; only what can be shown of it leaves. */
const snapshotOf = (snapshot: unknown, options: RedactOptions): ChartSnapshot => {
  const { context, status, tags, value } = fieldsOf(snapshot)
  return {
    status: isStatus(status) ? status : "active",
    value: value ?? null,
    tags: tags instanceof Set ? [...tags].map(String) : [],
    context: redact(context, options)
  }
}

const isStatus = (status: unknown): status is ChartSnapshot["status"] =>
  typeof status === "string" && statuses.has(status)
const statuses: ReadonlySet<string> = new Set(ChartSnapshot.fields.status.literals)

const eventOf = (event: { readonly type: string }, options: RedactOptions): { readonly type: string } => ({
  ...fieldsOf(redact(event, options)),
  type: event.type
})

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  // Any object can be read by name; the values stay unknown.
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {}

const exitOf = (exit: Exit.Exit<unknown, unknown>) => {
  if (Exit.isSuccess(exit)) return { reason: "normal" as const }
  if (Cause.isInterruptedOnly(exit.cause)) return { reason: "stopped" as const }
  return { reason: "defect" as const, error: firstLine(exit.cause) }
}

const firstLine = (cause: Cause.Cause<unknown>): string => Cause.pretty(cause).split("\n", 1)[0] ?? ""
