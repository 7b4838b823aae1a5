import { expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { describe } from "vitest"
import { Ledger, type Supply } from "../../../src/actors/hive/devices/ledger.ts"
import type { LeaseRow } from "../../../src/layers/hive-catalog/index.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import { DeviceId } from "../../../src/machines/vocabulary/ids.ts"

/** The catalog's table, in memory; `full` makes it refuse. */
const table = () => {
  const rows = new Map<string, LeaseRow>()
  const state = { full: false }
  return {
    rows,
    state,
    all: Effect.sync(() => [...rows.values()]),
    put: (row: LeaseRow) =>
      Effect.yieldNow().pipe(
        Effect.zipRight(
          Effect.suspend(() =>
            state.full ? Effect.fail(rbeeError("DISK_FULL", "no room")) : Effect.sync(() => void rows.set(row.id, row))
          )
        )
      ),
    remove: (id: string) => Effect.sync(() => void rows.delete(id))
  }
}
const gpu: Supply = { device: DeviceId.make("gpu0"), totalBytes: 10_300e6, freeBytes: 10_300e6 }
const need = (bytes: number) => (available: number) => (bytes <= available ? { bytes } : undefined)

describe("The ledger", () => {
  it.effect("books what fits, persists it, and gives it back", () =>
    Effect.gen(function* () {
      const rows = table()
      const ledger = new Ledger(rows)
      expect(ledger.available(gpu)).toBe(10_000e6)
      expect(yield* ledger.book("a", "w1", gpu, need(6e9))).toEqual({ bytes: 6e9 })
      expect(ledger.available(gpu)).toBe(4_000e6)
      expect([...rows.rows.values()]).toEqual([{ id: "a", device: DeviceId.make("gpu0"), owner: "w1", bytes: 6e9 }])
      expect(yield* ledger.book("b", "w2", gpu, need(6e9))).toBeUndefined()
      yield* ledger.release("a")
      expect(rows.rows.size).toBe(0)
      expect(yield* ledger.book("b", "w2", gpu, need(6e9))).toEqual({ bytes: 6e9 })
    })
  )

  it.effect("gives the last room to exactly one of many who ask at once", () =>
    Effect.gen(function* () {
      const ledger = new Ledger(table())
      const asked = Array.from({ length: 50 }, (_, i) => ledger.book(`l${i}`, `w${i}`, gpu, need(4e9)))
      const booked = (yield* Effect.all(asked, { concurrency: "unbounded" })).filter((each) => each !== undefined)
      expect(booked.length).toBe(2)
      const total = ledger.list().reduce((sum, { bytes }) => sum + bytes, 0)
      expect(total).toBeLessThanOrEqual(gpu.totalBytes)
    })
  )

  it.effect("dies of what must never be: more than there is, a lease twice, an amount that is none", () =>
    Effect.gen(function* () {
      const ledger = new Ledger(table())
      const diesOf = <A, E>(effect: Effect.Effect<A, E>, words: RegExp) =>
        Effect.map(Effect.flip(Effect.sandbox(effect)), (cause) => expect(Cause.pretty(cause)).toMatch(words))
      yield* diesOf(
        ledger.book("a", "w1", gpu, () => ({ bytes: 11e9 })),
        /never be: 11000000000 of 10000000000 bytes/
      )
      for (const bytes of [-1, Number.NaN, Infinity])
        yield* diesOf(
          ledger.book("a", "w1", gpu, () => ({ bytes })),
          /never be/
        )
      expect(ledger.list()).toEqual([])
      yield* ledger.book("a", "w1", gpu, need(1e9))
      yield* diesOf(ledger.book("a", "w2", gpu, need(1e9)), /never be: lease a is booked twice/)
      yield* diesOf(ledger.settle("a", Number.NaN), /never be: lease a was measured at NaN/)
      yield* diesOf(ledger.settle("a", 1e9, -1), /never be: -1 bytes of lease a are shown/)
      yield* diesOf(ledger.renew("a", -1), /never be: lease a is renewed with -1/)
      expect(ledger.bytesOf("a")).toBe(1e9)
    })
  )

  it.effect("keeps devices apart", () =>
    Effect.gen(function* () {
      const ledger = new Ledger(table())
      yield* ledger.book("a", "w1", gpu, need(9e9))
      expect(ledger.available({ ...gpu, device: DeviceId.make("gpu1") })).toBe(10_000e6)
    })
  )

  it.effect("takes a booking back that the catalog could not keep", () =>
    Effect.gen(function* () {
      const rows = table()
      const ledger = new Ledger(rows)
      rows.state.full = true
      expect(yield* Effect.flip(ledger.book("a", "w1", gpu, need(6e9)))).toMatchObject({ code: "DISK_FULL" })
      expect(ledger.list()).toEqual([])
    })
  )

  it.effect("counts memory that the device already shows as taken once, not twice", () =>
    Effect.gen(function* () {
      const ledger = new Ledger(table())
      yield* ledger.book("a", "w1", gpu, need(6e9))
      const loaded = { ...gpu, freeBytes: gpu.freeBytes - 6e9 }
      expect(ledger.available(loaded)).toBe(0)
      yield* ledger.settle("a")
      expect(ledger.available(loaded)).toBe(4_000e6)
    })
  )

  it.effect("keeps back what the device counts as free but its owner needs: mapped weights, buffers not yet used", () =>
    Effect.gen(function* () {
      const ledger = new Ledger(table())
      yield* ledger.book("a", "w1", gpu, need(6e9))
      // others have 2 GB; of our 6 GB the device shows 1 GB
      const loaded = { ...gpu, freeBytes: gpu.freeBytes - 2e9 - 1e9 }
      yield* ledger.settle("a", 6e9, 1e9)
      expect(ledger.available(loaded)).toBe(2_000e6)
      expect(ledger.available(loaded, new Set(["a"]))).toBe(8_000e6)
    })
  )

  it.effect("gives memory out again only when the device reports it, however early its owner was gone", () =>
    Effect.gen(function* () {
      const ledger = new Ledger(table())
      yield* ledger.book("a", "w1", gpu, need(6e9))
      yield* ledger.settle("a")
      yield* ledger.release("a")
      const late = { ...gpu, freeBytes: gpu.freeBytes - 6e9 }
      expect(yield* ledger.book("b", "w2", late, need(6e9))).toBeUndefined()
      expect(yield* ledger.book("b", "w2", gpu, need(6e9))).toEqual({ bytes: 6e9 })
    })
  )

  it.effect("believes the device when somebody else uses it", () =>
    Effect.sync(() => expect(new Ledger(table()).available({ ...gpu, freeBytes: 2_300e6 })).toBe(2_000e6))
  )

  it.effect("corrects a booking upwards by what was measured, and down when its owner shrinks", () =>
    Effect.gen(function* () {
      const rows = table()
      const ledger = new Ledger(rows)
      yield* ledger.book("a", "w1", gpu, need(6e9))
      yield* ledger.settle("a", 7e9)
      expect(rows.rows.get("a")?.bytes).toBe(7e9)
      yield* ledger.settle("a", 1e9)
      expect(rows.rows.get("a")?.bytes).toBe(7e9)
      yield* ledger.renew("a", 3e9)
      expect(rows.rows.get("a")?.bytes).toBe(3e9)
      expect(ledger.list()[0]?.shown).toBe(0)
    })
  )
})
