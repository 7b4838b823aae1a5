/** Waiting for what becomes of a hive: that it was looked at, that it has left, that it has stopped. */
import * as Effect from "effect/Effect"
import type { SnapshotFrom } from "xstate"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { hiveMachine } from "../../../machines/hive.ts"
import { type ActorStopped, until } from "../../core/actor.ts"
import { leaveMs } from "./finding.ts"
import { notFound, type Running } from "./known-hive.ts"

/** A hive that ends is looked at so often, milliseconds. */
const lookMs = 250

const runs = (state: SnapshotFrom<typeof hiveMachine>) => state.matches("healthy") || state.matches("degraded")

/** Has it looked at now; returns when it is known how it is. */
export const suspect = ({ actor }: Running): Effect.Effect<void, ActorStopped> =>
  Effect.gen(function* () {
    const { looked } = (yield* actor.ref.state).context
    yield* actor.ref.tell({ type: "SUSPECT" })
    yield* until(actor.ref, (state) => !runs(state) || state.context.looked > looked)
  })

/** Of one that ends: returns when that process is gone, or has had its time. */
export const untilLeft = (running: Running): Effect.Effect<void, ActorStopped> =>
  Effect.gen(function* () {
    const { ref } = running.actor
    const { claimed } = (yield* ref.state).context
    const gone = until(ref, (state) => !runs(state) || state.context.claimed?.instance !== claimed?.instance)
    const looking = Effect.forever(Effect.zipRight(Effect.ignore(suspect(running)), Effect.sleep(lookMs)))
    yield* Effect.timeoutOption(Effect.raceFirst(gone, looking), leaveMs)
  })

/** Why it is not known whether a hive is gone. */
export type NotStopped = RbeeError<"CONNECTION_TIMEOUT" | "HIVE_NOT_FOUND">

/** Stops it, gracefully and then by force; returns when it is gone, fails where that cannot be known. */
export const stopAndWait = ({ actor, hive: { row } }: Running): Effect.Effect<void, NotStopped> =>
  Effect.gen(function* () {
    const { id } = row
    const ticket = (yield* actor.ref.state).context.told + 1
    yield* actor.ref.tell({ type: "STOP" })
    const { error } = (yield* Effect.catchAll(
      until(actor.ref, (state) => state.matches("stopped") && state.context.told >= ticket),
      () => notFound(id)
    )).context
    if (error !== undefined)
      return yield* rbeeError(
        "CONNECTION_TIMEOUT",
        `hive ${id} was told to stop and cannot be reached: ${error.what}`,
        "It is stopped as soon as this queen hears of it, and ends by itself when nobody uses it"
      )
  })
