import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { SimJournal } from "../../src/simulator/world/journal.ts"
import { SeededRandom } from "../../src/simulator/world/kernel/random.ts"
import { commit } from "../support/journals.ts"
import { JobId, ModelRef } from "../../src/machines/vocabulary/ids.ts"

const facts = { state: "streaming", epoch: 1, failovers: 0, timings: {} } as const
const event = (id: number) =>
  ({ _tag: "Event", job: JobId.make("job-1"), id, event: "state", data: `{"n":${id}}` }) as const

const turns = { atEndOfTurn: (work: () => void) => work() }
const job = {
  id: JobId.make("job-1"),
  request: { model: ModelRef.make("minillama"), prompt: "x" },
  createdAt: 1,
  facts
}

const written = () => {
  const journal = new SimJournal()
  const open = journal.open(turns)
  Effect.runSync(open.create(job))
  Effect.runSync(commit(open, [event(1)]))
  Effect.runSync(open.checkpoint)
  for (let id = 2; id <= 10; id++) Effect.runSync(commit(open, [event(id)]))
  return journal
}

it("A crash of the queen's process keeps every commit", () => {
  expect(written().peek().lastId(JobId.make("job-1"))).toBe(10)
})

it("A crash of her machine keeps what was synced, and of the rest a beginning", () => {
  const kept = new Set<number>()
  for (let seed = 0; seed < 40; seed++) {
    const journal = written()
    const lost = journal.crash(new SeededRandom(seed))
    const last = journal.peek().lastId(JobId.make("job-1"))
    expect(last).toBe(10 - lost)
    expect(last).toBeGreaterThanOrEqual(1)
    expect(journal.peek().replay(JobId.make("job-1"), 0, 100).length).toBe(last)
    kept.add(last)
  }
  expect(kept.size).toBeGreaterThan(5)
})

it("A full disk refuses a commit whole", () => {
  const journal = written()
  journal.isFull = true
  expect(Effect.runSync(Effect.flip(commit(journal.open(turns), [event(11)])))).toMatchObject({ kind: "full" })
  expect(journal.peek().lastId(JobId.make("job-1"))).toBe(10)
})

it("A commit that was on its way when the queen died is there as a whole for the next one, or never", () => {
  const lasts = new Set<number>()
  for (let seed = 0; seed < 40; seed++) {
    const random = new SeededRandom(seed)
    const journal = written()
    const onTheWay: Array<() => void> = []
    const far = journal.open(turns, { later: (work) => void onTheWay.push(work), random })
    far.commit([event(11), event(12)], () => undefined)
    expect(journal.peek().lastId(job.id)).toBe(10)
    journal.open(turns, { later: () => undefined, random })
    const last = journal.peek().lastId(job.id)
    // it comes too late
    for (const work of onTheWay) work()
    expect(journal.peek().lastId(job.id)).toBe(last)
    lasts.add(last)
  }
  expect([...lasts].toSorted()).toEqual([10, 12])
})
