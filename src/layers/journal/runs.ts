/**
 * Where a job's runs of tokens lie in the table that all jobs share: the first event id and the row of each, in order.
 * Live jobs have it in memory; it is written once, at the job's end.
 */
export class RunIndex {
  readonly firstIds: Array<number> = []
  readonly rows: Array<number> = []

  add(firstId: number, row: number): void {
    this.firstIds.push(firstId)
    this.rows.push(row)
  }

  /** Takes back what a transaction that failed had added. */
  dropLast(): void {
    this.firstIds.pop()
    this.rows.pop()
  }

  /** Rows from the one that holds event `id`, or the first after it; runs without events are passed over. */
  from(id: number, limit: number): ReadonlyArray<number> {
    if ((this.firstIds[0] ?? 0) === 0) return []
    let low = 0
    let high = this.firstIds.length
    // the first run that begins after `id`
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.firstIds[middle] ?? 0) <= id) low = middle + 1
      else high = middle
    }
    const start = Math.max(0, low - 1)
    return this.rows.slice(start, start + limit)
  }

  /** Steps from run to run, which are small numbers. */
  encode(): string {
    let [id, row] = [0, 0]
    const steps: Array<number> = []
    for (const [k, firstId] of this.firstIds.entries()) {
      const at = this.rows[k] ?? 0
      steps.push(firstId - id, at - row)
      id = firstId
      row = at
    }
    return JSON.stringify(steps)
  }

  static decode(text: string): RunIndex {
    const steps: ReadonlyArray<number> = JSON.parse(text)
    const index = new RunIndex()
    let [id, row] = [0, 0]
    for (let k = 0; k < steps.length; k += 2) {
      id += steps[k] ?? 0
      row += steps[k + 1] ?? 0
      index.add(id, row)
    }
    return index
  }
}
