import { describe, expect, it } from "vitest"
import { ExactPlaces } from "../../../src/machines/policy/exact-places.ts"
import { HiveId, cpuDevice, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const here = { hive: HiveId.make("a"), device: cpuDevice }
const there = { hive: HiveId.make("b"), device: cpuDevice }
const told = (at: typeof here, more: object = {}) => ({
  ...at,
  model: ModelRef.make("m"),
  exact: true,
  bits: "1",
  ...more
})

describe("Where an answer goes on as if nothing had happened", () => {
  it("is where workers compute the same", () => {
    const places = new ExactPlaces()
    places.note(told(here))
    expect(places.areAlike(here, here, ModelRef.make("m"))).toBe(true)
    expect(places.areAlike(here, there, ModelRef.make("m"))).toBe(false)
    places.note(told(there))
    expect(places.areAlike(here, there, ModelRef.make("m"))).toBe(true)
    expect(places.areAlike(here, there, ModelRef.make("other"))).toBe(false)
  })

  it("is not where each is exact in its own way", () => {
    const places = new ExactPlaces()
    places.note(told(here))
    places.note(told(there, { bits: "2" }))
    expect(places.isExact(there, ModelRef.make("m"))).toBe(true)
    expect(places.areAlike(here, there, ModelRef.make("m"))).toBe(false)
  })

  it("is not where the last worker said no, or has not said anything, or the hive was removed", () => {
    for (const worker of [told(here, { exact: false }), told(here, { exact: undefined, bits: undefined })]) {
      const places = new ExactPlaces()
      places.note(told(here))
      places.note(worker)
      expect(places.isExact(here, ModelRef.make("m"))).toBe(false)
    }
    const places = new ExactPlaces()
    places.note(told(here))
    places.removeHive(HiveId.make("a"))
    expect(places.isExact(here, ModelRef.make("m"))).toBe(false)
  })
})
