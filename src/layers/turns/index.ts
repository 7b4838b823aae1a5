/**
 * The end of the event-loop turn: where work that was gathered during a turn is done once (one journal transaction,
 * one write a reader). In production that is `setImmediate`; in simulation the simulator's own scheduler.
 */
import * as Context from "effect/Context"

export class Turns extends Context.Tag("rbee/Turns")<
  Turns,
  {
    /** Runs `work` once, after the events that are already in this turn. */
    readonly atEndOfTurn: (work: () => void) => void
  }
>() {}
