import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { type Copy, planGc } from "../../../src/machines/policy/model-gc.ts"
import { HiveId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const copy = (ref: string, hive: string, over: Partial<Copy> = {}): Copy => ({
  model_ref: ModelRef.make(ref),
  hive: HiveId.make(hive),
  file: `/models/${ref}`,
  bytes: 100,
  added_at: 1,
  pinned: false,
  owned: true,
  in_use: false,
  ...over
})
const gone = (copies: ReadonlyArray<Copy>, maxBytes: number, lastCopies = true) =>
  planGc(copies, { maxBytes, lastCopies }).removed.map(({ hive, model_ref }) => `${hive}/${model_ref}`)

describe("Making room", () => {
  it("removes the least recently used first, and stops as soon as the size is met", () => {
    const models = [
      copy("new", "a", { last_used_at: 30 }),
      copy("old", "a", { last_used_at: 10 }),
      copy("middle", "a", { last_used_at: 20 }),
      // never used: when it came counts
      copy("unused", "a", { added_at: 5 })
    ]
    expect(gone(models, 400)).toEqual([])
    expect(gone(models, 399)).toEqual(["a/unused"])
    expect(gone(models, 200)).toEqual(["a/unused", "a/old"])
  })

  it("tells of each that stays why", () => {
    const models = [
      copy("pinned", "a", { pinned: true }),
      copy("used", "a", { in_use: true }),
      copy("theirs", "a", { owned: false }),
      copy("last", "a")
    ]
    expect(planGc(models, { maxBytes: 0, lastCopies: false }).kept.map(({ because }) => because)).toEqual([
      "it is pinned",
      "a worker uses it",
      "rbee did not bring it",
      "it is the last copy in the cluster"
    ])
  })

  it("leaves one copy in the cluster, and of several the one that was used last", () => {
    const models = [copy("m", "a", { last_used_at: 20 }), copy("m", "b", { last_used_at: 10 })]
    expect(gone(models, 0, false)).toEqual(["b/m"])
    expect(gone(models, 0, true)).toEqual(["b/m", "a/m"])
  })

  it("does not take a file that others brought, and may delete, for a copy that stays", () => {
    expect(gone([copy("m", "a"), copy("m", "b", { owned: false })], 0, false)).toEqual([])
  })

  it("does not count what others brought, and takes no file of which one name is the last in the cluster", () => {
    const theirs = copy("theirs", "a", { owned: false, bytes: 1000 })
    expect(gone([theirs, copy("m", "a")], 100)).toEqual([])
    const twice = [copy("one", "a", { file: "/f" }), copy("other", "a", { file: "/f" })]
    expect(gone([...twice, copy("one", "b", { last_used_at: 9 })], 0, false)).toEqual(["b/one"])
    const both = [copy("one", "b", { last_used_at: 9 }), copy("other", "b", { last_used_at: 9 })]
    expect(gone([...twice, ...both], 0, false)).toEqual(["a/one", "a/other"])
  })

  it("counts a file with two names once, and removes both or neither", () => {
    const [one, other] = [copy("one", "a", { file: "/f" }), copy("other", "a", { file: "/f", owned: false })]
    expect(gone([one, other], 100)).toEqual([])
    expect(gone([one, other], 99)).toEqual(["a/one", "a/other"])
    expect(gone([one, { ...other, pinned: true }], 0)).toEqual([])
  })

  it("never touches what must stay, and goes down to the size where it may", () => {
    const some = FastCheck.array(
      FastCheck.record({
        model_ref: FastCheck.constantFrom("m1", "m2", "m3", "m4").map((ref) => ModelRef.make(ref)),
        hive: FastCheck.constantFrom(HiveId.make("a"), HiveId.make("b")),
        bytes: FastCheck.integer({ min: 1, max: 500 }),
        last_used_at: FastCheck.integer({ min: 0, max: 20 }),
        pinned: FastCheck.boolean(),
        owned: FastCheck.boolean(),
        in_use: FastCheck.boolean()
      }),
      { maxLength: 12 }
    ).map((copies) => copies.map((one, i) => copy(one.model_ref, one.hive, { ...one, file: `/${i}` })))
    FastCheck.assert(
      FastCheck.property(some, FastCheck.integer({ min: 0, max: 1500 }), FastCheck.boolean(), (copies, max, last) => {
        const { kept, removed } = planGc(copies, { maxBytes: max, lastCopies: last })
        expect(kept.length + removed.length).toBe(copies.length)
        const key = (one: { hive: string; model_ref: string; bytes: number }) =>
          `${one.hive} ${one.model_ref} ${one.bytes}`
        const mayGo = new Set(copies.filter((one) => one.owned && !one.pinned && !one.in_use).map(key))
        expect(removed.every((one) => mayGo.has(key(one)))).toBe(true)
        const stays = kept.filter(({ because }) => because === "there is room")
        for (const hive of ["a", "b"]) {
          const size = copies.filter((one) => one.hive === hive && one.owned).reduce((sum, one) => sum + one.bytes, 0)
          const left = size - removed.filter((one) => one.hive === hive).reduce((sum, one) => sum + one.bytes, 0)
          // whoever stays for want of need: the size was met
          if (stays.some((one) => one.hive === hive)) expect(left).toBeLessThanOrEqual(max)
        }
        if (last) return
        for (const ref of new Set(removed.map(({ model_ref }) => model_ref)))
          expect(kept.some(({ model_ref }) => model_ref === ref)).toBe(true)
      })
    )
  })
})
