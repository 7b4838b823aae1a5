import { expect, it } from "vitest"
import { afterCommit, type CommitEvent, type CommitState } from "../../src/machines/commit.ts"

const states: ReadonlyArray<CommitState> = ["committed", "gathered", "committing", "overtaken", "lost"]
const events: ReadonlyArray<CommitEvent> = ["GATHER", "COMMIT", "DURABLE", "FAIL"]

const walk = (...path: ReadonlyArray<CommitEvent>): CommitState =>
  path.reduce<CommitState>((state, event) => afterCommit(state, event), "committed")

it("What is gathered is committed, and then committed is all there is", () => {
  expect(walk("GATHER")).toBe("gathered")
  expect(walk("GATHER", "GATHER")).toBe("gathered")
  expect(walk("GATHER", "COMMIT")).toBe("committing")
  expect(walk("GATHER", "COMMIT", "DURABLE")).toBe("committed")
})

it("What comes while a commit is under way waits for the next one", () => {
  expect(walk("GATHER", "COMMIT", "GATHER")).toBe("overtaken")
  expect(walk("GATHER", "COMMIT", "GATHER", "GATHER", "DURABLE")).toBe("gathered")
})

it("A commit that failed is the last one, whatever comes", () => {
  expect(walk("GATHER", "COMMIT", "FAIL", "GATHER")).toBe("lost")
  expect(walk("GATHER", "COMMIT", "GATHER", "FAIL", "GATHER")).toBe("lost")
})

it("Nothing else ever happens: no second commit at once, no answer without a commit, none after the loss", () => {
  const possible = states.flatMap((state) =>
    events.flatMap((event) => {
      try {
        return [`${state} ${event} ${afterCommit(state, event)}`]
      } catch (defect) {
        expect(String(defect)).toContain(`must never be: ${event} of a journal that is ${state}`)
        return []
      }
    })
  )
  expect(possible).toEqual([
    "committed GATHER gathered",
    "gathered GATHER gathered",
    "gathered COMMIT committing",
    "committing GATHER overtaken",
    "committing DURABLE committed",
    "committing FAIL lost",
    "overtaken GATHER overtaken",
    "overtaken DURABLE gathered",
    "overtaken FAIL lost",
    "lost GATHER lost"
  ])
})
