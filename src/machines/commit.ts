/**
 * How what jobs say becomes durable: gathered → committing → committed, for all jobs of a queen together. A table and no
 * chart: it is walked once a turn of the event loop, on the token path.
 */
import { invariant } from "./invariant.ts"

/**
 * - `committed`: nothing waits.
 * - `gathered`: there is something for the next commit, at the end of this turn.
 * - `committing`: the journal has it, and has not answered.
 * - `overtaken`: the same, and more was gathered meanwhile.
 * - `lost`: a commit failed. What came after it would leave a gap, so nothing is written any more.
 */
export type CommitState = "committed" | "gathered" | "committing" | "overtaken" | "lost"
export type CommitEvent = "GATHER" | "COMMIT" | "DURABLE" | "FAIL"

const table: Readonly<Record<CommitState, Readonly<Partial<Record<CommitEvent, CommitState>>>>> = {
  committed: { GATHER: "gathered" },
  gathered: { GATHER: "gathered", COMMIT: "committing" },
  committing: { GATHER: "overtaken", DURABLE: "committed", FAIL: "lost" },
  overtaken: { GATHER: "overtaken", DURABLE: "gathered", FAIL: "lost" },
  lost: { GATHER: "lost" }
}

/** One commit at a time, answered once: anything else must never be. */
export const afterCommit = (state: CommitState, event: CommitEvent): CommitState => {
  const next = table[state][event]
  invariant(next !== undefined, () => `${event} of a journal that is ${state}`)
  return next
}
