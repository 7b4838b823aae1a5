import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type { YieldWrap } from "effect/Utils"
import { afterAll, describe } from "vitest"
import {
  type Entry,
  type JobFacts,
  Journal,
  type JournalService,
  type Write
} from "../../../src/layers/journal/index.ts"
import { layerMemory } from "../../../src/layers/journal/memory.ts"
import { layerSqlite } from "../../../src/layers/journal/sqlite.ts"
import type { Turns } from "../../../src/layers/turns/index.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import type { CheckedRequest } from "../../../src/machines/vocabulary/job.ts"
import { JobId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import { commit, layerLate, realTurn } from "../../support/journals.ts"

const folder = mkdtempSync(join(tmpdir(), "rbee-journal-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const newFile = () => join(folder, String(++files), "journal.sqlite")

const facts: JobFacts = { state: "queued", epoch: 0, failovers: 0, timings: {} }
const create = (journal: JournalService, id: string, key?: string, createdAt = 1) =>
  journal.create({
    id: JobId.make(id),
    request: { model: ModelRef.make("minillama"), prompt: `for ${id}` },
    key,
    createdAt,
    facts
  })
const event = (job: string, id: number, data = "{}"): Write => ({
  _tag: "Event",
  job: JobId.make(job),
  id,
  event: "narration",
  data
})
const tokens = (job: string, firstId: number, firstIndex: number, texts: ReadonlyArray<string>): Write => ({
  _tag: "Tokens",
  job: JobId.make(job),
  firstId,
  firstIndex,
  count: texts.length,
  texts: JSON.stringify(texts),
  tokenIds: JSON.stringify(texts.map((_, k) => firstIndex + k + 100))
})
const ended = (job: string, endedAt: number): Write => ({
  _tag: "Facts",
  job: JobId.make(job),
  facts: { ...facts, state: "done", tokens: 1 },
  endedAt
})
const ids = (entries: ReadonlyArray<Entry>) =>
  entries.flatMap((entry) => (entry._tag === "Event" ? [entry.id] : entry.texts.map((_, k) => entry.firstId + k)))

const longRequest = (length: number) => ({
  model: ModelRef.make("minillama"),
  prompt: "so much to say: 🐝 ".repeat(length / 10)
})
/** What a test does with a journal. */
type Body<A> = (journal: JournalService) => Generator<YieldWrap<Effect.Effect<unknown, unknown>>, A>
const using = <A, E>(body: Body<A>, layer: Layer.Layer<Journal, E, Turns>) =>
  Effect.flatMap(Journal, (journal) => Effect.gen(() => body(journal))).pipe(
    Effect.provide(Layer.provide(Layer.fresh(layer), layerNode))
  )
/** How many turns of the event loop it takes. */
const turnsOf = <A, E>(work: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(work)
    let turns = 0
    for (; fiber.unsafePoll() === null; turns++) yield* realTurn
    yield* Fiber.join(fiber)
    return turns
  })

describe.each([
  ["SQLite", () => layerSqlite(newFile())],
  ["memory", () => layerMemory()],
  ["another machine", () => layerLate(layerMemory(), realTurn)]
])("the journal in %s", (_, layer) => {
  const test = (name: string, body: Body<void>) => it.effect(name, () => using(body, layer()))

  test("charges a job in the commit that ends it, once, and keeps the sum whoever removes the job", function* (journal) {
    const charged = { ...facts, charged: { to: "ada", day: "2026-11-30" }, prompt_tokens: 7 }
    const end = (job: string, more: Partial<JobFacts>, endedAt: number | null = 9): Write => ({
      _tag: "Facts",
      job: JobId.make(job),
      facts: { ...charged, ...more },
      endedAt: endedAt ?? undefined
    })
    for (const id of ["job-a", "job-b", "job-c"]) yield* create(journal, id)
    yield* commit(journal, [end("job-a", { tokens: 3 }, null)])
    expect(yield* journal.usage("2026-01-01")).toEqual([])
    const usage = { prompt_tokens: 8, completion_tokens: 3, cached_tokens: 5 }
    yield* commit(journal, [end("job-a", { tokens: 3, usage, device_ms: 1500 })])
    // what is found out after the end
    yield* commit(journal, [end("job-a", { tokens: 3, usage, device_ms: 2500 })])
    yield* commit(journal, [event("job-b", 1), end("job-b", { tokens: 2 })])
    yield* commit(journal, [end("job-c", { tokens: 1, charged: { to: "ada", day: "2026-11-29" } })])
    expect(yield* Effect.flip(commit(journal, [end("job-c", {}), event("job-gone", 1)]))).toBeDefined()
    yield* journal.remove(JobId.make("job-a"))
    const today = {
      key: "ada",
      day: "2026-11-30",
      jobs: 2,
      prompt_tokens: 15,
      cached_tokens: 5,
      completion_tokens: 5,
      device_s: 1.5
    }
    expect(yield* journal.usage("2026-11-30")).toEqual([today])
    expect(yield* journal.usage("2026-11-01")).toMatchObject([today, { day: "2026-11-29", completion_tokens: 1 }])
    yield* journal.forgetUsage("2026-11-30")
    expect(yield* journal.usage("2026-11-01")).toEqual([today])
  })

  test("replays a job from every id, with no gap and no repeat", function* (journal) {
    yield* create(journal, "job-a")
    yield* create(journal, "job-b")
    yield* commit(journal, [
      event("job-a", 1),
      event("job-a", 2),
      tokens("job-a", 3, 0, ["he", "l", "lo"]),
      event("job-b", 1)
    ])
    yield* commit(journal, [tokens("job-a", 6, 3, ['\n"quoted"', "🐝"])])
    yield* commit(journal, [event("job-a", 8, '{"last":true}')])
    expect(yield* journal.lastId(JobId.make("job-a"))).toBe(8)
    expect(yield* journal.lastId(JobId.make("job-b"))).toBe(1)
    for (let after = 0; after <= 8; after++) {
      const seen = ids(yield* journal.replay(JobId.make("job-a"), after, 100)).filter((id) => id > after)
      expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8].slice(after))
    }
    expect(yield* journal.replay(JobId.make("job-a"), 4, 2)).toEqual([
      { _tag: "Tokens", firstId: 3, firstIndex: 0, texts: ["he", "l", "lo"] },
      { _tag: "Tokens", firstId: 6, firstIndex: 3, texts: ['\n"quoted"', "🐝"] }
    ])
    expect(yield* journal.replay(JobId.make("job-a"), 99, 10)).toEqual([])
    expect(yield* journal.tokens(JobId.make("job-a"))).toEqual({
      texts: ["he", "l", "lo", '\n"quoted"', "🐝"],
      tokenIds: [100, 101, 102, 103, 104]
    })
  })

  test("gives a long sequence in pages that follow each other, however events and tokens mix", function* (journal) {
    yield* create(journal, "job-a")
    yield* create(journal, "job-b")
    let id = 1
    let index = 0
    for (let k = 0; k < 60; k++) {
      const run = k % 4
      yield* commit(journal, [
        ...(k % 3 === 0 ? [event("job-a", id++)] : []),
        ...(run === 0
          ? []
          : [tokens("job-a", id, index, ["x", "y", "z"].slice(0, run)), tokens("job-b", k + 1, k, ["."])])
      ])
      id += run
      index += run
    }
    for (const limit of [1, 2, 3, 7]) {
      const seen: Array<number> = []
      for (let after = 0; after < id - 1; after = seen.at(-1) ?? 0) {
        const page = yield* journal.replay(JobId.make("job-a"), after, limit)
        expect(page.length).toBeLessThanOrEqual(limit)
        seen.push(...ids(page).filter((each) => each > after))
      }
      expect(seen).toEqual(Array.from({ length: id - 1 }, (_, k) => k + 1))
    }
  })

  test("keeps the tokens of an answer that is not streamed beside the sequence", function* (journal) {
    yield* create(journal, "job-a")
    yield* commit(journal, [event("job-a", 1), tokens("job-a", 0, 0, ["a", "b"]), event("job-a", 2)])
    yield* commit(journal, [tokens("job-a", 0, 2, ["c"])])
    expect(ids(yield* journal.replay(JobId.make("job-a"), 0, 10))).toEqual([1, 2])
    expect(yield* journal.tokens(JobId.make("job-a"))).toEqual({ texts: ["a", "b", "c"], tokenIds: [100, 101, 102] })
  })

  test("commits a batch whole or not at all", function* (journal) {
    yield* create(journal, "job-a")
    yield* commit(journal, [event("job-a", 1)])
    expect(yield* Effect.flip(commit(journal, [event("job-a", 2), event("job-gone", 1)]))).toMatchObject({
      _tag: "JournalError",
      kind: "malformed"
    })
    expect(yield* journal.lastId(JobId.make("job-a"))).toBe(1)
    yield* commit(journal, [event("job-a", 2)])
    expect(ids(yield* journal.replay(JobId.make("job-a"), 0, 10))).toEqual([1, 2])
  })

  test("knows which jobs have no terminal event, and finds them by id", function* (journal) {
    yield* create(journal, "job-a", "key-a")
    yield* create(journal, "job-b")
    yield* create(journal, "job-c")
    yield* commit(journal, [ended("job-b", 50)])
    expect((yield* journal.unfinished).map(({ id }) => id)).toEqual(["job-a", "job-c"])
    expect((yield* journal.jobs(2)).map(({ id }) => id)).toEqual(["job-c", "job-b"])
    expect(yield* journal.job(JobId.make("job-b"))).toMatchObject({
      request: { model: ModelRef.make("minillama"), prompt: "for job-b" },
      createdAt: 1,
      endedAt: 50,
      facts: { state: "done", tokens: 1 }
    })
    expect(yield* Effect.flip(create(journal, "job-a"))).toMatchObject({ _tag: "JournalError" })
  })

  test("makes one job of a key, and gives it to whoever comes with it next", function* (journal) {
    expect(yield* create(journal, "job-a", "key")).toBeUndefined()
    expect(yield* create(journal, "job-b", "key")).toMatchObject({ id: "job-a", request: { prompt: "for job-a" } })
    expect((yield* journal.jobs(10)).map(({ id }) => id)).toEqual(["job-a"])
    yield* journal.remove(JobId.make("job-a"))
    yield* journal.remove(JobId.make("job-a"))
    expect(yield* create(journal, "job-b", "key")).toBeUndefined()
  })

  test("takes a long request in many turns, and has its job when all of it is here", function* (journal) {
    const job = { id: JobId.make("job-a"), request: longRequest(1_000_000), key: "key", createdAt: 1, facts }
    const fiber = yield* Effect.fork(journal.create(job))
    let turns = 0
    for (; fiber.unsafePoll() === null; turns++) {
      yield* realTurn
      if (fiber.unsafePoll() === null && turns < 5) expect(yield* journal.job(job.id)).toBeUndefined()
    }
    expect(turns).toBeGreaterThan(10)
    expect(yield* create(journal, "job-b", "key")).toMatchObject({ id: "job-a" })
    expect(yield* journal.unfinished).toMatchObject([{ id: "job-a", request: job.request }])
    const short = {
      ...job,
      id: JobId.make("job-c"),
      key: undefined,
      request: { model: ModelRef.make("minillama"), prompt: "short" }
    }
    expect(yield* turnsOf(journal.create(short))).toBeLessThan(10)
  })

  test("tells whether a job was created with a request, however long", function* (journal) {
    for (const length of [10, 1_000_000]) {
      const request = longRequest(length)
      yield* journal.create({ id: JobId.make(`job-${length}`), request, createdAt: 1, facts })
      const isSame = (other: CheckedRequest) => journal.isSame(JobId.make(`job-${length}`), other)
      expect(yield* isSame({ prompt: request.prompt, model: request.model })).toBe(true)
      for (const other of [
        { ...request, seed: 1 },
        { ...request, prompt: request.prompt.slice(1) },
        { ...request, prompt: `${request.prompt}.` },
        { model: ModelRef.make("minillama"), messages: [{ role: "user" as const, content: request.prompt }] }
      ])
        expect(yield* isSame(other)).toBe(false)
    }
  })

  test("forgets ended jobs by age and by count, never unfinished ones", function* (journal) {
    for (const [at, id] of ["job-a", "job-b", "job-c", "job-d", "job-e"].entries()) {
      yield* create(journal, id, `key-${id}`)
      yield* commit(journal, [event(id, 1), tokens(id, 2, 0, ["x"])])
      if (id !== "job-a") yield* commit(journal, [ended(id, at * 100)])
    }
    expect(yield* journal.forget(150, 10)).toEqual(["job-b"])
    expect((yield* journal.jobs(10)).map(({ id }) => id)).toEqual(["job-e", "job-d", "job-c", "job-a"])
    expect(yield* journal.forget(0, 2)).toEqual(["job-c"])
    expect((yield* journal.jobs(10)).map(({ id }) => id)).toEqual(["job-e", "job-d", "job-a"])
    expect(yield* create(journal, "job-f", "key-job-c")).toBeUndefined()
    yield* journal.remove(JobId.make("job-e"))
    expect(yield* Effect.flip(journal.replay(JobId.make("job-e"), 0, 1))).toMatchObject({ kind: "malformed" })
    yield* create(journal, "job-e")
    expect(yield* journal.lastId(JobId.make("job-e"))).toBe(0)
  })
})

describe("the journal file", () => {
  const withJournal = <A>(file: string, body: Body<A>) => using(body, layerSqlite(file))

  it.effect("gives the next queen what the last one wrote", () =>
    Effect.gen(function* () {
      const file = newFile()
      yield* withJournal(file, function* (journal) {
        yield* create(journal, "job-a", "key")
        yield* commit(journal, [event("job-a", 1), tokens("job-a", 2, 0, ["x", "y"])])
      })
      yield* withJournal(file, function* (journal) {
        expect(ids(yield* journal.replay(JobId.make("job-a"), 0, 10))).toEqual([1, 2, 3])
        expect(yield* create(journal, "job-b", "key")).toMatchObject({ id: "job-a" })
        yield* commit(journal, [tokens("job-a", 4, 2, ["z"])])
        yield* commit(journal, [event("job-a", 5), ended("job-a", 9)])
        yield* journal.checkpoint
        expect(yield* journal.lastId(JobId.make("job-a"))).toBe(5)
      })
      yield* withJournal(file, function* (journal) {
        expect(yield* journal.unfinished).toEqual([])
        expect(ids(yield* journal.replay(JobId.make("job-a"), 0, 10))).toEqual([1, 2, 3, 4, 5])
        expect(yield* journal.tokens(JobId.make("job-a"))).toEqual({
          texts: ["x", "y", "z"],
          tokenIds: [100, 101, 102]
        })
        // facts may still change after the end
        yield* commit(journal, [ended("job-a", 9)])
        expect(ids(yield* journal.replay(JobId.make("job-a"), 3, 10))).toEqual([4, 5])
        expect(yield* journal.forget(10, 0)).toEqual(["job-a"])
        expect(yield* journal.job(JobId.make("job-a"))).toBeUndefined()
      })
    })
  )

  /** the files of long requests beside it */
  const requestsOf = (file: string) =>
    readdirSync(join(dirname(file), "requests")).map((name) => statSync(join(dirname(file), "requests", name)))

  it.effect("has a long request once, whatever changes of its job, and gives it back whole", () => {
    const file = newFile()
    const written = () => statSync(file).size + statSync(`${file}-wal`).size
    const request = { ...longRequest(1_000_000), max_tokens: 3 }
    const { prompt: _, ...others } = request
    return Effect.gen(function* () {
      yield* withJournal(file, function* (journal) {
        yield* journal.create({ id: JobId.make("job-long"), request, key: "once", createdAt: 1, facts })
        const before = written()
        for (let epoch = 1; epoch <= 50; epoch++)
          yield* commit(journal, [
            { _tag: "Facts", job: JobId.make("job-long"), facts: { ...facts, epoch }, endedAt: undefined }
          ])
        expect(written() - before).toBeLessThan(300_000)
        for (const job of [
          yield* journal.job(JobId.make("job-long")),
          yield* create(journal, "job-b", "once"),
          (yield* journal.jobs(10))[0]
        ])
          expect(job?.request).toEqual(others)
        expect(requestsOf(file)).toMatchObject([{ mode: 0o100600 }])
      })
      yield* withJournal(file, function* (journal) {
        expect(yield* journal.unfinished).toMatchObject([{ id: "job-long", request, facts: { epoch: 50 } }])
        yield* journal.remove(JobId.make("job-long"))
        expect(yield* journal.job(JobId.make("job-long"))).toBeUndefined()
        expect(requestsOf(file)).toEqual([])
        yield* create(journal, "job-next")
        expect((yield* journal.job(JobId.make("job-next")))?.request.prompt).toBe("for job-next")
      })
    })
  })

  it.effect("gets no more than a piece of a long request a turn", () => {
    const file = newFile()
    return withJournal(file, function* (journal) {
      const job = { id: JobId.make("job-long"), request: longRequest(5_000_000), createdAt: 1, facts }
      const fiber = yield* Effect.fork(journal.create(job))
      let size = 0
      for (; fiber.unsafePoll() === null; yield* realTurn) {
        const now = requestsOf(file)[0]?.size ?? 0
        expect(now - size).toBeLessThan(400_000)
        size = now
      }
      expect(size).toBeGreaterThan(5_000_000)
    })
  })

  it.effect("keeps nothing of a long request that is left, refused or never created", () => {
    const file = newFile()
    return Effect.gen(function* () {
      yield* withJournal(file, function* (journal) {
        const job = { id: JobId.make("job-long"), request: longRequest(1_000_000), key: "key", createdAt: 1, facts }
        const left = yield* Effect.fork(journal.create(job))
        yield* Effect.yieldNow()
        yield* realTurn
        expect(requestsOf(file)).toHaveLength(1)
        yield* Fiber.interrupt(left)
        expect(requestsOf(file)).toEqual([])
        yield* create(journal, "job-a", "key")
        expect(yield* journal.create(job)).toMatchObject({ id: "job-a" })
        expect(requestsOf(file)).toEqual([])
        writeFileSync(join(dirname(file), "requests", "never-created.json"), "{")
      })
      yield* withJournal(file, function* (journal) {
        expect(requestsOf(file)).toEqual([])
        expect((yield* journal.unfinished).map(({ id }) => id)).toEqual(["job-a"])
      })
    })
  })

  it.effect("forgets a long answer over several turns, and goes on with it where a queen before was ended", () => {
    const file = newFile()
    const much = 2000
    const rows = () => {
      const db = new Sqlite(file, { readonly: true })
      const count = db.prepare<[], number>("SELECT count(*) FROM runs").pluck().get()
      db.close()
      return count
    }
    return Effect.gen(function* () {
      yield* withJournal(file, function* (journal) {
        for (const id of ["job-long", "job-next"]) yield* create(journal, id)
        for (let at = 0; at < much; at++) yield* commit(journal, [tokens("job-long", at + 1, at, ["x"])])
        yield* commit(journal, [tokens("job-next", 1, 0, ["y"])])
        yield* commit(journal, [ended("job-long", 1)])
        const forgetting = yield* Effect.fork(journal.forget(2, 10))
        for (let turns = 0; turns < 2; turns++) yield* realTurn
        yield* Fiber.interrupt(forgetting)
        expect(yield* journal.job(JobId.make("job-long"))).toBeUndefined()
      })
      expect(rows()).toBeGreaterThan(much / 2)
      yield* withJournal(file, function* (journal) {
        yield* create(journal, "job-new")
        yield* commit(journal, [tokens("job-new", 1, 0, ["z"])])
        expect(yield* journal.forget(2, 10)).toEqual([])
        expect((yield* journal.tokens(JobId.make("job-next"))).texts).toEqual(["y"])
        expect((yield* journal.tokens(JobId.make("job-new"))).texts).toEqual(["z"])
      })
      expect(rows()).toBe(2)
    })
  })

  it.effect("of the version before keeps its long requests", () => {
    const file = newFile()
    const request = longRequest(100_000)
    return Effect.gen(function* () {
      yield* withJournal(file, function* (journal) {
        yield* journal.create({
          id: JobId.make("job-long"),
          request: { model: ModelRef.make("minillama") },
          createdAt: 1,
          facts
        })
      })
      const db = new Sqlite(file)
      db.exec("DELETE FROM effect_sql_migrations WHERE migration_id >= 3")
      db.exec("DROP TABLE usage; DROP TABLE leftovers; DROP INDEX jobs_ended; DROP INDEX jobs_ended_at")
      db.exec("CREATE TABLE requests (job INTEGER PRIMARY KEY, request TEXT NOT NULL) STRICT")
      db.prepare("INSERT INTO requests SELECT n, ? FROM jobs").run(JSON.stringify(request))
      db.close()
      yield* withJournal(file, function* (journal) {
        expect(yield* journal.unfinished).toMatchObject([{ id: "job-long", request }])
      })
    })
  })

  it.effect("that is no database is moved aside, and the journal starts empty", () =>
    Effect.gen(function* () {
      const file = newFile()
      yield* withJournal(file, function* (journal) {
        yield* create(journal, "job-a")
      })
      writeFileSync(file, "this was never a database".repeat(1000))
      const jobs = yield* withJournal(file, function* (journal) {
        yield* create(journal, "job-b")
        return (yield* journal.jobs(10)).map(({ id }) => id)
      })
      expect(jobs).toEqual(["job-b"])
      expect(existsSync(`${file}.corrupt`)).toBe(true)
      expect(readFileSync(`${file}.corrupt`, "utf8")).toContain("never a database")
    })
  )
})

describe("a journal whose bytes went bad where SQLite does not look", () => {
  const damage = (file: string, statement: string) => {
    const db = new Sqlite(file)
    db.exec(statement)
    db.close()
  }
  const withJournal = <A>(file: string, body: Body<A>) => using(body, layerSqlite(file))
  /** an unfinished job and an ended one, three tokens each */
  const written = (file: string) =>
    withJournal(file, function* (journal) {
      for (const id of ["job-open", "job-ended"]) {
        yield* create(journal, id)
        yield* commit(journal, [event(id, 1), tokens(id, 2, 0, ["a", "b"])])
        yield* commit(journal, [tokens(id, 4, 2, ["c"])])
      }
      yield* commit(journal, [event("job-ended", 5), ended("job-ended", 7)])
    })

  it.effect("lets go of an unfinished job that cannot go on, and keeps the others", () =>
    Effect.gen(function* () {
      for (const statement of [
        "UPDATE jobs SET request = 'x' || request WHERE id = 'job-open'",
        "UPDATE jobs SET facts = '{}' WHERE id = 'job-open'"
      ]) {
        const file = newFile()
        yield* written(file)
        damage(file, statement)
        yield* withJournal(file, function* (journal) {
          expect(yield* journal.unfinished).toEqual([])
          expect((yield* journal.jobs(10)).map(({ id }) => id)).toEqual(["job-ended"])
        })
      }
    })
  )

  it.effect("ends an unfinished job once with a reason whose tokens are damaged or lost, after those before them", () =>
    Effect.gen(function* () {
      const rows = "job = (SELECT n FROM jobs WHERE id = 'job-open') AND first_id ="
      for (const [statement, before, told] of [
        [`UPDATE runs SET token_ids = '[1,' WHERE ${rows} 4`, ["a", "b"], "from token 2 on"],
        [`UPDATE runs SET texts = '["' WHERE ${rows} 2`, [], "from token 0 on"],
        [`DELETE FROM runs WHERE ${rows} 2`, [], "from token 0 on"]
      ] as const) {
        const file = newFile()
        yield* written(file)
        damage(file, statement)
        for (const start of ["first", "second"])
          yield* withJournal(file, function* (journal) {
            expect(yield* journal.unfinished).toEqual([])
            const job = yield* journal.job(JobId.make("job-open"))
            expect([start, job?.facts.state, job?.facts.tokens]).toEqual([start, "failed", before.length])
            expect(job?.facts.error?.message).toContain(told)
            const entries = yield* journal.replay(JobId.make("job-open"), 0, 10)
            expect(entries.flatMap((one) => (one._tag === "Tokens" ? one.texts : []))).toEqual(before)
            expect(entries.filter((one) => one._tag === "Event" && one.event === "error")).toHaveLength(1)
            expect(entries.at(-1)).toMatchObject({ event: "error", data: expect.stringContaining(told) })
          })
      }
    })
  )

  it.effect("lets go of an unfinished job whose long request is gone or cut off", () =>
    Effect.gen(function* () {
      const damages: ReadonlyArray<(path: string) => void> = [
        (path) => rmSync(path),
        (path) => truncateSync(path, 1000)
      ]
      for (const damage of damages) {
        const file = newFile()
        yield* withJournal(file, function* (journal) {
          yield* create(journal, "job-a")
          yield* journal.create({ id: JobId.make("job-long"), request: longRequest(100_000), createdAt: 1, facts })
        })
        const requests = join(dirname(file), "requests")
        for (const name of readdirSync(requests)) damage(join(requests, name))
        yield* withJournal(file, function* (journal) {
          expect((yield* journal.jobs(10)).map(({ id }) => id)).toEqual(["job-a"])
          expect(readdirSync(requests)).toEqual([])
        })
      }
    })
  )

  it.effect("has an ended job no more whose request is damaged", () =>
    Effect.gen(function* () {
      const file = newFile()
      yield* written(file)
      damage(file, "UPDATE jobs SET request = '{' WHERE id = 'job-ended'")
      yield* withJournal(file, function* (journal) {
        expect(yield* journal.job(JobId.make("job-ended"))).toBeUndefined()
        expect((yield* journal.jobs(10)).map(({ id }) => id)).toEqual(["job-open"])
      })
    })
  )

  it.effect("ends an answer once with a reason where its next tokens are damaged", () =>
    Effect.gen(function* () {
      const file = newFile()
      yield* written(file)
      damage(
        file,
        "UPDATE runs SET texts = '[\"a' WHERE job = (SELECT n FROM jobs WHERE id = 'job-ended') AND first_id = 4"
      )
      yield* withJournal(file, function* (journal) {
        const entries = yield* journal.replay(JobId.make("job-ended"), 0, 10)
        expect(entries.at(-1)).toMatchObject({ event: "error", id: 5 })
        expect(entries.filter((entry) => entry._tag === "Event" && entry.event === "error")).toHaveLength(1)
        expect(yield* journal.replay(JobId.make("job-ended"), 5, 10)).toEqual([])
      })
    })
  )
})
