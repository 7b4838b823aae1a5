import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FastCheck from "fast-check"
import { describe } from "vitest"
import { Commits, type Gatherer, journalLost } from "../../../src/actors/queen/log/commits.ts"
import { JournalError, type Write } from "../../../src/layers/journal/index.ts"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"

/** A journal that answers when the test says so, and a turn that ends when it says so. */
const makeStage = () => {
  const asked: Array<{ readonly writes: ReadonlyArray<Write>; readonly done: (failure?: JournalError) => void }> = []
  const turns: Array<() => void> = []
  const lost: Array<string> = []
  const commits = new Commits(
    { commit: (writes, done) => void asked.push({ writes, done }) },
    (work) => void turns.push(work),
    (error) => void lost.push(error.code)
  )
  return {
    commits,
    lost,
    /** commits that the journal has not answered */
    pending: () => asked.length,
    endTurn: () => {
      for (const work of turns.splice(0)) work()
    },
    /** the ids that became durable, or would have */
    answer: (failure?: JournalError): ReadonlyArray<number> => {
      const next = asked.shift()
      next?.done(failure)
      return (next?.writes ?? []).flatMap((write) => (write._tag === "Event" ? [write.id] : []))
    }
  }
}

/** Gathers numbered events, and keeps what of them was shown. */
class Speaker implements Gatherer {
  readonly shown: Array<number> = []
  said = 0
  private waiting: Array<number> = []
  private taken: Array<number> = []
  private readonly commits: Commits

  constructor(commits: Commits) {
    this.commits = commits
  }

  say(): void {
    this.waiting.push(++this.said)
    this.commits.gather(this)
  }

  take(all: Array<Write>): void {
    this.taken = this.waiting
    this.waiting = []
    for (const id of this.taken)
      all.push({ _tag: "Event", job: JobId.make("job-a"), id, event: "narration", data: "{}" })
  }

  publish(): void {
    this.shown.push(...this.taken)
  }
}

const full = new JournalError({ kind: "full", why: "SQLITE_FULL" })
describe("the commits of a queen", () => {
  it("are one for all of a turn, shown when the journal has answered", () => {
    const { answer, commits, endTurn, pending } = makeStage()
    const [a, b] = [new Speaker(commits), new Speaker(commits)]
    a.say()
    a.say()
    b.say()
    expect(pending()).toBe(0)
    endTurn()
    expect([pending(), a.shown, b.shown]).toEqual([1, [], []])
    answer()
    expect([a.shown, b.shown, commits.state]).toEqual([[1, 2], [1], "committed"])
  })

  it("are one at a time: what comes meanwhile goes into the next", () => {
    const { answer, commits, endTurn, pending } = makeStage()
    const a = new Speaker(commits)
    a.say()
    endTurn()
    for (let k = 0; k < 100; k++) {
      a.say()
      endTurn()
    }
    expect(pending()).toBe(1)
    answer()
    expect(a.shown).toEqual([1])
    endTurn()
    expect(answer()).toHaveLength(100)
    expect(a.shown).toHaveLength(101)
  })

  it.effect("begin at once for who cannot wait for the turn, and end that wait when they are durable", () =>
    Effect.gen(function* () {
      const { answer, commits, endTurn, pending } = makeStage()
      const a = new Speaker(commits)
      a.say()
      const first = Effect.runFork(commits.flush)
      a.say()
      const second = Effect.runFork(commits.flush)
      expect([pending(), a.shown]).toEqual([1, []])
      answer()
      yield* Fiber.join(first)
      expect([second.unsafePoll(), a.shown]).toEqual([null, [1]])
      endTurn()
      answer()
      yield* Fiber.join(second)
      expect(a.shown).toEqual([1, 2])
      yield* commits.flush
    })
  )

  it.effect("end with the first that fails, for everybody who waits and who comes later", () =>
    Effect.gen(function* () {
      const { answer, commits, endTurn, lost, pending } = makeStage()
      const a = new Speaker(commits)
      a.say()
      const first = Effect.runFork(commits.flush)
      a.say()
      const second = Effect.runFork(commits.flush)
      answer(full)
      a.say()
      endTurn()
      for (const flush of [Fiber.join(first), Fiber.join(second), commits.flush])
        expect((yield* Effect.flip(flush)).code).toBe("DISK_FULL")
      expect([lost, a.shown, pending(), commits.state]).toEqual([["DISK_FULL"], [], 0, "lost"])
    })
  )

  it("show everything once and in order, and nothing that is not durable, however turns and answers fall", () => {
    const step = FastCheck.oneof(
      FastCheck.constant("turn" as const),
      FastCheck.constant("answer" as const),
      FastCheck.constant("flush" as const),
      FastCheck.nat(2)
    )
    FastCheck.assert(
      FastCheck.property(FastCheck.array(step, { maxLength: 60 }), FastCheck.boolean(), (steps, fails) => {
        const { answer, commits, endTurn, pending } = makeStage()
        const speakers = [new Speaker(commits), new Speaker(commits), new Speaker(commits)]
        let durable = 0
        const check = () => {
          expect(pending()).toBeLessThanOrEqual(1)
          expect(speakers.reduce((sum, { shown }) => sum + shown.length, 0)).toBe(durable)
        }
        for (const each of steps) {
          if (each === "turn") endTurn()
          else if (each === "flush") Effect.runFork(Effect.ignore(commits.flush))
          else if (each === "answer") durable += pending() === 0 ? 0 : answer().length
          else speakers[each]?.say()
          check()
        }
        if (fails && pending() > 0) answer(full)
        for (let k = 0; k < 3; k++) {
          endTurn()
          if (pending() > 0) durable += answer().length
          check()
        }
        for (const { said, shown } of speakers) {
          expect(shown).toEqual(shown.map((_, k) => k + 1))
          if (commits.state !== "lost") expect(shown).toHaveLength(said)
        }
      })
    )
  })

  it("that are answered twice are a bug of the journal, and found", () => {
    const answers: Array<() => void> = []
    const commits = new Commits(
      { commit: (_, done) => void answers.push(done) },
      (work) => work(),
      () => undefined
    )
    new Speaker(commits).say()
    answers[0]?.()
    expect(() => answers[0]?.()).toThrow("must never be: the journal answers for another commit")
  })
})

it("Why the journal is lost is told by its code, with what can be done", () => {
  const told = (["full", "malformed", "unavailable"] as const).map((kind) =>
    journalLost(new JournalError({ kind, why: "the reason" }))
  )
  expect(told.map(({ code }) => code)).toEqual(["DISK_FULL", "INTERNAL", "INTERNAL"])
  const [full, malformed, unavailable] = told.map(({ message }) => message)
  expect(full).toMatch(/no room for the queen's journal\. Free some space/)
  expect(malformed).toMatch(/damaged \(the reason\)\. Check its disk/)
  expect(unavailable).toMatch(/cannot be used \(the reason\)/)
})
