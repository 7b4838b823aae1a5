import { describe, expect, it } from "vitest"
import { afterDeath, backoffMs, workerRestarts } from "../../../src/machines/policy/restart.ts"

describe("Restart arithmetic", () => {
  it("waits 0, 0.5 and 1 s, and gives up at the fourth death within a minute", () => {
    const first = afterDeath(workerRestarts, [], 100)
    expect(first).toEqual({ _tag: "Restart", n: 1, delayMs: 0, deaths: [100] })
    expect(afterDeath(workerRestarts, [100], 200)).toMatchObject({ n: 2, delayMs: 500 })
    expect(afterDeath(workerRestarts, [100, 200], 300)).toMatchObject({ n: 3, delayMs: 1000 })
    expect(afterDeath(workerRestarts, [100, 200, 300], 60_100)).toEqual({ _tag: "Spent", attempts: 4 })
  })

  it("counts a death that is exactly one period old, and none that is older", () => {
    expect(afterDeath(workerRestarts, [0, 1, 2], 60_000)._tag).toBe("Spent")
    expect(afterDeath(workerRestarts, [0, 1, 2], 60_001)).toMatchObject({ n: 3, deaths: [1, 2, 60_001] })
  })

  it("doubles the wait for something remote up to half a minute", () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 20].map(backoffMs)).toEqual([
      500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000
    ])
  })
})
