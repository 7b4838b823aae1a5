import { expect, it } from "vitest"
import { SimJournal } from "../../src/simulator/world/journal.ts"
import { SeededRandom } from "../../src/simulator/world/kernel/random.ts"
import { JobId } from "../../src/machines/vocabulary/ids.ts"

const facts = { state: "streaming", epoch: 1, failovers: 0, timings: {} } as const
const event = (id: number) =>
  ({ _tag: "Event", job: JobId.make("job-1"), id, event: "state", data: `{"n":${id}}` }) as const

const written = () => {
  const journal = new SimJournal()
  const open = journal.open()
  open.create({ id: JobId.make("job-1"), request: { model: "minillama", prompt: "x" }, createdAt: 1, facts })
  open.commit([event(1)])
  open.checkpoint()
  for (let id = 2; id <= 10; id++) open.commit([event(id)])
  return journal
}

it("A crash of the queen's process keeps every commit", () => {
  expect(written().open().lastId(JobId.make("job-1"))).toBe(10)
})

it("A crash of her machine keeps what was synced, and of the rest a beginning", () => {
  const kept = new Set<number>()
  for (let seed = 0; seed < 40; seed++) {
    const journal = written()
    const lost = journal.crash(new SeededRandom(seed))
    const last = journal.open().lastId(JobId.make("job-1"))
    expect(last).toBe(10 - lost)
    expect(last).toBeGreaterThanOrEqual(1)
    expect(journal.open().replay(JobId.make("job-1"), 0, 100).length).toBe(last)
    kept.add(last)
  }
  expect(kept.size).toBeGreaterThan(5)
})

it("A full disk refuses a commit whole", () => {
  const journal = written()
  journal.isFull = true
  expect(() => journal.open().commit([event(11)])).toThrow("full")
  expect(journal.open().lastId(JobId.make("job-1"))).toBe(10)
})
