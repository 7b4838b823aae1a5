/** What a client is told that finds the queue full. */
import { expect, it } from "vitest"
import { paceAfter, retryAfterS } from "../../src/machines/policy/queue-pace.ts"

it("a full queue is shorter by one when a slot is free, as jobs went lately", () => {
  expect(retryAfterS(undefined, 4)).toBe(1)
  const mean = [20_000, 20_000].reduce<number | undefined>(paceAfter, undefined)
  expect(retryAfterS(mean, 4)).toBe(5)
  expect(retryAfterS(mean, 0)).toBe(1)
  expect(retryAfterS(paceAfter(mean, 1e9), 1)).toBe(60)
  expect(retryAfterS(2, 4)).toBe(1)
  expect(paceAfter(10_000, 20_000)).toBe(12_000)
})

it("the newest jobs count for most", () => {
  const slow = Array.from({ length: 50 }, () => 10_000).reduce<number | undefined>(paceAfter, 100)
  expect(Math.round(slow ?? 0)).toBe(10_000)
})
