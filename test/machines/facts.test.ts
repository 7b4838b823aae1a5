import { describe, expect, expectTypeOf, it } from "vitest"
import { rbeeError } from "../../src/machines/errors.ts"
import { fact, type GivenDetails } from "../../src/machines/facts.ts"
import type { WorkerId } from "../../src/machines/vocabulary/ids.ts"
import { decodeError } from "../../src/protocol/wire/error.ts"

describe("A fact of an error", () => {
  it("is read as it was written, also where it went over the wire", () => {
    const error = rbeeError("VRAM_EXHAUSTED", "full", "", { available_mb: 12, status: 409 })
    expect(fact(error, "available_mb")).toBe(12)
    expect(error.status).toBe(409)
    const { code, message, details } = error
    const there = decodeError({ error: { code, message, details } })
    expect(there && fact(there, "available_mb")).toBe(12)
  })

  it("of another type than ours is none: it steers nothing", () => {
    const told = decodeError({
      error: { code: "VRAM_EXHAUSTED", message: "full", details: { status: "409", available_mb: null, permanent: 1 } }
    })
    expect(told?.status).toBe(507)
    expect(told && fact(told, "available_mb")).toBeUndefined()
    expect(told && fact(told, "permanent")).toBeUndefined()
  })

  it("has its type where it is written and where it is read; what else is told may be anything", () => {
    expectTypeOf(fact(rbeeError("INTERNAL", "x"), "worker_id")).toEqualTypeOf<WorkerId | undefined>()
    expectTypeOf<{ readonly permanent: string }>().not.toExtend<GivenDetails>()
    expectTypeOf<{ readonly permanent: true; readonly anything: string }>().toExtend<GivenDetails>()
  })
})
