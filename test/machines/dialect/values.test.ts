/** Values of a call's arguments, as JSON and as programs write them, from a text that comes in pieces. */
import { describe, expect, it } from "vitest"
import { Input, type Reading } from "../../../src/machines/dialect/fold/input.ts"
import { object, readText, textInside, value } from "../../../src/machines/dialect/fold/json.ts"
import { literal } from "../../../src/machines/dialect/fold/literal.ts"
import { admitted, isText, valueOf } from "../../../src/machines/dialect/fold/values.ts"

/** What is found in a text that is all there, and what is left of it. */
const whole = <A>(text: string, reader: (input: Input) => Reading<A>): readonly [A, string] | "more" => {
  const input = new Input()
  input.push(text)
  input.ended = true
  const found = reader(input).next()
  return found.done === true ? [found.value, input.text.slice(input.at)] : "more"
}
/** The same, character by character; what was passed on is put together. */
const passed = (text: string, reader: (input: Input, sink: (piece: string) => void) => Reading<boolean>) => {
  const input = new Input()
  let said = ""
  const reading = reader(input, (piece) => {
    said += piece
  })
  for (const character of text) {
    input.push(character)
    const found = reading.next()
    if (found.done === true) return [found.value, said]
  }
  input.ended = true
  const found = reading.next()
  return found.done === true ? [found.value, said] : "more"
}

describe("a text in JSON", () => {
  it("is read to its quote, and is none where it has no end or JSON would not have it", () => {
    const read = (text: string) => whole(text, readText)
    expect(read(' "a\\n\\"b" c')).toEqual(['a\n"b', " c"])
    expect(read('"a\nb"')).toEqual(["a\nb", ""])
    expect(read('"a')).toEqual([undefined, ""])
    expect(read('"a\\')).toEqual([undefined, ""])
    expect(read('"\\q"')).toEqual([undefined, ""])
    expect(read("a")).toEqual([undefined, "a"])
  })

  it("that holds JSON is what stands in it", () => {
    const inside = (text: string) => passed(text, textInside)
    expect(inside('"{\\"a\\": \\"\\u00e4\\\\n\\t\\/\\r\\b\\f\\n\\uD83D\\uDE00\\u00E4"')).toEqual([
      true,
      '{"a": "ä\\n\t/\r\b\f\n\u{1f600}ä'
    ])
    for (const text of ['"abc', '"ab\\', '"ab\\u00', '"ab\\u00g0"', '"ab\\u:000"'])
      expect([text, passed(text, textInside)]).toEqual([text, [false, text.startsWith('"abc') ? "abc" : "ab"]])
  })
})

describe("a value of JSON", () => {
  const said = (text: string) => passed(text, value)

  it("comes to its end with its last bracket or quote, or before what follows it", () => {
    expect(said('{"a": [1, "}]"]} rest')).toEqual([true, '{"a": [1, "}]"]}'])
    expect(said('"a\\"b" rest')).toEqual([true, '"a\\"b"'])
    expect(said("[] rest")).toEqual([true, "[]"])
    for (const after of [" ", ",", "}", "]", "\n"]) expect(said(`-1.5${after}`)).toEqual([true, "-1.5"])
    expect(said("  true,")).toEqual([true, "true"])
  })

  it("that breaks off is told as far as it came", () => {
    expect(said('{"a": [1')).toEqual([false, '{"a": [1'])
    expect(said('{"a')).toEqual([false, '{"a'])
    expect(said("12")).toEqual([false, "12"])
    expect(said("")).toEqual([false, ""])
  })

  it("has line ends in its texts as JSON writes them", () => {
    expect(said('"a\nb\u0001"')).toEqual([true, '"a\\nb\\u0001"'])
    expect(said('{"a": "x\ty"}\n')).toEqual([true, '{"a": "x\\ty"}'])
  })
})

describe("an object", () => {
  const keys = (text: string, stopAt?: string) => {
    const found: Array<string> = []
    const ended = whole(text, (input) =>
      object(input, function* (key) {
        found.push(key)
        return key !== stopAt && (yield* value(input))
      })
    )
    return [ended === "more" ? ended : ended[0], found]
  }

  it("is read key by key", () => {
    expect(keys(' { "a" : 1 , "b":{"c":2}}')).toEqual([true, ["a", "b"]])
    expect(keys("{}")).toEqual([true, []])
    expect(keys('{"a": 1, "b": 2}', "a")).toEqual([false, ["a"]])
  })

  it("is none without its bracket, keys in quotes and colons", () => {
    for (const text of ["[1]", "", "{a: 1}", '{"a" 1}', "{1: 2}"])
      expect([text, keys(text)]).toEqual([text, [false, []]])
    expect(keys('{"a": 1')).toEqual([false, ["a"]])
  })
})

describe("a value as a program writes it", () => {
  const own = { open: '<|"|>', close: '<|"|>' }
  const read = (text: string, quote?: typeof own) => {
    const found = whole(text, (input) => literal(input, quote))
    return found === "more" ? found : found[0]
  }

  it("is a word, a number or a text in either quotes", () => {
    expect(["True", "False", "None", "true", "false", "null"].map((word) => read(word))).toEqual([
      "true",
      "false",
      "null",
      "true",
      "false",
      "null"
    ])
    for (const number of ["0", "-12", "1.5", "2e10", "1E-3", "-1.5e+2"]) expect(read(number)).toBe(number)
    for (const wrong of ["", "word", "constructor", "__proto__", "1.", ".5", "1e", "0x1f", "--1", "+1"])
      expect([wrong, read(wrong)]).toEqual([wrong, undefined])
    expect(read(`'it\\'s "so"' `)).toBe(`"it's \\"so\\""`)
    expect(read(`"a\\n\\t\\r\\b\\f\\0\\\\\\q" `)).toBe(JSON.stringify("a\n\t\r\b\f\0\\\\q"))
    expect(read(`'it's' `)).toBe(`"it's"`)
    expect(read("'open")).toBeUndefined()
  })

  it("has characters by their codes, and keeps what is no code", () => {
    expect(read(`'\\x41\\u00e4\\U0001f600' `)).toBe('"Aä\u{1f600}"')
    expect(read(`'\\x4' `)).toBe(JSON.stringify("\\x4"))
    expect(read(`'\\U00110000' `)).toBe(JSON.stringify("\\U00110000"))
    expect(read(`'\\U0010ffff' `)).toBe(JSON.stringify("\u{10ffff}"))
  })

  it("is a list or an object, with keys in quotes or without", () => {
    expect(read("[1, 'a', [True]]")).toBe('[1, "a", [true]]')
    expect(read("[]")).toBe("[]")
    expect(read(`{'a': 1, b.c: None, "d": {}}`)).toBe('{"a": 1, "b.c": null, "d": {}}')
    expect(read("{a: , b: 1}")).toBe('{"a": null, "b": 1}')
    for (const wrong of ["[1, word]", "{a 1}", "{: 1}", "[1", "{'a': 1"])
      expect([wrong, read(wrong)]).toEqual([wrong, undefined])
  })

  it("may have quotes of its own, where nothing may stand for null", () => {
    expect(read('<|"|>a "b" \\n<|"|>', own)).toBe(JSON.stringify('a "b" \\n'))
    expect(read('[<|"|>a<|"|>,,2]', own)).toBe('["a", null, 2]')
    expect(read("[,1,]", own)).toBe("[null, 1, null]")
    expect(read("[1,]")).toBe("[1]")
    expect(read('{<|"|>a<|"|>:1,b:<|"|>x<|"|>}', own)).toBe('{"a": 1, "b": "x"}')
    expect(read('<|"|>open', own)).toBeUndefined()
    expect(read("7", own)).toBe("7")
  })
})

describe("bare words of an argument", () => {
  it("are what the schema admits, and a text where it says nothing better", () => {
    const read = (text: string, schema?: unknown): unknown => JSON.parse(valueOf(text, schema))
    expect([read("7"), read("seven"), read(" true "), read("{'a': None}"), read("'x'")]).toEqual([
      7,
      "seven",
      true,
      { a: null },
      "x"
    ])
    expect([read("7", { type: "string" }), read("7", { type: "integer" }), read("7", { type: "number" })]).toEqual([
      "7",
      7,
      7
    ])
    expect([read("7", { type: ["string", "null"] }), read("null", { type: ["string", "null"] })]).toEqual(["7", null])
    expect([read("7", { type: "boolean" }), read("[1] x", { type: "array" })]).toEqual(["7", "[1] x"])
    expect([read("b", { enum: ["a", "b"] }), read("2", { enum: [1, 2] }), read("2", { const: "2" })]).toEqual([
      "b",
      2,
      "2"
    ])
    expect(read(" x ", { type: "string" })).toBe(" x ")
  })

  it("have the types that are said, by a choice as well", () => {
    const all = ["string", "number", "boolean", "null", "array", "object"]
    const of = (schema: unknown) => all.filter(admitted(schema))
    expect([of(undefined), of(true), of({})]).toEqual([all, all, all])
    expect(of({ anyOf: [{ type: "string" }, { type: "null" }] })).toEqual(["string", "null"])
    expect(of({ oneOf: [{ type: "integer" }, { const: [] }] })).toEqual(["number", "array"])
    expect(of({ enum: [null, {}, "x"] })).toEqual(["string", "null", "object"])
    expect([
      isText({ type: "string" }),
      isText({ enum: ["a"] }),
      isText({}),
      isText({ type: ["string", "null"] })
    ]).toEqual([true, true, false, false])
    expect(isText({ type: "number" })).toBe(false)
  })
})
