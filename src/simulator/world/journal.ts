/**
 * The queen's journal on a simulated disk. A process crash keeps every commit; a machine crash keeps all up to the last
 * checkpoint (where the log is synced into the file) and some part of what came after, in order.
 */
import { memoryJournal, type MemoryStore, memoryStore } from "../../layers/journal/memory.ts"
import type { JournalService, NewJob, Write } from "../../layers/journal/index.ts"
import type { SeededRandom } from "./kernel/random.ts"

type Operation = (journal: JournalService) => void

export class SimJournal {
  private store: MemoryStore = memoryStore()
  /** as of the last checkpoint */
  private synced: MemoryStore = memoryStore()
  private tail: Array<Operation> = []
  /** the disk has no room: nothing is written */
  isFull = false

  /** Opens it for the next queen. */
  open(): JournalService {
    const journal = memoryJournal(this.store)
    const logged = (operation: Operation): void => {
      if (this.isFull) throw Object.assign(new Error("the disk is full"), { code: "SQLITE_FULL" })
      operation(journal)
      this.tail.push(operation)
    }
    return {
      ...journal,
      create: (job: NewJob) => logged((each) => each.create(job)),
      commit: (writes: ReadonlyArray<Write>) => logged((each) => each.commit(writes)),
      remove: (id) => logged((each) => each.remove(id)),
      forget: (before, keep) => {
        const forgotten = journal.forget(before, keep)
        this.tail.push((each) => void each.forget(before, keep))
        return forgotten
      },
      checkpoint: () => {
        this.synced = structuredClone(this.store)
        this.tail = []
      }
    }
  }

  /** To look at. */
  peek(): JournalService {
    return memoryJournal(this.store)
  }

  /** The machine went down: returns how many commits are lost. */
  crash(random: SeededRandom): number {
    const kept = random.int(0, this.tail.length)
    const lost = this.tail.length - kept
    this.store = this.synced
    this.synced = structuredClone(this.store)
    this.tail = this.tail.slice(0, kept)
    const journal = memoryJournal(this.store)
    for (const operation of this.tail) operation(journal)
    return lost
  }
}
