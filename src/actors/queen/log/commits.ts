/**
 * One commit for all that the jobs of a queen gathered: at the end of a turn, and one at a time. While the journal is at
 * one, what is said waits for the next (`src/machines/commit.ts`); readers get it once it is durable and not before.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { JournalError, JournalService, Write } from "../../../layers/journal/index.ts"
import { afterCommit, type CommitEvent, type CommitState } from "../../../machines/commit.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { invariant } from "../../../machines/invariant.ts"

export type JournalLost = RbeeError<"DISK_FULL" | "INTERNAL">

/** Who gathers. */
export interface Gatherer {
  /** Hands over what is to be committed; `commit` counts them. */
  readonly take: (all: Array<Write>, commit: number) => void
  /** What was taken is durable. */
  readonly publish: () => void
}

/** What goes into one commit, and who waits for it. */
class Batch {
  readonly number: number
  readonly gatherers = new Set<Gatherer>()
  readonly waiters: Array<(end: Exit.Exit<void, JournalLost>) => void> = []
  end: Exit.Exit<void, JournalLost> | undefined

  constructor(number: number) {
    this.number = number
  }

  settle(end: Exit.Exit<void, JournalLost>): void {
    invariant(this.end === undefined, "a commit is answered twice")
    this.end = end
    for (const resume of this.waiters) resume(end)
  }
}

const settled = (batch: Batch): Effect.Effect<void, JournalLost> =>
  Effect.async((resume) => void batch.waiters.push(resume))

/** how long an ending queen waits for her journal */
const LAST = "5 seconds"

export class Commits {
  state: CommitState = "committed"
  lost: JournalLost | undefined
  /** the newest commit that the journal has answered for */
  durable = 0
  private next = new Batch(1)
  private current: Batch | undefined
  private readonly journal: Pick<JournalService, "commit">
  private readonly atEndOfTurn: (work: () => void) => void
  private readonly onLost: (error: JournalLost) => void

  constructor(
    journal: Pick<JournalService, "commit">,
    atEndOfTurn: (work: () => void) => void,
    onLost: (error: JournalLost) => void
  ) {
    this.journal = journal
    this.atEndOfTurn = atEndOfTurn
    this.onLost = onLost
  }

  /** It has something to commit at the end of this turn. */
  gather(gatherer: Gatherer): void {
    const isFirst = this.state === "committed"
    this.become("GATHER")
    this.next.gatherers.add(gatherer)
    if (isFirst) this.atEndOfTurn(this.commit)
  }

  /** Commits at once what is gathered, and waits until it is durable. */
  readonly flush: Effect.Effect<void, JournalLost> = Effect.suspend(() => {
    if (this.lost !== undefined) return Effect.fail(this.lost)
    const batch = this.begun()
    return batch === undefined ? Effect.void : (batch.end ?? settled(batch))
  })

  /** The same when the queen ends: a journal that does not answer does not keep her. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const batch = this.begun()
    if (batch === undefined || batch.end !== undefined) return Effect.void
    return Effect.asVoid(Effect.timeoutOption(Effect.interruptible(Effect.exit(settled(batch))), LAST))
  })

  /** Commits what is gathered, or will once the journal is free; undefined: there is nothing to wait for. */
  private begun(): Batch | undefined {
    const batch = this.next.gatherers.size > 0 ? this.next : this.current
    this.commit()
    return batch
  }

  /** Nothing, where somebody was quicker or the journal is still at the one before. */
  private readonly commit = (): void => {
    if (this.state !== "gathered") return
    this.become("COMMIT")
    const batch = this.next
    this.next = new Batch(batch.number + 1)
    this.current = batch
    const writes: Array<Write> = []
    for (const gatherer of batch.gatherers) gatherer.take(writes, batch.number)
    this.journal.commit(writes, (failure) => this.answered(batch, failure))
  }

  private answered(batch: Batch, failure: JournalError | undefined): void {
    invariant(batch === this.current, "the journal answers for another commit than it was given")
    this.current = undefined
    if (failure !== undefined) return this.lose(batch, journalLost(failure))
    this.become("DURABLE")
    this.durable = batch.number
    if (this.state === "gathered") this.atEndOfTurn(this.commit)
    for (const gatherer of batch.gatherers) gatherer.publish()
    batch.settle(Exit.void)
  }

  private lose(batch: Batch, error: JournalLost): void {
    this.become("FAIL")
    this.lost = error
    this.onLost(error)
    batch.settle(Exit.fail(error))
    this.next.settle(Exit.fail(error))
  }

  private become(event: CommitEvent): void {
    this.state = afterCommit(this.state, event)
  }
}

export const journalLost = ({ kind, why }: JournalError): JournalLost => {
  switch (kind) {
    case "full":
      return rbeeError(
        "DISK_FULL",
        "the disk has no room for the queen's journal",
        "Free some space; the job continues then"
      )
    case "malformed":
      return rbeeError("INTERNAL", `the queen's journal is damaged (${why})`, "Check its disk")
    case "unavailable":
      return rbeeError("INTERNAL", `the queen's journal cannot be used (${why})`)
  }
}
