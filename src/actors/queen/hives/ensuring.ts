/** Step 3 of the flow (docs/design.md#the-flow): a caller waits until a hive is awake and what it can do is known. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { SnapshotFrom } from "xstate"
import { type Failing, heldTo, ofWaking } from "../../../protocol/failures.ts"
import { rbeeError } from "../../../machines/errors.ts"
import type { hiveMachine } from "../../../machines/hive.ts"
import { hiveCached } from "../../../machines/narration.ts"
import { until } from "../../core/actor.ts"
import type { HiveEntry } from "../cluster/hive-entry.ts"
import type { Running, Waiter } from "./known-hive.ts"

export interface Caller extends Waiter {
  /** hears nothing where nothing has to be waited for */
  readonly isSilent?: boolean
}

/** Why a hive is not awake. */
export type NotWoken = Failing<typeof ofWaking>
/** A chart keeps what it failed with, whatever that was. */
const told = heldTo(ofWaking)

type State = SnapshotFrom<typeof hiveMachine>

/** `stopped`: somebody had it end meanwhile; `died`: its actor did. Fails where the hive did. */
export const ensure = (
  { actor, hive }: Running,
  caller: Caller,
  capabilitiesMs: number,
  /** hives that are, this one among them */
  awakeNow: () => number
): Effect.Effect<"awake" | "stopped" | "died", NotWoken> =>
  Effect.gen(function* () {
    const { entry, row, waiters } = hive
    const since = yield* Clock.currentTimeMillis
    let hasSpoken = false
    const waiter: Waiter = {
      session: caller.session,
      takeOver: caller.takeOver,
      narrate: (line, ids) => {
        hasSpoken = true
        caller.narrate(line, ids)
      }
    }
    const now = yield* actor.ref.state
    if (!now.matches("healthy") || !isFresh(entry, since, since, capabilitiesMs)) {
      const outcome = yield* Effect.either(
        Effect.acquireUseRelease(
          Effect.sync(() => waiters.add(waiter)),
          () => awake({ actor, hive }, now, since, capabilitiesMs),
          () => Effect.sync(() => waiters.delete(waiter))
        )
      )
      if (outcome._tag === "Left") return "died"
      if (outcome.right.matches("stopped")) return "stopped"
      if (outcome.right.matches("failed"))
        return yield* told(
          outcome.right.context.error ?? rbeeError("INTERNAL", `hive ${row.id} failed`, "See `rbee logs hive`")
        )
    }
    if (!hasSpoken && caller.isSilent !== true) caller.narrate(hiveCached(row.id, awakeNow()), { hiveId: row.id })
    return "awake"
  })

/** Nothing of it is to be waited for. */
export const isAwake = (entry: HiveEntry, now: number, capabilitiesMs: number): boolean =>
  entry.state === "healthy" && isFresh(entry, now, now, capabilitiesMs)

/** Asks for it and waits: for a hive that is awake and known, or for why it is not. */
const awake = ({ actor, hive: { entry } }: Running, now: State, since: number, capabilitiesMs: number) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const ticket = now.context.asked + 1
    yield* actor.ref.tell({ type: "ENSURE" })
    if (now.matches("healthy")) yield* actor.ref.tell({ type: "REFRESH" })
    return yield* until(actor.ref, (state) => {
      if (state.context.asked < ticket) return false
      if (state.matches("failed") || state.matches("stopped")) return true
      return state.matches("healthy") && isFresh(entry, since, clock.unsafeCurrentTimeMillis(), capabilitiesMs)
    })
  })

const isFresh = (
  { claimed, devices, devicesAt }: HiveEntry,
  since: number,
  now: number,
  capabilitiesMs: number
): boolean => {
  if (claimed === undefined || devices === undefined) return false
  return devicesAt >= since || now - devicesAt < capabilitiesMs
}
