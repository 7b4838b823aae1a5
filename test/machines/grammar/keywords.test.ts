/** Schemas word by word: what each keyword lets through, and what is refused by its name. */
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import type { Addon } from "../../../src/layers/engine/llama/addon.ts"
import { loadRuntime } from "../../../src/layers/engine/llama/runtime.ts"
import { grammarOfSchema } from "../../../src/machines/grammar/schema/schema.ts"

let addon: Addon
beforeAll(async () => {
  ;({ addon } = await loadRuntime({ gpu: "cpu" }))
})

const grammarOf = (schema: unknown): string =>
  Either.getOrThrowWith(grammarOfSchema(schema, "schema"), (error) => error)
/** Those of the texts that are let through. */
const through = (schema: unknown, ...texts: ReadonlyArray<string>): ReadonlyArray<string> => {
  const grammar = new addon.AddonGrammar(grammarOf(schema), { addonExports: addon, rootRuleName: "root" })
  return texts.filter((text) => grammar.isTextCompatible(text))
}
const refusalOf = (schema: unknown) => {
  const made = grammarOfSchema(schema, "schema")
  return Either.isLeft(made) ? { code: made.left.code, ...made.left.details, message: made.left.message } : undefined
}
const object = (properties: object, required: ReadonlyArray<string> = [], more: object = {}) => ({
  type: "object",
  properties,
  required,
  ...more
})

describe("Objects", () => {
  it("have their keys in the schema's order, and those that need not be there may be left out", () => {
    const schema = object({ a: { type: "null" }, b: { type: "null" }, c: { type: "null" } }, ["b"])
    const wrong = ['{"b":null,"a":null}', '{"a":null}', "{}", '{"b":null,}', '{,"b":null}', '{"b":null,"b":null}']
    const right = ['{"b":null}', '{"a":null,"b":null}', '{"b":null,"c":null}', '{"a":null, "b":null, "c":null}']
    expect(through(schema, ...wrong, ...right)).toEqual(right)
  })
  it("without properties may have any keys, with some only those, unless others are allowed", () => {
    const other = '{"x":[1,{"y":"z"}]}'
    expect(through({ type: "object" }, other)).toEqual([other])
    expect(through(object({ a: true }), other)).toEqual([])
    expect(through(object({ a: true }, [], { additionalProperties: true }), other)).toEqual([other])
    expect(through(object({ a: true }, [], { additionalProperties: { type: "array" } }), other, '{"x":1}')).toEqual([
      other
    ])
  })
  it("have no key twice by another spelling", () => {
    const schema = object({ a: { type: "null" } }, ["a"], { additionalProperties: { type: "integer" } })
    expect(through(schema, '{"a":null,"\\u0061":1}', '{"a":null,"a":1}', '{"a":null,"aa":1,"":2}')).toEqual([
      '{"a":null,"aa":1,"":2}'
    ])
  })
  it("have as many keys as are asked for", () => {
    const schema = object({ a: true, b: true, c: true }, [], { minProperties: 1, maxProperties: 2 })
    const all = ["{}", '{"a":1}', '{"c":1}', '{"a":1,"c":1}', '{"a":1,"b":1,"c":1}']
    expect(through(schema, ...all)).toEqual(all.slice(1, 4))
    const others = object({ a: { type: "null" } }, [], {
      minProperties: 2,
      maxProperties: 3,
      additionalProperties: { type: "integer" }
    })
    const some = [
      "{}",
      '{"a":null}',
      '{"x":1}',
      '{"a":null,"x":1}',
      '{"a":null,"x":1,"y":2}',
      '{"a":null,"x":1,"y":2,"z":3}'
    ]
    expect(through(others, ...some)).toEqual(some.slice(3, 5))
    const one = { type: "object", minProperties: 1, maxProperties: 1 }
    expect(through(one, "{}", '{"x":1}', '{"x":1,"y":2}')).toEqual(['{"x":1}'])
    expect(through({ type: "object", maxProperties: 0 }, "{}", '{"x":1}')).toEqual(["{}"])
  })
  it("have keys of a pattern, and names of a kind", () => {
    const schema = {
      type: "object",
      patternProperties: { "^n_": { type: "integer" } },
      additionalProperties: { type: "null" }
    }
    const named = { type: "object", propertyNames: { pattern: "^[a-c]$" }, additionalProperties: { type: "null" } }
    expect(through(schema, '{"n_x":1}', '{"n_x":null}', '{"m":null}', '{"m":1}')).toEqual(['{"n_x":1}', '{"m":null}'])
    expect(through(named, '{"a":null,"c":null}', '{"d":null}')).toEqual(['{"a":null,"c":null}'])
  })
  it("may require a key that they do not describe", () => {
    expect(through({ type: "object", required: ["x"] }, "{}", '{"x":1}', '{"x":1,"y":2}')).toEqual([
      '{"x":1}',
      '{"x":1,"y":2}'
    ])
  })
  it("may have hundreds of keys that need not be there", () => {
    const keys = Array.from({ length: 300 }, (_, at) => `k${at}`)
    const schema = object(Object.fromEntries(keys.map((key) => [key, { type: "integer" }])))
    expect(through(schema, '{"k0":1,"k299":2}', '{"k299":1,"k0":2}')).toEqual(['{"k0":1,"k299":2}'])
  })
})

describe("Texts", () => {
  it("are counted in characters, also where they are written as codes", () => {
    const two = ['"ab"', '"äß"', '"\u{1f600}x"', '"\\u00e4\\n"', '"\\ud83d\\ude00b"']
    const others = ['"a"', '"abc"', '"\\ud83d"', '"\\ud83dx"', '"a\nb"', "ab", '"a\\x"']
    expect(through({ type: "string", minLength: 2, maxLength: 2 }, ...two, ...others)).toEqual(two)
  })
  it("have large bounds with few rules", () => {
    for (const maxLength of [600, 65_536, 2 ** 31 - 1]) {
      const schema = { type: "string", minLength: 300, maxLength }
      expect(grammarOf(schema).length).toBeLessThan(30_000)
      const text = (length: number): string => `"${"x".repeat(length)}"`
      const all = [299, 300, 600, 601].map(text)
      expect(through(schema, ...all)).toEqual(all.slice(1, maxLength > 600 ? 4 : 3))
    }
  })
  it("match their pattern as JavaScript reads it, found anywhere unless it is held fast", () => {
    const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
      ["b+", ["abc", "ac", "b"]],
      ["^a|b$", ["ax", "xb", "xax"]],
      ["^(?<year>\\d{4})-(?:0[1-9]|1[0-2])$", ["2024-12", "2024-13", "x2024-12"]],
      ["^[^\\s]{2,3}?$", ["ab", "a b", "abcd", "\u{1f600}\u{1f600}"]],
      ["^\\u{1F600}[\\-a]\\/\\.$", ["\u{1f600}-/.", "\u{1f600}b/."]],
      ["^(ab|a)(bc|c)$", ["abc", "abbc", "ac", "aabc"]],
      ["^(x?){3}$", ["", "xxx", "xxxx"]],
      ["^.$", ["a", "\n", "\u2028", '"']],
      ["", ["", "anything"]]
    ]
    for (const [pattern, texts] of cases)
      expect([pattern, through({ type: "string", pattern }, ...texts.map((one) => JSON.stringify(one)))]).toEqual([
        pattern,
        texts.filter((one) => new RegExp(pattern, "u").test(one)).map((one) => JSON.stringify(one))
      ])
  })
  it("match a pattern and have a length", () => {
    expect(through({ type: "string", pattern: "^a*$", minLength: 2, maxLength: 3 }, '"a"', '"aa"', '"aaaa"')).toEqual([
      '"aa"'
    ])
  })
  it("of a format are right ones", () => {
    const right = {
      date: ["2024-02-29", "1999-12-31"],
      "date-time": ["2024-02-29T23:59:59.5+01:00"],
      time: ["00:00:00Z"],
      ipv6: ["::", "1::2", "1:2:3:4:5:6:7:8"],
      uri: ["https://a.example:80/x?y=1#z"],
      duration: ["P1DT2H", "P3W"]
    }
    const wrong = {
      date: ["2023-02-29", "2024-04-31", "2024-1-1"],
      "date-time": ["2024-02-29", "2024-02-29T24:00:00Z"],
      time: ["00:00:00"],
      ipv6: ["1:2", ":::", "1:2:3:4:5:6:7:8:9"],
      uri: ["no uri"],
      duration: ["P", "PT"]
    }
    for (const [format, texts] of Object.entries(right))
      expect(through({ format }, ...texts.map((one) => `"${one}"`))).toEqual(texts.map((one) => `"${one}"`))
    for (const [format, texts] of Object.entries(wrong))
      expect(through({ format }, ...texts.map((one) => `"${one}"`))).toEqual([])
  })
})

describe("Numbers", () => {
  const texts = (...values: ReadonlyArray<number>): ReadonlyArray<string> =>
    values.map((value) => JSON.stringify(value))
  it("are within whole bounds exactly", () => {
    for (const [minimum, maximum] of [
      [-12, 104],
      [0, 0],
      [7, 7],
      [98, 1203],
      [-5, -3],
      [-1000, -99],
      [0, 9]
    ] as const) {
      const all = Array.from({ length: 2600 }, (_, at) => at - 1300)
      expect(through({ type: "integer", minimum, maximum }, ...texts(...all))).toEqual(
        texts(...all.filter((one) => one >= minimum && one <= maximum))
      )
    }
  })
  it("are within bounds with a fraction exactly", () => {
    const all = Array.from({ length: 801 }, (_, at) => (at - 400) / 100)
    for (const [minimum, maximum] of [
      [-1.25, 2.5],
      [0.1, 0.13],
      [-0.07, -0.01],
      [1, 1.005],
      [-3, 0]
    ] as const) {
      expect(through({ type: "number", minimum, maximum }, ...texts(...all))).toEqual(
        texts(...all.filter((one) => one >= minimum && one <= maximum))
      )
      expect(
        through({ type: "number", exclusiveMinimum: minimum, exclusiveMaximum: maximum }, ...texts(...all))
      ).toEqual(texts(...all.filter((one) => one > minimum && one < maximum)))
    }
  })
  it("do not round past an exclusive bound", () => {
    const schema = { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 }
    expect(through(schema, "0.99999999999999999999", "0.9999999999999999", "0", "0.0", "1e-7", "0.000001")).toEqual([
      "0.9999999999999999",
      "1e-7",
      "0.000001"
    ])
  })
  it("come to an end, and are no others in JavaScript", () => {
    expect(through({ type: "integer" }, "1", "-0", "01", "1.0", "9".repeat(30))).toEqual(["1"])
    expect(through({ type: "number" }, "1e999", "1.5e-7", "1.", ".5", "-0.5", `1.${"0".repeat(40)}`)).toEqual([
      "1.5e-7",
      "-0.5"
    ])
  })
})

describe("Choices and references", () => {
  it("nothing said of the type is said of none, and a list of types of each", () => {
    const any = ["1", '"x"', "[]", "{}", "null", "true"]
    expect(through({}, ...any)).toEqual(any)
    expect(through({ type: ["string", "null"] }, ...any)).toEqual(['"x"', "null"])
    expect(through({ type: "integer", nullable: true }, ...any)).toEqual(["1", "null"])
    expect(through({ minLength: 1 }, ...any)).toEqual(['"x"'])
  })
  it("enum and const are these values, as far as the rest allows them", () => {
    expect(through({ type: "string", enum: ["a", "b\n", 1], maxLength: 1 }, '"a"', '"b\\n"', "1")).toEqual(['"a"'])
    expect(through({ const: { k: [1, "é"] } }, '{"k":[1,"é"]}', '{ "k": [ 1, "é" ] }', '{"k":[1]}')).toEqual([
      '{"k":[1,"é"]}',
      '{ "k": [ 1, "é" ] }'
    ])
  })
  it("allOf is put together, with keys of both", () => {
    const schema = { allOf: [{ type: "integer", minimum: 3 }, { maximum: 5 }, { anyOf: [{ const: 4 }, { const: 9 }] }] }
    expect(through(schema, "3", "4", "9")).toEqual(["4"])
    const objects = {
      allOf: [object({ a: { minimum: 1 } }, ["a"]), object({ a: { type: "integer" }, b: { type: "null" } })]
    }
    expect(through(objects, '{"a":1}', '{"a":0}', '{"a":1,"b":null}', '{"b":null}')).toEqual([
      '{"a":1}',
      '{"a":1,"b":null}'
    ])
  })
  it("schemas may contain themselves", () => {
    const tree = {
      $ref: "#/$defs/tree",
      $defs: {
        tree: object({ of: { type: "integer" }, in: { type: "array", items: { $ref: "#/$defs/tree" } } }, ["of"])
      }
    }
    expect(through(tree, '{"of":1,"in":[{"of":2},{"of":3,"in":[]}]}', '{"of":1,"in":[{}]}')).toEqual([
      '{"of":1,"in":[{"of":2},{"of":3,"in":[]}]}'
    ])
  })
  it("oneOf is served where no value satisfies two", () => {
    expect(through({ oneOf: [{ type: "string" }, { type: "null" }] }, '"x"', "null", "1")).toEqual(['"x"', "null"])
    expect(refusalOf({ oneOf: [{ type: "integer" }, { type: "number" }] })).toMatchObject({
      keyword: "oneOf",
      field: "schema/oneOf"
    })
  })
  it("what can never end is left out of a choice", () => {
    const loop = {
      anyOf: [{ type: "null" }, { $ref: "#/$defs/loop" }],
      $defs: { loop: object({ next: { $ref: "#/$defs/loop" } }, ["next"]) }
    }
    expect(grammarOf(loop)).not.toContain("next")
  })
  it("an array of first items alone has white space where one of others has it", () => {
    const right = ["[ null,true ]", "[null, true]", "[\n  null\n]", "[]", "[ null ]"]
    expect(
      through({ prefixItems: [{ type: "null" }, { type: "boolean" }], items: false }, ...right, "[null,]", "[,true]")
    ).toEqual(right)
  })
  it("an array has first items of their own, and bounds", () => {
    const schema = {
      prefixItems: [{ type: "null" }, { type: "boolean" }],
      items: { type: "integer" },
      minItems: 1,
      maxItems: 3
    }
    const all = ["[]", "[null]", "[null,true]", "[null,true,1]", "[null,true,1,2]", "[true]"]
    expect(through(schema, ...all)).toEqual(all.slice(1, 4))
    expect(
      through({ items: { type: "null" }, maxItems: 2 ** 31 - 1 }, "[]", `[${"null,".repeat(999)}null]`)
    ).toHaveLength(2)
  })
})

describe("Refused by name", () => {
  const cases: ReadonlyArray<readonly [unknown, string]> = [
    [{ not: { type: "null" } }, "schema/not"],
    [object({ a: { if: {}, else: {} } }), "schema/properties/a/if"],
    [{ type: "array", items: { contains: {} } }, "schema/items/contains"],
    [{ type: "array", uniqueItems: true }, "schema/uniqueItems"],
    [{ type: "number", multipleOf: 0.5 }, "schema/multipleOf"],
    [{ dependentRequired: { a: ["b"] } }, "schema/dependentRequired"],
    [{ unevaluatedProperties: false }, "schema/unevaluatedProperties"],
    [{ type: "string", format: "regex" }, "schema/format"],
    [{ type: "string", pattern: "(?=a)b" }, "schema/pattern"],
    [{ type: "string", pattern: "(a)\\1" }, "schema/pattern"],
    [{ type: "string", pattern: "\\bword" }, "schema/pattern"],
    [{ type: "string", pattern: "(" }, "schema/pattern"],
    [{ $ref: "https://example.com/schema" }, "schema/$ref"],
    [{ $ref: "#/$defs/none" }, "schema/$ref"],
    [{ type: "text" }, "schema/type"],
    [{ type: "string", minLength: "3" }, "schema/minLength"],
    [{ minLenght: 3 }, "schema/minLenght"],
    [{ properties: [] }, "schema/properties"]
  ]
  it.each(cases.map(([schema, field]) => ({ schema, field })))("$field", ({ field, schema }) => {
    expect(refusalOf(schema)).toMatchObject({ code: "INVALID_REQUEST", field })
  })
  it("what nothing satisfies, and what has no end", () => {
    expect(refusalOf(false)?.message).toContain("nothing satisfies")
    expect(refusalOf({ type: "integer", minimum: 3, maximum: 2 })?.message).toContain("nothing satisfies")
    expect(refusalOf(object({ next: { $ref: "#" } }, ["next"]))?.message).toContain("nothing satisfies")
    expect(refusalOf({ anyOf: [{ $ref: "#" }] })?.message).toContain("refers to itself")
  })
  it("what says nothing of a value is harmless", () => {
    const said = {
      $schema: "x",
      $id: "x",
      title: "x",
      description: "x",
      default: 1,
      examples: [1],
      $comment: "x",
      deprecated: true,
      readOnly: true,
      "x-order": 1,
      uniqueItems: false,
      strict: true
    }
    expect(through({ type: "null", ...said }, "null")).toEqual(["null"])
  })
})

describe("White space", () => {
  it("stands where people write it, and comes to an end", () => {
    const schema = object({ a: { type: "array", items: { type: "integer" } } }, ["a"])
    const right = ['{"a":[1,2]}', '{ "a": [1, 2] }', '{\n  "a": [\n    1,\n    2\n  ]\n}', ' {"a":[]}']
    const wrong = ['{  "a":[]}', `{"a":[]${"\n".repeat(3)}}`, '{"a":[]} ', `{\n${" ".repeat(30)}"a":[]}`]
    expect(through(schema, ...right, ...wrong)).toEqual(right)
  })
})
