import { describe, expect, it } from "vitest"
import { Intensity } from "../../../src/actors/core/supervision/intensity.ts"

const of = (intensity: Intensity, now: number) => intensity.window(now).count

describe("The fuse of a supervisor", () => {
  it("says how many restarts of the period there are, of how many", () => {
    const fuse = new Intensity(3, 1000)
    expect(fuse.window(0)).toEqual({ count: 0, max: 3, period_ms: 1000 })
    for (const at of [0, 400, 900]) fuse.add(at)
    expect(fuse.window(900)).toEqual({ count: 3, max: 3, period_ms: 1000 })
  })

  it("counts a restart to the last millisecond of the period and no longer, asked at any time", () => {
    const fuse = new Intensity(3, 1000)
    for (const at of [0, 400, 900]) fuse.add(at)
    expect([1000, 1001, 1400, 1401, 1900, 1901].map((now) => of(fuse, now))).toEqual([3, 2, 2, 1, 1, 0])
  })

  it("keeps no more than twice what the period holds, however often it is asked for, and loses none of it", () => {
    const fuse = new Intensity(1_000_000, 1000)
    for (let at = 0; at < 10_000; at += 10) {
      const { restarts } = fuse.add(at)
      expect(restarts).toBe(Math.min(at / 10 + 1, 101))
      expect(of(fuse, at)).toBe(restarts)
      expect(fuse.kept).toBeLessThanOrEqual(2 * restarts)
    }
  })
})
