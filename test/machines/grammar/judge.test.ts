/** Which values satisfy a schema, and whether two schemas have one in common: what choices are told apart by. */
import { describe, expect, it } from "vitest"
import { Refusal } from "../../../src/machines/grammar/refusal.ts"
import { Judge } from "../../../src/machines/grammar/schema/judge.ts"

const judgeOf = (schema: unknown) => new Judge({ schema, path: "schema" })
const satisfying = (schema: unknown, ...values: ReadonlyArray<unknown>) => {
  const judge = judgeOf(schema)
  return values.filter((value) => judge.satisfies(value, [{ schema, path: "schema" }]))
}
const overlap = (one: unknown, other: unknown): boolean => {
  const judge = judgeOf({ one, other })
  const plains = (schema: unknown) => judge.normal.of([{ schema, path: "schema" }])
  return plains(one).some((left) => plains(other).some((right) => judge.overlaps(left, right)))
}
/** Why it cannot be read; undefined: it can. */
const refusal = (schema: unknown, root: unknown = schema): readonly [string, string | undefined] | undefined => {
  try {
    judgeOf(root).normal.of([{ schema, path: "schema" }])
    return undefined
  } catch (cause) {
    if (cause instanceof Refusal) return [cause.path, cause.keyword]
    throw cause
  }
}

const some = [null, true, 0, 1, 1.5, -3, "", "ab", "\u{1f600}", [], [1], [1, "x"], {}, { a: 1 }, { a: "x", b: null }]

describe("a value satisfies", () => {
  it("a type, and a whole number that of numbers", () => {
    expect(satisfying({ type: "null" }, ...some)).toEqual([null])
    expect(satisfying({ type: "boolean" }, ...some)).toEqual([true])
    expect(satisfying({ type: "integer" }, ...some)).toEqual([0, 1, -3])
    expect(satisfying({ type: "number" }, ...some)).toEqual([0, 1, 1.5, -3])
    expect(satisfying({ type: "string" }, ...some)).toEqual(["", "ab", "\u{1f600}"])
    expect(satisfying({ type: "array" }, ...some)).toEqual([[], [1], [1, "x"]])
    expect(satisfying({ type: "object" }, ...some)).toEqual([{}, { a: 1 }, { a: "x", b: null }])
    expect(satisfying({ type: ["null", "integer"] }, ...some)).toEqual([null, 0, 1, -3])
    expect([satisfying(true, ...some), satisfying({}, ...some), satisfying(false, ...some)]).toEqual([some, some, []])
  })

  it("what is said of its type, and values of others satisfy it too", () => {
    const numbers = [-3, 0, 1, 1.5]
    expect(satisfying({ minimum: 0 }, ...numbers, "x")).toEqual([0, 1, 1.5, "x"])
    expect(satisfying({ maximum: 1 }, ...numbers)).toEqual([-3, 0, 1])
    expect(satisfying({ exclusiveMinimum: 0, exclusiveMaximum: 1.5 }, ...numbers)).toEqual([1])
    expect(satisfying({ minLength: 1, maxLength: 1 }, "", "\u{1f600}", "ab", [1, 2])).toEqual(["\u{1f600}", [1, 2]])
    expect(satisfying({ pattern: "a", format: "date" }, "a", "2024-01-01")).toEqual([])
    expect(satisfying({ pattern: "^a" }, "ab", "ba", 1)).toEqual(["ab", 1])
    expect(satisfying({ minItems: 1, maxItems: 1 }, [], [1], [1, 2])).toEqual([[1]])
    expect(
      satisfying({ prefixItems: [{ type: "null" }], items: { type: "string" } }, [], [null, "x"], [1], [null, 1])
    ).toEqual([[], [null, "x"]])
    expect(satisfying({ items: false }, [], [1])).toEqual([[]])
  })

  it("what is said of its keys", () => {
    const objects = [{}, { a: 1 }, { a: "x" }, { a: 1, b: 2 }, { bb: 1 }]
    expect(satisfying({ required: ["a"] }, ...objects)).toEqual([{ a: 1 }, { a: "x" }, { a: 1, b: 2 }])
    expect(satisfying({ required: ["toString"] }, ...objects)).toEqual([])
    expect(satisfying({ properties: { a: { type: "string" } } }, ...objects)).toEqual([{}, { a: "x" }, { bb: 1 }])
    expect(satisfying({ properties: { a: true }, additionalProperties: false }, ...objects)).toEqual([
      {},
      { a: 1 },
      { a: "x" }
    ])
    expect(satisfying({ minProperties: 1, maxProperties: 1 }, ...objects)).toEqual([{ a: 1 }, { a: "x" }, { bb: 1 }])
    expect(satisfying({ propertyNames: { maxLength: 1 } }, ...objects)).toEqual(objects.slice(0, 4))
    expect(satisfying({ patternProperties: { "^b": { minimum: 2 } } }, ...objects)).toEqual(objects.slice(0, 4))
  })

  it("a choice, a reference, and all of several", () => {
    expect(satisfying({ enum: [1, { a: 1 }, "ab"] }, ...some)).toEqual([1, "ab", { a: 1 }])
    expect(satisfying({ anyOf: [{ type: "null" }, { minimum: 2, type: "number" }] }, null, 1, 2)).toEqual([null, 2])
    expect(satisfying({ allOf: [{ minimum: 1 }, { maximum: 2 }], type: "integer" }, 0, 1, 2, 3)).toEqual([1, 2])
    expect(satisfying({ $ref: "#/$defs/a~1b%20c", $defs: { "a/b c": { const: 1 } } }, 1, 2)).toEqual([1])
    expect(satisfying({ minLength: 1, nullable: true }, null, "", "x")).toEqual([null, "x"])
    const tree = { type: "object", properties: { in: { $ref: "#" } }, additionalProperties: false }
    expect(satisfying(tree, { in: { in: {} } }, { in: { on: {} } }, { in: 1 })).toEqual([{ in: { in: {} } }])
  })
})

describe("two schemas", () => {
  const apart: ReadonlyArray<readonly [unknown, unknown]> = [
    [{ type: "string" }, { type: "null" }],
    [{ type: ["string", "null"] }, { type: ["array", "object"] }],
    [{ const: 1 }, { const: 2 }],
    [{ enum: [1, 2] }, { type: "string" }],
    [
      { type: "number", maximum: 1 },
      { type: "integer", minimum: 2 }
    ],
    [
      { type: "number", maximum: 1 },
      { type: "number", exclusiveMinimum: 1 }
    ],
    [
      { type: "number", exclusiveMaximum: 1 },
      { type: "number", minimum: 1 }
    ],
    [
      { type: "number", minimum: 7, maximum: 9 },
      { type: "number", minimum: 1, maximum: 6 }
    ],
    [
      { type: "string", maxLength: 1 },
      { type: "string", minLength: 2 }
    ],
    [
      { type: "string", pattern: "^a" },
      { type: "string", pattern: "^b" }
    ],
    [
      { type: "string", pattern: "^aa$" },
      { type: "string", maxLength: 1 }
    ],
    [
      { type: "array", maxItems: 1 },
      { type: "array", minItems: 2 }
    ],
    [
      { type: "object", maxProperties: 1 },
      { type: "object", minProperties: 2 }
    ],
    [
      { type: "object", required: ["a"] },
      { type: "object", properties: { a: false } }
    ],
    [
      { type: "object", required: ["a"] },
      { type: "object", properties: { b: true }, additionalProperties: false }
    ],
    [
      { type: "object", properties: { kind: { const: "a" } }, required: ["kind"] },
      { type: "object", properties: { kind: { const: "b" } }, required: ["kind"] }
    ],
    [
      {
        type: "object",
        properties: { of: { properties: { kind: { const: "a" } }, required: ["kind"], type: "object" } },
        required: ["of"]
      },
      {
        type: "object",
        properties: { of: { properties: { kind: { const: "b" } }, required: ["kind"], type: "object" } },
        required: ["of"]
      }
    ]
  ]
  it.each(apart.map(([one, other]) => ({ one, other })))(
    "have nothing in common: $one and $other",
    ({ one, other }) => {
      expect([overlap(one, other), overlap(other, one)]).toEqual([false, false])
    }
  )

  const alike: ReadonlyArray<readonly [unknown, unknown]> = [
    [{ type: "integer" }, { type: "number" }],
    [{ type: ["string", "null"] }, { type: ["null", "array"] }],
    [{}, { type: "boolean" }],
    // null satisfies both
    [{ minLength: 1 }, { minimum: 1 }],
    [{ const: [1] }, { enum: [[1], 2] }],
    [
      { type: "number", maximum: 1 },
      { type: "number", minimum: 1 }
    ],
    [
      { type: "number", minimum: 0, maximum: 5 },
      { type: "number", minimum: 4 }
    ],
    [{ type: "number" }, { type: "number", exclusiveMinimum: 1 }],
    [
      { type: "string", maxLength: 2 },
      { type: "string", minLength: 2 }
    ],
    [
      { type: "string", pattern: "^a" },
      { type: "string", pattern: "b$" }
    ],
    [
      { type: "array", maxItems: 2 },
      { type: "array", minItems: 2 }
    ],
    [
      { type: "array", items: { type: "null" } },
      { type: "array", items: { type: "string" } }
    ],
    [
      { type: "object", required: ["a"] },
      { type: "object", required: ["b"] }
    ],
    // null satisfies both of these too
    [
      { type: ["null", "object"], required: ["a"] },
      { type: ["null", "object"], properties: { a: false } }
    ],
    [
      { type: "object", properties: { kind: { const: "a" } } },
      { type: "object", properties: { kind: { const: "b" } } }
    ],
    [
      { type: "object", properties: { kind: { enum: ["a", "b"] } }, required: ["kind"] },
      { type: "object", properties: { kind: { const: "b" } }, required: ["kind"] }
    ]
  ]
  it.each(alike.map(([one, other]) => ({ one, other })))(
    "may have a value in common: $one and $other",
    ({ one, other }) => {
      expect([overlap(one, other), overlap(other, one)]).toEqual([true, true])
    }
  )

  it("that are the same far inside are not told apart", () => {
    const deep = (kind: string, depth: number): unknown =>
      depth === 0 ? { const: kind } : { type: "object", properties: { of: deep(kind, depth - 1) }, required: ["of"] }
    expect([overlap(deep("a", 4), deep("b", 4)), overlap(deep("a", 5), deep("b", 5))]).toEqual([false, true])
  })
})

describe("a schema is refused", () => {
  it.each([
    [1, "schema", undefined],
    [{ anyOf: [{ $ref: "#" }] }, "schema", "$ref"],
    [{ $ref: 1 }, "schema/$ref", "$ref"],
    [{ $ref: "#a" }, "schema/$ref", "$ref"],
    [{ $ref: "x#/a" }, "schema/$ref", "$ref"],
    [{ $ref: "#/toString" }, "schema/$ref", "$ref"],
    [{ $ref: "#/anyOf/1", anyOf: [{}] }, "schema/$ref", "$ref"],
    [{ anyOf: [] }, "schema/anyOf", "anyOf"],
    [{ oneOf: {} }, "schema/oneOf", "oneOf"],
    [{ allOf: "x" }, "schema/allOf", "allOf"],
    [{ allOf: [{ not: {} }] }, "schema/allOf/0/not", "not"],
    [{ oneOf: [{ type: "integer" }, {}] }, "schema/oneOf", "oneOf"]
  ] as const)("by its place: %j", (schema, path, keyword) => {
    expect(refusal(schema)).toEqual([path, keyword])
  })

  it("where its alternatives are too many, or stand inside of each other too deep", () => {
    const choice = (count: number) => ({ anyOf: Array.from({ length: count }, (_, at) => ({ const: at })) })
    const wide = (count: number) => ({ anyOf: Array.from({ length: count }, () => ({ minimum: 1 })) })
    expect(refusal(choice(512))).toBeUndefined()
    expect(refusal(choice(513))).toEqual(["schema", undefined])
    expect(refusal({ allOf: [wide(16), wide(32)] })).toBeUndefined()
    expect(refusal({ allOf: [wide(16), wide(33)] })).toEqual(["schema/allOf/1", undefined])
    const deep = (depth: number): unknown => (depth === 0 ? {} : { allOf: [deep(depth - 1)] })
    expect(refusal(deep(200))).toBeUndefined()
    expect(refusal(deep(201))).toBeDefined()
  })

  it("and leads where it says, through lists and escapes", () => {
    const root = { anyOf: [{ type: "null" }, { type: "string" }], "%": { "a~b": true } }
    expect(refusal({ $ref: "#/anyOf/1" }, root)).toBeUndefined()
    expect(refusal({ $ref: "#/%/a~0b" }, root)).toBeUndefined()
    expect(refusal({ $ref: "#/anyOf/2" }, root)).toEqual(["schema/$ref", "$ref"])
  })
})
