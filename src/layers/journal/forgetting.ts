/**
 * Ended jobs are forgotten, in turns that nobody notices: which ones is read from indexes, and the runs of tokens of a
 * long answer, which may be tens of thousands of rows, are left for later, some hundred at a time.
 */
import type Sqlite from "better-sqlite3"
import * as Schema from "effect/Schema"

/** rows of runs that are removed in one turn */
const RUNS = 256
/** jobs that are found at once */
const JOBS = 50

// what we wrote ourselves
const numbers = Schema.decodeSync(Schema.parseJson(Schema.Array(Schema.Int)))

export const forgettingStatements = (db: Sqlite.Database) => {
  const selectAged = db
    .prepare<[number, number], string>(
      "SELECT id FROM jobs WHERE ended_at IS NOT NULL AND ended_at < ? ORDER BY ended_at LIMIT ?"
    )
    .pluck()
  /** the newest that is not kept */
  const selectFirstBeyond = db
    .prepare<[number], number>("SELECT n FROM jobs WHERE ended_at IS NOT NULL ORDER BY n DESC LIMIT 1 OFFSET ?")
    .pluck()
  const selectBeyond = db
    .prepare<[number, number], string>("SELECT id FROM jobs WHERE ended_at IS NOT NULL AND n <= ? ORDER BY n LIMIT ?")
    .pluck()
  const insertLeft = db.prepare<[string]>("INSERT INTO leftovers (runs) VALUES (?)")
  const selectLeft = db.prepare<[], { readonly id: number; readonly runs: string }>(
    "SELECT id, runs FROM leftovers ORDER BY id LIMIT 1"
  )
  const deleteLeft = db.prepare<[number]>("DELETE FROM leftovers WHERE id = ?")
  const deleteRun = db.prepare<[number]>("DELETE FROM runs WHERE seq = ?")
  const deleteRuns = (rows: ReadonlyArray<number>): void => {
    for (const seq of rows) deleteRun.run(seq)
  }

  return {
    /** Some of those that ended before, and of those beyond so many; none: that were all. */
    old: (before: number, keep: number): ReadonlyArray<string> => {
      const aged = selectAged.all(before, JOBS)
      const first = selectFirstBeyond.get(keep)
      const beyond = first === undefined ? [] : selectBeyond.all(first, JOBS)
      return [...new Set([...aged, ...beyond])]
    },
    /** For the transaction that removes their job: the first of its runs go with it, the rest is left. */
    leave: (rows: ReadonlyArray<number>): void => {
      deleteRuns(rows.slice(0, RUNS))
      for (let at = RUNS; at < rows.length; at += RUNS) insertLeft.run(JSON.stringify(rows.slice(at, at + RUNS)))
    },
    /** A part of what was left; false: there was none. */
    removeLeft: (): boolean => {
      const left = selectLeft.get()
      if (left === undefined) return false
      deleteRuns(numbers(left.runs))
      deleteLeft.run(left.id)
      return true
    }
  }
}
