/** Numbers within bounds, as the engine's grammar lets them through: those that satisfy them, and no others. */
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import type { Addon } from "../../../src/layers/engine/llama/addon.ts"
import { loadRuntime } from "../../../src/layers/engine/llama/runtime.ts"
import { grammarOfSchema } from "../../../src/machines/grammar/schema/schema.ts"

let addon: Addon
beforeAll(async () => {
  ;({ addon } = await loadRuntime({ gpu: "cpu" }))
})

interface Bounded {
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
}

const through = (schema: object, texts: ReadonlyArray<string>): ReadonlyArray<string> => {
  const text = Either.getOrThrowWith(grammarOfSchema(schema, "schema"), (error) => error)
  const grammar = new addon.AddonGrammar(text, { addonExports: addon, rootRuleName: "root" })
  return texts.filter((one) => grammar.isTextCompatible(one))
}
const within = (value: number, { exclusiveMaximum, exclusiveMinimum, maximum, minimum }: Bounded): boolean =>
  !(minimum !== undefined && value < minimum) &&
  !(maximum !== undefined && value > maximum) &&
  !(exclusiveMinimum !== undefined && value <= exclusiveMinimum) &&
  !(exclusiveMaximum !== undefined && value >= exclusiveMaximum)

/** Values around each bound, and some that are far from any. */
const around = (bounds: Bounded, steps: ReadonlyArray<number>): ReadonlyArray<number> => {
  const ends: ReadonlyArray<number> = Object.values(bounds)
  const near = [0, ...ends].flatMap((end) => steps.flatMap((step) => [end - step, end, end + step, -end]))
  return [...new Set([...near, 1, -1, 9, 10, 99, 100, 101, 12_345, -999])].filter((one) => !Object.is(one, -0))
}

describe("whole numbers", () => {
  const all: ReadonlyArray<Bounded> = [
    { minimum: 0 },
    { minimum: 1, maximum: 1 },
    { minimum: 17 },
    { maximum: -17 },
    { maximum: 105 },
    { minimum: -105 },
    { exclusiveMinimum: 0 },
    { exclusiveMaximum: 0 },
    { exclusiveMinimum: -1, exclusiveMaximum: 1 },
    { exclusiveMinimum: 9.5, exclusiveMaximum: 20.5 },
    { minimum: 9.5, maximum: 20.5 },
    { minimum: -20.5, maximum: -9.5 },
    { minimum: 3, exclusiveMinimum: 3, maximum: 9, exclusiveMaximum: 9 },
    { minimum: 5, exclusiveMinimum: 2, maximum: 8, exclusiveMaximum: 12 },
    { minimum: 199, maximum: 4001 },
    { minimum: -4001, maximum: 199 },
    { minimum: 1000, maximum: 9999 },
    { minimum: 0, maximum: 2 ** 53 },
    { exclusiveMinimum: 2 ** 53 }
  ]
  it.each(all.map((bounds) => ({ bounds })))("within $bounds", ({ bounds }) => {
    const values = around(bounds, [1, 2, 10, 0.5]).filter((one) => Number.isInteger(one))
    const texts = values.map(String)
    expect(through({ type: "integer", ...bounds }, texts)).toEqual(
      values.filter((one) => within(one, bounds)).map(String)
    )
  })

  it("have as many digits as JavaScript writes, no zero before them and no sign before zero", () => {
    const texts = ["0", "-0", "00", "07", "-7", "+7", "1.0", "1e3", "9".repeat(21), "9".repeat(22), "-", ""]
    expect(through({ type: "integer" }, texts)).toEqual(["0", "-7", "9".repeat(21)])
    expect(through({ type: "integer", minimum: 10 ** 20 }, ["1".repeat(21), "1".repeat(22), "9".repeat(20)])).toEqual([
      "1".repeat(21),
      "1".repeat(22)
    ])
  })
})

describe("numbers with a fraction", () => {
  const all: ReadonlyArray<Bounded> = [
    { minimum: 0 },
    { maximum: 0 },
    { exclusiveMinimum: 0 },
    { exclusiveMaximum: 0 },
    { minimum: 0.5, maximum: 0.75 },
    { minimum: 0.5, maximum: 0.5 },
    { minimum: 1.05, maximum: 1.5 },
    { minimum: 0.09, maximum: 12.3 },
    { minimum: -2.5, maximum: -2.25 },
    { minimum: -0.5, maximum: 0.25 },
    { exclusiveMinimum: 1.5, exclusiveMaximum: 3 },
    { exclusiveMinimum: -1, maximum: 10 },
    { minimum: 99.9 },
    { maximum: 99.9 },
    { maximum: -99.9 },
    { minimum: 1e-7 },
    { minimum: 2.5e-7, maximum: 3e-7 },
    { maximum: 1e-7 },
    { minimum: 1.25e-3, maximum: 0.002 },
    { minimum: 1e21, maximum: 1.5e21 },
    { minimum: 3, maximum: 5, exclusiveMinimum: 4, exclusiveMaximum: 6 }
  ]
  it.each(all.map((bounds) => ({ bounds })))("within $bounds", ({ bounds }) => {
    const values = around(bounds, [0.01, 0.1, 0.5, 1])
    const texts = values.map((one) => JSON.stringify(one)).filter((text) => !text.includes("e"))
    expect(through({ type: "number", ...bounds }, texts)).toEqual(texts.filter((text) => within(Number(text), bounds)))
  })

  it("less than a millionth may be written with an exponent, where all of them are within", () => {
    const tiny = ["1e-7", "9.5e-99", "1.5e-10", "1e-6", "0.5e-7", "1e-100", "1e7"]
    expect(through({ type: "number", minimum: 0, maximum: 1 }, tiny)).toEqual(tiny.slice(0, 3))
    expect(through({ type: "number", exclusiveMinimum: 0, maximum: 0.5 }, tiny)).toEqual(tiny.slice(0, 3))
    expect(through({ type: "number", minimum: 0.1 }, tiny)).toEqual([])
    expect(through({ type: "number", minimum: 0, maximum: 1e-7 }, tiny)).toEqual([])
    expect(
      through(
        { type: "number", maximum: 0 },
        tiny.map((one) => `-${one}`)
      )
    ).toEqual(tiny.slice(0, 3).map((one) => `-${one}`))
  })

  it("without bounds are any that a double holds", () => {
    const right = ["0", "-0", "1.5", "1e5", "1E-5", "-2.5e+279", "1e-999", "12e99", "1e100"]
    const wrong = ["1e280", "1e1000", "1e-1000", "1e", "1.e5", ".5", "01", "1.".padEnd(30, "1")]
    expect(through({ type: "number" }, [...right, ...wrong])).toEqual(right)
  })

  it("are refused where none is within, or a bound is too fine to be counted in digits", () => {
    const refused = (bounds: Bounded) => {
      const made = grammarOfSchema({ type: "number", ...bounds }, "schema")
      return Either.isLeft(made) ? (made.left.details["keyword"] ?? made.left.details["field"]) : undefined
    }
    expect(refused({ minimum: 2, maximum: 1 })).toBe("schema")
    expect(refused({ exclusiveMinimum: 1, maximum: 1 })).toBe("schema")
    expect(refused({ minimum: 1e-30 })).toBe("minimum")
    expect(refused({ minimum: 1e-24 })).toBeUndefined()
    expect(refused({ exclusiveMinimum: 0 })).toBeUndefined()
  })
})
