/**
 * The queen's journal on a simulated disk, or on another machine, which answers late. A process crash keeps every
 * commit, and perhaps one that was on its way; a machine crash keeps all up to the last checkpoint (where the log is
 * synced into the file) and some part of what came after, in order.
 */
import * as Effect from "effect/Effect"
import { inProcess, type Store } from "../../layers/journal/in-process.ts"
import { type MemoryStore, memoryStore, storeOver } from "../../layers/journal/memory.ts"
import type { JournalService, NewJob, Write } from "../../layers/journal/index.ts"
import type { Turns } from "../../layers/turns/index.ts"
import type { SeededRandom } from "./kernel/random.ts"

type Operation = (store: Store) => void

/** The way to a journal on another machine. */
export interface Way {
  /** Runs `work` after a while, unless its caller has died before. */
  readonly later: (work: () => void) => void
  readonly random: SeededRandom
}

export class SimJournal {
  private store: MemoryStore = memoryStore()
  /** as of the last checkpoint */
  private synced: MemoryStore = memoryStore()
  private tail: Array<Operation> = []
  /** sent to it, and not answered */
  private readonly sent = new Set<() => void>()
  /** the disk has no room: nothing is written */
  isFull = false

  /** Opens it for the next queen. */
  open(turns: Turns["Type"], way?: Way): JournalService {
    // what was on its way when the one before died has come there, or never does
    for (const arrive of this.sent) if (way?.random.chance(0.5) === true) arrive()
    this.sent.clear()
    const journal = inProcess(this.logged(storeOver(this.store)), turns)
    return way === undefined ? journal : this.far(journal, way)
  }

  /** To look at. */
  peek(): Store {
    return storeOver(this.store)
  }

  /** The machine went down: returns how many commits are lost. */
  crash(random: SeededRandom): number {
    const kept = random.int(0, this.tail.length)
    const lost = this.tail.length - kept
    this.sent.clear()
    this.store = this.synced
    this.synced = structuredClone(this.store)
    this.tail = this.tail.slice(0, kept)
    const journal = storeOver(this.store)
    for (const operation of this.tail) operation(journal)
    return lost
  }

  /** Writes are kept in order, for a crash of the machine. */
  private logged(store: Store): Store {
    const logged = (operation: Operation): void => {
      if (this.isFull) throw Object.assign(new Error("the disk is full"), { code: "SQLITE_FULL" })
      operation(store)
      this.tail.push(operation)
    }
    const tail = () => this.tail
    return {
      ...store,
      create: (job: NewJob) => logged((each) => each.create(job)),
      commit: (writes: ReadonlyArray<Write>) => logged((each) => each.commit(writes)),
      remove: (id) => logged((each) => each.remove(id)),
      *forget(before, keep) {
        const forgotten = yield* store.forget(before, keep)
        tail().push((each) => {
          for (const _ of each.forget(before, keep));
        })
        return forgotten
      },
      checkpoint: () => {
        this.synced = structuredClone(this.store)
        this.tail = []
      }
    }
  }

  /** Commits and reads take their time there and back. */
  private far(journal: JournalService, way: Way): JournalService {
    const wait = Effect.async<void>((resume) => way.later(() => resume(Effect.void)))
    return {
      ...journal,
      create: (job) => Effect.zipRight(wait, Effect.zipLeft(journal.create(job), wait)),
      replay: (job, afterId, limit) => Effect.zipRight(wait, journal.replay(job, afterId, limit)),
      job: (id) => Effect.zipRight(wait, journal.job(id)),
      commit: (writes, done) => {
        const arrive = (): void => {
          if (!this.sent.delete(arrive)) return
          journal.commit(writes, (failure) => way.later(() => done(failure)))
        }
        this.sent.add(arrive)
        way.later(arrive)
      }
    }
  }
}
