/** What a schema says, read and put together, and what is refused of it by its name. */
import { describe, expect, it } from "vitest"
import { refused, Refusal } from "../../../src/machines/grammar/refusal.ts"
import { checkKeywords, pointer } from "../../../src/machines/grammar/schema/keywords.ts"
import {
  anyPlain,
  atIndex,
  meet,
  meetBounds,
  type Plain,
  place,
  sameValue,
  typesOf,
  underKey
} from "../../../src/machines/grammar/schema/plain.ts"
import { plainOf } from "../../../src/machines/grammar/schema/read.ts"

const read = (schema: Readonly<Record<string, unknown>>): Plain => plainOf(schema, "schema")
const refusalOf = (making: () => unknown) => {
  try {
    making()
    return undefined
  } catch (cause) {
    return cause instanceof Refusal ? refused(cause).details : cause
  }
}

describe("a refusal", () => {
  it("tells the field, and the keyword where it is of one", () => {
    const error = refused(new Refusal("schema/a", "it is no schema"))
    expect([error.code, error.details]).toStrictEqual(["INVALID_REQUEST", { field: "schema/a" }])
    expect(error.message).toContain("schema/a: it is no schema")
    expect(refused(new Refusal("schema/not", "no", "not")).details).toStrictEqual({
      field: "schema/not",
      keyword: "not"
    })
  })

  it("points to its place as JSON does", () => {
    expect([pointer("schema"), pointer("schema", "a/b~c", 0)]).toEqual(["schema", "schema/a~1b~0c/0"])
  })
})

describe("keywords", () => {
  it("that say nothing of a value may stand in a schema, and those that ask for nothing", () => {
    const harmless = `$schema $id id $comment $anchor $vocabulary $defs definitions title description markdownDescription
      default example examples deprecated readOnly writeOnly strict name discriminator externalDocs xml enumNames
      enumDescriptions errorMessage propertyOrdering order contentEncoding contentMediaType contentSchema ~standard x-any`
    for (const keyword of harmless.split(/\s+/))
      expect([keyword, refusalOf(() => checkKeywords({ [keyword]: 1 }, "schema"))]).toEqual([keyword, undefined])
    const asksNothing = {
      uniqueItems: false,
      unevaluatedProperties: true,
      unevaluatedItems: true,
      not: false,
      dependencies: {},
      dependentRequired: {},
      dependentSchemas: {}
    }
    expect(refusalOf(() => checkKeywords(asksNothing, "schema"))).toBeUndefined()
  })

  it("that are served are let by", () => {
    const served = `type enum const anyOf oneOf allOf $ref nullable minimum maximum exclusiveMinimum exclusiveMaximum
      multipleOf minLength maxLength pattern format items prefixItems additionalItems minItems maxItems properties
      patternProperties additionalProperties propertyNames required minProperties maxProperties`
    for (const keyword of served.split(/\s+/))
      expect([keyword, refusalOf(() => checkKeywords({ [keyword]: 1 }, "schema"))]).toEqual([keyword, undefined])
  })

  it.each([
    ["uniqueItems", true],
    ["unevaluatedProperties", false],
    ["unevaluatedItems", false],
    ["not", true],
    ["not", {}],
    ["dependencies", { a: ["b"] }],
    ["dependencies", []],
    ["dependentRequired", { a: [] }],
    ["dependentSchemas", { a: {} }],
    ["if", {}],
    ["contains", {}],
    ["$dynamicRef", "#"],
    ["toString", 1],
    ["minLenght", 1],
    ["y-x-any", 1]
  ])("that would be left out are refused: %s, %j", (keyword, value) => {
    expect(refusalOf(() => checkKeywords({ [keyword]: value }, "schema"))).toEqual({
      field: `schema/${keyword}`,
      keyword
    })
  })
})

describe("a schema's own words", () => {
  it("are read as they stand", () => {
    expect(read({})).toStrictEqual({ ...anyPlain("schema") })
    expect(
      read({
        type: ["string", "integer"],
        minimum: 1,
        exclusiveMaximum: 5,
        minLength: 2,
        maxItems: 3,
        minProperties: 1,
        pattern: "a",
        enum: [1, "aa"],
        required: ["k"],
        properties: { k: true },
        propertyNames: { maxLength: 1 },
        prefixItems: [{ type: "null" }],
        items: false
      })
    ).toStrictEqual({
      path: "schema",
      types: ["string", "integer"],
      spoken: ["number", "string", "array", "object"],
      values: [1, "aa"],
      bounds: { min: 1, below: 5 },
      length: { min: 2, max: undefined },
      patterns: [{ schema: "a", path: "schema/pattern" }],
      items: { min: 0, max: 3 },
      arrays: [{ first: [{ schema: { type: "null" }, path: "schema/prefixItems/0" }], rest: false }],
      size: { min: 1, max: undefined },
      objects: [
        { properties: new Map([["k", { schema: true, path: "schema/properties/k" }]]), patterns: [], others: undefined }
      ],
      required: ["k"],
      names: [{ schema: { maxLength: 1 }, path: "schema/propertyNames" }]
    } satisfies Plain)
  })

  it("may be those of older drafts", () => {
    expect(read({ minimum: 1, exclusiveMinimum: true, maximum: 5, exclusiveMaximum: false }).bounds).toEqual({
      min: 1,
      max: 5,
      above: 1
    })
    expect(read({ maximum: 5, exclusiveMaximum: true, exclusiveMinimum: true }).bounds).toEqual({ max: 5, below: 5 })
    expect(read({ items: [true], additionalItems: { type: "null" } }).arrays).toEqual([
      {
        first: [{ schema: true, path: "schema/items/0" }],
        rest: { schema: { type: "null" }, path: "schema/additionalItems" }
      }
    ])
    expect(read({ type: "string", required: false }).required).toEqual([])
    expect(read({ propertyNames: false }).names).toEqual([{ schema: false, path: "schema/propertyNames" }])
    expect([read({ propertyNames: true }).names, read({ items: true }).arrays]).toEqual([[], []])
  })

  it("tell of keys as soon as one of them does", () => {
    const objects = (schema: Readonly<Record<string, unknown>>) =>
      read(schema).objects.map(({ others, patterns, properties }) => [properties.size, patterns.length, others])
    expect(objects({ additionalProperties: false })).toEqual([[0, 0, false]])
    expect(objects({ patternProperties: { a: true } })).toEqual([[0, 1, undefined]])
    expect(objects({ properties: {} })).toEqual([[0, 0, undefined]])
    expect(objects({ minProperties: 1 })).toEqual([])
    expect([read({ additionalProperties: { type: "null" } }).objects[0]?.others, read({ items: true }).arrays]).toEqual(
      [{ schema: { type: "null" }, path: "schema/additionalProperties" }, []]
    )
  })

  it("tell the types that they mean", () => {
    expect(read({ type: ["integer", "number"] }).types).toEqual(["number"])
    expect(read({ type: "string", nullable: true }).types).toEqual(["string", "null"])
    expect(read({ type: ["null", "string"], nullable: true }).types).toEqual(["null", "string"])
    expect([read({ multipleOf: 1 }).types, read({ type: ["number", "null"], multipleOf: 1 }).types]).toEqual([
      ["integer"],
      ["integer", "null"]
    ])
    expect([read({ format: "int64" }).spoken, read({ format: "date" }).spoken]).toEqual([["number"], ["string"]])
    expect(read({ type: "integer", format: "int32", minimum: -5 }).bounds).toEqual({ min: -5, max: 2 ** 31 - 1 })
    expect(read({ format: "int32" }).bounds).toEqual({ min: -(2 ** 31), max: 2 ** 31 - 1 })
    for (const format of ["int64", "float", "double"])
      expect([format, read({ format }).bounds, read({ format }).patterns]).toEqual([format, {}, []])
    expect(typesOf(read({ minLength: 1 }))).toEqual(["string"])
    expect(typesOf(read({ type: "null", minLength: 1 }))).toEqual(["null"])
    expect(typesOf(read({}))).toEqual(["null", "boolean", "number", "string", "array", "object"])
  })

  it("tell the values that there are, of `enum` and `const`", () => {
    expect([read({ const: null }).values, read({ enum: [1, [2]] }).values]).toEqual([[null], [1, [2]]])
    expect([read({ enum: [1, [2]], const: [2] }).values, read({ enum: [1], const: 2 }).values]).toEqual([[[2]], []])
  })

  it.each([
    [{ type: "text" }, "type"],
    [{ type: [] }, "type"],
    [{ type: ["string", 1] }, "type"],
    [{ minimum: "1" }, "minimum"],
    [{ maximum: Infinity }, "maximum"],
    [{ exclusiveMinimum: "1" }, "exclusiveMinimum"],
    [{ minLength: -1 }, "minLength"],
    [{ maxItems: 1.5 }, "maxItems"],
    [{ minProperties: 2 ** 53 }, "minProperties"],
    [{ multipleOf: 2 }, "multipleOf"],
    [{ pattern: 1 }, "pattern"],
    [{ format: 1 }, "format"],
    [{ format: "regex" }, "format"],
    [{ enum: "a" }, "enum"],
    [{ properties: [] }, "properties"],
    [{ patternProperties: 1 }, "patternProperties"],
    [{ additionalProperties: "no" }, "additionalProperties"],
    [{ items: 1 }, "items"],
    [{ prefixItems: {} }, "prefixItems"],
    [{ propertyNames: "a" }, "propertyNames"],
    [{ required: "a" }, "required"],
    [{ required: true }, "required"],
    [{ required: [1] }, "required"]
  ])("are refused where they are malformed: %j", (schema, keyword) => {
    expect(refusalOf(() => read(schema))).toEqual({ field: `schema/${keyword}`, keyword })
  })
})

describe("values", () => {
  it("are the same where all in them is, in whichever order their keys stand", () => {
    const same: ReadonlyArray<readonly [unknown, unknown]> = [
      [1, 1],
      ["a", "a"],
      [null, null],
      [[], []],
      [
        [1, [2]],
        [1, [2]]
      ],
      [{}, {}],
      [
        { a: 1, b: [2] },
        { b: [2], a: 1 }
      ]
    ]
    const others: ReadonlyArray<readonly [unknown, unknown]> = [
      [1, "1"],
      [null, {}],
      [[], {}],
      [[1], [1, 2]],
      [
        [1, 2],
        [2, 1]
      ],
      [{ a: 1 }, { a: 2 }],
      [{ a: 1 }, { b: 1 }],
      [{ a: 1 }, { a: 1, b: 1 }],
      [{ toString: 1 }, { a: 1 }]
    ]
    expect(same.filter(([one, other]) => !sameValue(one, other))).toEqual([])
    expect(others.filter(([one, other]) => sameValue(one, other) || sameValue(other, one))).toEqual([])
  })
})

describe("two schemas at once", () => {
  it("are as narrow as the narrower of both", () => {
    expect(meetBounds({ min: 1, max: 9, above: 0, below: 12 }, { min: 3, max: 7, above: 2, below: 8 })).toStrictEqual({
      min: 3,
      max: 7,
      above: 2,
      below: 8
    })
    expect(meetBounds({ min: 1 }, { max: 2 })).toStrictEqual({ min: 1, max: 2 })
    const [one, other] = [
      read({ minLength: 1, maxLength: 9, minItems: 2, maxProperties: 4, required: ["a", "b"], pattern: "x" }),
      read({ minLength: 3, maxLength: 7, maxItems: 5, minProperties: 1, required: ["b", "c"], pattern: "y" })
    ]
    const { items, length, patterns, required, size, spoken } = meet(one, other)
    expect({ items, length, patterns: patterns.map(({ schema }) => schema), required, size, spoken }).toEqual({
      items: { min: 2, max: 5 },
      length: { min: 3, max: 7 },
      patterns: ["x", "y"],
      required: ["a", "b", "c"],
      size: { min: 1, max: 4 },
      spoken: ["string", "array", "object"]
    })
  })

  it("have the types and values of both, and whole numbers are numbers", () => {
    const types = (one: object, other: object) => meet(read({ ...one }), read({ ...other })).types
    expect(types({ type: ["integer", "string"] }, { type: ["number", "null"] })).toEqual(["integer"])
    expect(types({ type: "number" }, { type: "integer" })).toEqual(["integer"])
    expect(types({ type: "string" }, { type: "null" })).toEqual([])
    expect(types({ type: "string" }, {})).toEqual(["string"])
    expect(types({}, { type: "string" })).toEqual(["string"])
    expect(types({}, {})).toBeUndefined()
    const values = (one: object, other: object) => meet(read({ ...one }), read({ ...other })).values
    expect(values({ enum: [1, [2], "a"] }, { enum: ["a", [2]] })).toEqual([[2], "a"])
    expect([values({ const: 1 }, {}), values({}, { const: 1 }), values({}, {})]).toEqual([[1], [1], undefined])
  })
})

describe("what a part of a value has to satisfy", () => {
  const matches = (pattern: string, key: string): boolean => new RegExp(pattern, "u").test(key)
  const schemas = (all: ReturnType<typeof underKey>) => all?.map(({ schema }) => schema)

  it("is what all say of its key: by name, by patterns, and else of others", () => {
    const plain = read({
      properties: { ab: 1 },
      patternProperties: { "^a": 2, b$: 3 },
      additionalProperties: { of: 4 }
    })
    const under = (key: string, of = plain) => schemas(underKey(of, key, matches))
    expect([under("ab"), under("a"), under("b"), under("c")]).toEqual([[1, 2, 3], [2], [3], [{ of: 4 }]])
    const closed = read({ properties: { k: 5 }, additionalProperties: false })
    expect([under("k", closed), under("c", closed), under("c", read({ properties: { k: 5 } }))]).toEqual([
      [5],
      undefined,
      []
    ])
    expect([under("k", meet(plain, closed)), under("c", meet(plain, closed)), under("k", anyPlain("schema"))]).toEqual([
      [{ of: 4 }, 5],
      undefined,
      []
    ])
  })

  it("is what all say of its place in a list", () => {
    const at = (schema: Readonly<Record<string, unknown>>, index: number) => schemas(atIndex(read(schema), index))
    const tuple = { prefixItems: [1, 2], items: { of: 3 } }
    expect([at(tuple, 0), at(tuple, 1), at(tuple, 2), at(tuple, 9)]).toEqual([[1], [2], [{ of: 3 }], [{ of: 3 }]])
    expect([at({ prefixItems: [1], items: false }, 0), at({ prefixItems: [1], items: false }, 1)]).toEqual([
      [1],
      undefined
    ])
    expect([at({ prefixItems: [1] }, 1), at({}, 0)]).toEqual([[], []])
  })

  it("stands where it is", () => {
    expect(place(true, "schema", "items", 0)).toEqual({ schema: true, path: "schema/items/0" })
  })
})
