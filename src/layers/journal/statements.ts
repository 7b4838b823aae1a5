/** The journal's statements over one open database. */
import type Sqlite from "better-sqlite3"
import * as Schema from "effect/Schema"
import { JobRequest } from "../../machines/vocabulary/job.ts"
import { type Entry, JobFacts, type JournalJob, type JournalService, lastIdOf, type Write } from "./index.ts"

interface JobRow {
  readonly id: string
  readonly request: string
  readonly key: string | null
  readonly created_at: number
  readonly ended_at: number | null
  readonly facts: string
}
interface EventRow {
  readonly id: number
  readonly event: string
  readonly first_index: number | null
  readonly data: string
  readonly token_ids: string | null
}
interface TokensRow {
  readonly first_index: number
  readonly data: string
  readonly token_ids: string
}

const request = Schema.parseJson(JobRequest)
const facts = Schema.parseJson(JobFacts)
const decodeRequest = Schema.decodeSync(request)
const encodeRequest = Schema.encodeSync(request)
const decodeFacts = Schema.decodeSync(facts)
const encodeFacts = Schema.encodeSync(facts)
// what we wrote ourselves: JSON arrays of strings and of integers
const texts = Schema.decodeSync(Schema.parseJson(Schema.Array(Schema.String)))
const numbers = Schema.decodeSync(Schema.parseJson(Schema.Array(Schema.Int)))

const toJob = (row: JobRow): JournalJob => ({
  id: row.id,
  request: decodeRequest(row.request),
  key: row.key ?? undefined,
  createdAt: row.created_at,
  endedAt: row.ended_at ?? undefined,
  facts: decodeFacts(row.facts)
})

const toEntry = (row: EventRow): Entry =>
  row.token_ids === null
    ? { _tag: "Event", id: row.id, event: row.event, data: row.data }
    : { _tag: "Tokens", firstId: row.id, firstIndex: row.first_index ?? 0, texts: texts(row.data) }

const COLUMNS = "id, request, key, created_at, ended_at, facts"

export const sqliteJournal = (db: Sqlite.Database): JournalService => {
  const insertJob = db.prepare<[string, string, string | null, number, string]>(
    "INSERT INTO jobs (id, request, key, created_at, facts) VALUES (?, ?, ?, ?, ?)"
  )
  const insertEvent = db.prepare<[number, number, number, string, number | null, string, string | null]>(
    "INSERT INTO events (job, id, count, event, first_index, data, token_ids) VALUES (?, ?, ?, ?, ?, ?, ?)"
  )
  const insertHeld = db.prepare<[number, number, string, string]>(
    "INSERT INTO held_tokens (job, first_index, data, token_ids) VALUES (?, ?, ?, ?)"
  )
  const updateFacts = db.prepare<[string, number | null, number]>("UPDATE jobs SET facts = ?, ended_at = ? WHERE n = ?")
  const selectNumber = db.prepare<[string], number>("SELECT n FROM jobs WHERE id = ?").pluck()
  const selectJob = db.prepare<[string], JobRow>(`SELECT ${COLUMNS} FROM jobs WHERE id = ?`)
  const selectByKey = db.prepare<[string], JobRow>(`SELECT ${COLUMNS} FROM jobs WHERE key = ?`)
  const selectJobs = db.prepare<[number], JobRow>(`SELECT ${COLUMNS} FROM jobs ORDER BY n DESC LIMIT ?`)
  const selectUnfinished = db.prepare<[], JobRow>(`SELECT ${COLUMNS} FROM jobs WHERE ended_at IS NULL ORDER BY n`)
  // the row that holds `after + 1` begins at or before it
  const selectEvents = db.prepare<[number, number, number, number], EventRow>(
    `SELECT id, event, first_index, data, token_ids FROM events
     WHERE job = ? AND id >= coalesce((SELECT max(id) FROM events WHERE job = ? AND id <= ?), 0)
     ORDER BY id LIMIT ?`
  )
  const selectLast = db
    .prepare<[number], number>("SELECT id + count - 1 FROM events WHERE job = ? ORDER BY id DESC LIMIT 1")
    .pluck()
  const selectTokens = db.prepare<[number, number], TokensRow>(
    `SELECT first_index, data, token_ids FROM events WHERE job = ? AND token_ids IS NOT NULL
     UNION ALL SELECT first_index, data, token_ids FROM held_tokens WHERE job = ? ORDER BY first_index`
  )
  const selectOld = db
    .prepare<[number, number], string>(
      `SELECT id FROM jobs WHERE ended_at IS NOT NULL AND (ended_at < ? OR n NOT IN
         (SELECT n FROM jobs WHERE ended_at IS NOT NULL ORDER BY n DESC LIMIT ?))`
    )
    .pluck()
  const deletes = ["events", "held_tokens"].map((table) => db.prepare<[number]>(`DELETE FROM ${table} WHERE job = ?`))
  const deleteJob = db.prepare<[number]>("DELETE FROM jobs WHERE n = ?")
  const begin = db.prepare("BEGIN IMMEDIATE")
  const commitAll = db.prepare("COMMIT")
  const rollback = db.prepare("ROLLBACK")

  /** id → n of the jobs written to lately */
  const known = new Map<string, number>()
  const numberOf = (id: string): number => {
    const cached = known.get(id)
    if (cached !== undefined) return cached
    const n = selectNumber.get(id)
    if (n === undefined) throw new Error(`the journal has no job ${id}`)
    known.set(id, n)
    return n
  }

  const write = (item: Write): void => {
    const job = numberOf(item.job)
    switch (item._tag) {
      case "Event":
        insertEvent.run(job, item.id, 1, item.event, null, item.data, null)
        return
      case "Tokens":
        if (item.firstId === 0) insertHeld.run(job, item.firstIndex, item.texts, item.tokenIds)
        else insertEvent.run(job, item.firstId, item.count, "token", item.firstIndex, item.texts, item.tokenIds)
        return
      case "Facts":
        updateFacts.run(encodeFacts(item.facts), item.endedAt ?? null, job)
        if (item.endedAt !== undefined) known.delete(item.job)
    }
  }

  const transaction = (work: () => void): void => {
    begin.run()
    try {
      work()
      commitAll.run()
    } catch (reason) {
      // SQLite has already rolled back by itself after some faults
      if (db.inTransaction) rollback.run()
      throw reason
    }
  }

  const remove = (id: string): void => {
    const n = selectNumber.get(id)
    if (n === undefined) return
    known.delete(id)
    for (const statement of deletes) statement.run(n)
    deleteJob.run(n)
  }

  return {
    create: (job) => {
      const { lastInsertRowid } = insertJob.run(
        job.id,
        encodeRequest(job.request),
        job.key ?? null,
        job.createdAt,
        encodeFacts(job.facts)
      )
      known.set(job.id, Number(lastInsertRowid))
    },
    commit: (writes) => {
      const only = writes[0]
      if (only === undefined) return
      // a statement by itself is a transaction already
      if (writes.length === 1) write(only)
      else transaction(() => writes.forEach(write))
    },
    replay: (job, afterId, limit) => {
      const n = numberOf(job)
      const entries = selectEvents.all(n, n, afterId + 1, limit).map(toEntry)
      return entries.filter((entry) => lastIdOf(entry) > afterId)
    },
    lastId: (job) => selectLast.get(numberOf(job)) ?? 0,
    tokens: (job) => {
      const n = numberOf(job)
      const rows = selectTokens.all(n, n)
      return {
        texts: rows.flatMap((row) => texts(row.data)),
        tokenIds: rows.flatMap((row) => numbers(row.token_ids))
      }
    },
    job: (id) => mapDefined(selectJob.get(id), toJob),
    byKey: (key) => mapDefined(selectByKey.get(key), toJob),
    jobs: (limit) => selectJobs.all(limit).map(toJob),
    unfinished: () => selectUnfinished.all().map(toJob),
    remove: (id) => transaction(() => remove(id)),
    forget: (before, keep) => {
      const old = selectOld.all(before, keep)
      if (old.length > 0) transaction(() => old.forEach(remove))
      return old
    },
    checkpoint: () => {
      db.pragma("wal_checkpoint(TRUNCATE)")
    }
  }
}

const mapDefined = <A, B>(value: A | undefined, f: (value: A) => B): B | undefined =>
  value === undefined ? undefined : f(value)
