/** What a hive's heartbeat means to its queen. */
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { Heartbeat } from "../../../machines/vocabulary/hive.ts"
import { type HiveEntry, hasOthers } from "../cluster/hive-entry.ts"
import type { Running } from "./known-hive.ts"

/** What most beats are: of a healthy hive's claimed process. What they say is taken over, and that is all. */
export const isUsual = (entry: HiveEntry | undefined, { devices, instance }: Heartbeat): boolean =>
  entry?.state === "healthy" && entry.claimed?.instance === instance && !hasOthers(entry, devices)

/** Any other may mean something to the hive's chart. */
export const tellOfBeat = (
  { actor, hive: { entry } }: Running,
  beat: Heartbeat
): Effect.Effect<void, RbeeError<"CONFLICT">> =>
  Effect.gen(function* () {
    const { instance } = beat
    const state = yield* actor.ref.state
    const isClaimed = entry.claimed?.instance === instance
    if (isClaimed || state.hasTag("waking")) {
      if (!isClaimed) entry.hear(beat)
      yield* actor.ref.latest("beat", { type: "BEAT", instance })
      // a GPU was found after its runtime was installed, or a driver is gone
      if (state.matches("healthy") && hasOthers(entry, beat.devices)) yield* actor.ref.tell({ type: "REFRESH" })
      return
    }
    // It runs and nobody has claimed it, or another process took its place.
    // Failed is what it was to us: a machine that could not be reached may be back with its living workers.
    const { ended, error } = state.context
    const isOver = state.matches("asleep") || (state.matches("stopped") && error === undefined)
    if (state.matches("cold") || state.matches("failed")) yield* actor.ref.latest("look", { type: "ENSURE" })
    else if (!isOver) yield* actor.ref.latest("look", { type: "SUSPECT" })
    // The last beats of a process that was stopped may come after its end.
    else if (instance !== ended) yield* actor.ref.latest("look", { type: "ATTACH" })
    return yield* rbeeError("CONFLICT", `this process of hive ${entry.id} is not claimed by this queen`)
  })
