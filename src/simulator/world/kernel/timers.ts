/** Timers by time, then by a tie-breaker of the seed. */
export interface Timer {
  readonly at: number
  readonly fire: () => void
  readonly cancel: () => void
}

interface Entry extends Timer {
  readonly tie: number
  isDead: boolean
}

const before = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.tie < b.tie)

export class TimerHeap {
  private readonly heap: Array<Entry> = []

  add(at: number, tie: number, fire: () => void): Timer {
    const entry: Entry = { at, tie, fire, isDead: false, cancel: () => (entry.isDead = true) }
    this.push(entry)
    return entry
  }

  /** The next living one. */
  pop(): Entry | undefined {
    for (;;) {
      const entry = this.shift()
      if (entry === undefined || !entry.isDead) return entry
    }
  }

  restore(timer: Timer): void {
    this.add(timer.at, 0, timer.fire)
  }

  private push(entry: Entry): void {
    const { heap } = this
    let at = heap.push(entry) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || before(parent, entry)) break
      heap[at] = parent
      at = above
    }
    heap[at] = entry
  }

  private shift(): Entry | undefined {
    const { heap } = this
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      const left = heap[below]
      if (left === undefined) break
      const right = heap[below + 1]
      let child = left
      if (right !== undefined && before(right, left)) {
        child = right
        below++
      }
      if (!before(child, last)) break
      heap[at] = child
      at = below
    }
    heap[at] = last
    return first
  }
}
