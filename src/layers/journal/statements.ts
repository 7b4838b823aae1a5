/** The journal's statements over one open database. */
import type Sqlite from "better-sqlite3"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { rbeeError } from "../../machines/errors.ts"
import { CheckedRequest, withoutTexts } from "../../machines/vocabulary/job.ts"
import { malformed, type Steps, type Store } from "./in-process.ts"
import { type Entry, JobFacts, type JournalJob, lastIdOf, type NewJob, type Write } from "./index.ts"
import { hasTexts, isLong, type LongRequests } from "./long-requests.ts"
import { forgettingStatements } from "./forgetting.ts"
import { RunIndex } from "./runs.ts"
import { usageStatements } from "./usage.ts"
import { JobId } from "../../machines/vocabulary/ids.ts"

interface JobRow {
  readonly id: string
  readonly request: string
  readonly key: string | null
  readonly created_at: number
  readonly ended_at: number | null
  readonly facts: string
}
interface RunRow {
  readonly first_id: number
  readonly first_index: number
  readonly texts: string
  readonly token_ids: string
}
/** A job that was written to or read lately. */
interface Known {
  readonly n: number
  readonly runs: RunIndex
}

const decodeRequest = Schema.decodeSync(Schema.parseJson(CheckedRequest))
const decodeFacts = Schema.decodeSync(Schema.parseJson(JobFacts))
/** As facts are; in whatever order its fields came. */
const requestText = (request: Schema.Schema.Encoded<typeof CheckedRequest> & CheckedRequest): string =>
  JSON.stringify(request)
/** In the schema's order of fields: two requests are compared as texts. */
const encodeRequest = Schema.encodeSync(Schema.parseJson(CheckedRequest))
/** By its types the schema encodes it as itself; to walk it, some four times a job, costs more than to write it. */
const encodeFacts = (facts: Schema.Schema.Encoded<typeof JobFacts> & JobFacts): string => JSON.stringify(facts)
// what we wrote ourselves: JSON arrays of strings and of integers
const texts = Schema.decodeSync(Schema.parseJson(Schema.Array(Schema.String)))
const numbers = Schema.decodeSync(Schema.parseJson(Schema.Array(Schema.Int)))

/** What `read` gives; undefined where bytes went bad that SQLite, which has no checksums, does not miss. */
const readable = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch (reason) {
    if (reason instanceof SyntaxError || ParseResult.isParseError(reason)) return undefined
    throw reason
  }
}

/** Undefined: the row is damaged, and there is no such job any more. */
const toJob = (row: JobRow): JournalJob | undefined =>
  readable(() => ({
    id: JobId.make(row.id),
    request: decodeRequest(row.request),
    key: row.key ?? undefined,
    createdAt: row.created_at,
    endedAt: row.ended_at ?? undefined,
    facts: decodeFacts(row.facts)
  }))

/** Why a job ends whose record cannot be read whole. */
const damage = (where: string) => {
  const what = `the journal's record of this answer is damaged from ${where} on`
  const { code, details, message } = rbeeError("INTERNAL", what, "Check the disk, then ask again")
  return { code, message, details }
}
/** How the sequence of a job ends whose tokens are damaged from event `from` on; `id` is its last. */
const damaged = (from: number, id: number): Entry => ({
  _tag: "Event",
  id,
  event: "error",
  data: JSON.stringify(damage(`event ${from}`))
})

const COLUMNS = "id, request, key, created_at, ended_at, facts"
/** Its charge is written with it. */
const isEnd = (write: Write): boolean => write._tag === "Facts" && write.endedAt !== undefined

/** ended jobs whose runs are remembered */
const ENDED_KEPT = 256
/** jobs that are forgotten in one turn */
const JOBS_A_TURN = 4

// long: a statement and a call for each question to the journal, side by side
export const sqliteStore = (db: Sqlite.Database, long: LongRequests): Store => {
  const insertJob = db.prepare<[string, string, string | null, number, string]>(
    `INSERT INTO jobs (id, request, key, created_at, facts, first_run)
     VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(seq), 0) + 1 FROM runs))`
  )
  const insertEvent = db.prepare<[number, number, string, string]>(
    "INSERT INTO events (job, id, event, data) VALUES (?, ?, ?, ?)"
  )
  const insertRun = db.prepare<[number, number, number, string, string]>(
    "INSERT INTO runs (job, first_id, first_index, texts, token_ids) VALUES (?, ?, ?, ?, ?)"
  )
  const updateFacts = db.prepare<[string, number]>("UPDATE jobs SET facts = ? WHERE n = ?")
  const endJob = db.prepare<[string, number, string, number]>(
    "UPDATE jobs SET facts = ?, ended_at = ?, runs = ? WHERE n = ? AND ended_at IS NULL"
  )
  const usage = usageStatements(db)
  const selectKnown = db.prepare<[string], { readonly n: number; readonly runs: string | null }>(
    "SELECT n, runs FROM jobs WHERE id = ?"
  )
  const selectJob = db.prepare<[string], JobRow>(`SELECT ${COLUMNS} FROM jobs WHERE id = ?`)
  const selectByKey = db.prepare<[string], JobRow>(`SELECT ${COLUMNS} FROM jobs WHERE key = ?`)
  const selectJobs = db.prepare<[number], JobRow>(`SELECT ${COLUMNS} FROM jobs ORDER BY n DESC LIMIT ?`)
  const selectUnfinished = db.prepare<[], JobRow>(`SELECT ${COLUMNS} FROM jobs WHERE ended_at IS NULL ORDER BY n`)
  const selectEvents = db.prepare<
    [number, number, number],
    { readonly id: number; readonly event: string; readonly data: string }
  >("SELECT id, event, data FROM events WHERE job = ? AND id > ? ORDER BY id LIMIT ?")
  const selectLastEvent = db.prepare<[number], number | null>("SELECT max(id) FROM events WHERE job = ?").pluck()
  const selectRun = db.prepare<[number], RunRow>(
    "SELECT first_id, first_index, texts, token_ids FROM runs WHERE seq = ?"
  )
  const deleteEvents = db.prepare<[number]>("DELETE FROM events WHERE job = ?")
  const deleteRun = db.prepare<[number]>("DELETE FROM runs WHERE seq = ?")
  const forgetting = forgettingStatements(db)
  const deleteJob = db.prepare<[number]>("DELETE FROM jobs WHERE n = ?")
  const begin = db.prepare("BEGIN IMMEDIATE")
  const commitAll = db.prepare("COMMIT")
  const rollback = db.prepare("ROLLBACK")

  const known = new Map<string, Known>()
  /** those of them that have ended, the longest ended first */
  const ended = new Set<string>()
  const remember = (id: string, n: number, runs: RunIndex): Known => {
    const job = { n, runs }
    known.set(id, job)
    return job
  }
  const rememberEnded = (id: string): void => {
    ended.add(id)
    const [oldest] = ended
    if (ended.size <= ENDED_KEPT || oldest === undefined) return
    ended.delete(oldest)
    known.delete(oldest)
  }
  const find = (id: string): Known | undefined => {
    const cached = known.get(id)
    if (cached !== undefined) return cached
    const row = selectKnown.get(id)
    if (row === undefined) return undefined
    const { runs } = row
    const job = remember(
      id,
      row.n,
      (runs === null ? undefined : readable(() => RunIndex.decode(runs))) ?? new RunIndex()
    )
    rememberEnded(id)
    return job
  }
  const knownJob = (id: string): Known => {
    const job = find(id)
    if (job === undefined) throw malformed(`it has no job ${id}`)
    return job
  }

  /** What the queen before left unfinished has its runs all over the table's end. */
  const findUnfinished = (): void => {
    const open = db.prepare<[], { readonly id: string; readonly n: number; readonly first_run: number }>(
      "SELECT id, n, first_run FROM jobs WHERE ended_at IS NULL"
    )
    const jobs = open.all()
    if (jobs.length === 0) return
    const byNumber = new Map(jobs.map(({ id, n }) => [n, remember(id, n, new RunIndex())]))
    const rows = db.prepare<[number], { readonly seq: number; readonly job: number; readonly first_id: number }>(
      "SELECT seq, job, first_id FROM runs WHERE seq >= ? ORDER BY seq"
    )
    const from = Math.min(...jobs.map(({ first_run }) => first_run))
    for (const { seq, job, first_id } of rows.iterate(from)) byNumber.get(job)?.runs.add(first_id, seq)
  }

  const runRow = (seq: number): RunRow => {
    const row = selectRun.get(seq)
    if (row === undefined) throw malformed(`its row ${seq} is lost`)
    return row
  }

  /** `added` gets each run index that grew. */
  const write = (item: Write, added: Array<RunIndex>): void => {
    const { n, runs } = knownJob(item.job)
    switch (item._tag) {
      case "Event":
        insertEvent.run(n, item.id, item.event, item.data)
        return
      case "Tokens": {
        const { lastInsertRowid } = insertRun.run(n, item.firstId, item.firstIndex, item.texts, item.tokenIds)
        runs.add(item.firstId, Number(lastInsertRowid))
        added.push(runs)
        return
      }
      case "Facts":
        if (item.endedAt === undefined) updateFacts.run(encodeFacts(item.facts), n)
        else if (endJob.run(encodeFacts(item.facts), item.endedAt, runs.encode(), n).changes === 0)
          // what is found out after the end costs nothing more
          updateFacts.run(encodeFacts(item.facts), n)
        else {
          usage.charge(item.facts)
          rememberEnded(item.job)
        }
    }
  }

  const transaction = <A>(work: () => A): A => {
    begin.run()
    try {
      const made = work()
      commitAll.run()
      return made
    } catch (reason) {
      // SQLite has already rolled back by itself after some faults
      if (db.inTransaction) rollback.run()
      throw reason
    }
  }

  /** long requests whose file is written, and their row not yet */
  const prepared = new Set<string>()
  const prepare = function* ({ id, request }: NewJob): Steps {
    if (!isLong(request)) return
    if (find(id) !== undefined) throw new Error(`the journal already has job ${id}`)
    yield* long.write(id, request)
    prepared.add(id)
  }
  const insert = ({ createdAt, facts, id, key, request }: NewJob): void => {
    const row = requestText(isLong(request) ? withoutTexts(request) : request)
    const { lastInsertRowid } = insertJob.run(id, row, key ?? null, createdAt, encodeFacts(facts))
    remember(id, Number(lastInsertRowid), new RunIndex())
  }
  const withTexts = (job: JournalJob): JournalJob | undefined => {
    if (hasTexts(job.request)) return job
    const request = readable(() => decodeRequest(long.read(job.id) ?? ""))
    return request && { ...job, request }
  }

  const remove = (id: string): void => {
    const job = find(id)
    if (job === undefined) return
    forgetting.leave(job.runs.rows)
    deleteEvents.run(job.n)
    deleteJob.run(job.n)
    known.delete(id)
    ended.delete(id)
  }

  const removeOne = (id: string): void => {
    transaction(() => remove(id))
    long.remove(id)
  }

  const lastId = (job: string): number => {
    const { n, runs } = knownJob(job)
    const last = runs.rows.at(-1)
    const row = last === undefined ? undefined : runRow(last)
    const count = row === undefined ? 0 : (readable(() => texts(row.texts))?.length ?? 1)
    const lastToken = row === undefined || row.first_id === 0 ? 0 : row.first_id + count - 1
    return Math.max(selectLastEvent.get(n) ?? 0, lastToken)
  }

  /** How many tokens of a job are there whole and in order, and the rows from the first on that is not. */
  const wholeTokens = (job: string) => {
    const { rows } = knownJob(job).runs
    let count = 0
    for (const [at, seq] of rows.entries()) {
      const { first_index, texts: json, token_ids } = runRow(seq)
      const ids = readable(() => (texts(json), numbers(token_ids)))
      // a row before it is lost: without it this would be another answer
      if (ids === undefined || first_index !== count) return { count, bad: rows.slice(at) }
      count += ids.length
    }
    return { count, bad: [] }
  }

  /** It ends with the tokens before the damage, and once with the reason. */
  const endDamaged = ({ facts, id: job }: JournalJob, { bad, count }: ReturnType<typeof wholeTokens>): void => {
    const { n, runs } = knownJob(job)
    const error = damage(`token ${count}`)
    const id = lastId(job) + 1
    for (const _ of bad) runs.dropLast()
    transaction(() => {
      for (const seq of bad) deleteRun.run(seq)
      insertEvent.run(n, id, "error", JSON.stringify(error))
      const last: JobFacts = { ...facts, state: "failed", tokens: count, error }
      endJob.run(encodeFacts(last), Date.now(), runs.encode(), n)
      usage.charge(last)
    })
    rememberEnded(job)
  }

  /**
   * An unfinished job whose tokens are damaged cannot go on: it ends here. One whose request or facts are damaged is
   * nobody's job any more, and is let go.
   */
  const endOrLetGoOfDamaged = (): void => {
    for (const row of selectUnfinished.all()) {
      const job = mapDefined(toJob(row), withTexts)
      if (job === undefined) removeOne(row.id)
      else {
        const found = wholeTokens(job.id)
        if (found.bad.length > 0) endDamaged(job, found)
      }
    }
  }
  findUnfinished()
  endOrLetGoOfDamaged()
  long.keepOnly(() => db.prepare<[], string>("SELECT id FROM jobs").pluck().all())

  return {
    prepare,
    create: (job) => {
      if (!prepared.has(job.id)) for (const _ of prepare(job));
      try {
        insert(job)
      } catch (reason) {
        if (prepared.has(job.id)) long.remove(job.id)
        throw reason
      } finally {
        prepared.delete(job.id)
      }
    },
    *isSame(id, request) {
      const kept = mapDefined(selectJob.get(id), toJob)?.request
      if (kept !== undefined && !hasTexts(kept)) return yield* long.isSame(id, request)
      return kept !== undefined && encodeRequest(kept) === encodeRequest(request)
    },
    commit: (writes) => {
      const [only] = writes
      if (only === undefined) return
      const added: Array<RunIndex> = []
      try {
        // a statement by itself is a transaction already
        if (writes.length === 1 && !isEnd(only)) write(only, added)
        else
          transaction(() => {
            for (const item of writes) write(item, added)
          })
      } catch (reason) {
        for (const runs of added) runs.dropLast()
        throw reason
      }
    },
    replay: (job, afterId, limit) => {
      const { n, runs } = knownJob(job)
      const events = selectEvents
        .all(n, afterId, limit)
        .map(({ id, event, data }): Entry => ({ _tag: "Event", id, event, data }))
      // one more: the first may end before
      const tokens = runs.from(afterId + 1, limit + 1).map((seq): Entry => {
        const { first_id: firstId, first_index: firstIndex, texts: json } = runRow(seq)
        const read = readable(() => texts(json))
        return read === undefined ? damaged(firstId, lastId(job)) : { _tag: "Tokens", firstId, firstIndex, texts: read }
      })
      const whole = tokens.findIndex(({ _tag }) => _tag === "Event")
      const known = whole === -1 ? [...events, ...tokens] : tokens.slice(0, whole + 1)
      return known
        .filter((entry) => lastIdOf(entry) > afterId)
        .sort((a, b) => lastIdOf(a) - lastIdOf(b))
        .slice(0, limit)
    },
    lastId,
    tokens: (job) => {
      const rows = knownJob(job).runs.rows.map(runRow)
      return {
        texts: rows.flatMap((row) => readable(() => texts(row.texts)) ?? []),
        tokenIds: rows.flatMap((row) => readable(() => numbers(row.token_ids)) ?? [])
      }
    },
    job: (id) => mapDefined(selectJob.get(id), toJob),
    byKey: (key) => mapDefined(selectByKey.get(key), toJob),
    jobs: (limit) => selectJobs.all(limit).flatMap((row) => toJob(row) ?? []),
    unfinished: () => selectUnfinished.all().flatMap((row) => mapDefined(toJob(row), withTexts) ?? []),
    remove: removeOne,
    *forget(before, keep) {
      const old = forgetting.old(before, keep)
      for (const [at, id] of old.entries()) {
        if (at % JOBS_A_TURN === JOBS_A_TURN - 1) yield
        removeOne(id)
      }
      while (transaction(forgetting.removeLeft)) yield
      return old.filter(Schema.is(JobId))
    },
    usage: usage.since,
    forgetUsage: usage.forget,
    checkpoint: () => {
      db.pragma("wal_checkpoint(TRUNCATE)")
    }
  }
}

const mapDefined = <A, B>(value: A | undefined, f: (value: A) => B): B | undefined =>
  value === undefined ? undefined : f(value)
