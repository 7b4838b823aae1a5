import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { containersMax, readJson, type Reading, TooManyParts } from "../../src/machines/formats/json/reading.ts"

const read = (text: string) => {
  let steps = 1
  const reading: Reading<unknown> = readJson(text, "mark")
  for (;;) {
    const step = reading.next()
    if (step.done === true) return { value: step.value, steps }
    steps++
  }
}
const long = 'say "hi", größe € 🐝\n\\\\\u0001 '.repeat(20_000)

describe("JSON read in steps", () => {
  it("is what JSON.parse gives", () => {
    const text = FastCheck.oneof(
      FastCheck.string(),
      FastCheck.string().map((one) => one.repeat(100))
    )
    const { tree } = FastCheck.letrec((tie) => ({
      tree: FastCheck.oneof(
        FastCheck.jsonValue(),
        text,
        FastCheck.array(tie("tree"), { maxLength: 4 }),
        FastCheck.dictionary(text, tie("tree"), { maxKeys: 4 })
      )
    }))
    FastCheck.assert(
      FastCheck.property(tree, FastCheck.constantFrom(undefined, 1), (value, space) => {
        const json = JSON.stringify(value, null, space)
        expect(read(json).value).toEqual(JSON.parse(json))
      })
    )
  })

  it("has long texts as they were, wherever their pieces end", () => {
    for (let shift = 0; shift < 12; shift++) {
      const value = { messages: [{ content: "x".repeat(shift) + long }, { content: "" }], last: long }
      for (const json of [JSON.stringify(value), escaped(JSON.stringify(value))]) {
        const { steps, value: found } = read(json)
        expect(found).toEqual(value)
        expect(steps).toBeGreaterThan(10)
      }
    }
  })

  it("refuses what JSON.parse refuses", () => {
    for (const text of [
      "",
      '"',
      '{"a":"b',
      `{"a":"${"b".repeat(200)}\n"}`,
      `{"a":"${"\\".repeat(201)}"}`,
      `{"a":"${"b".repeat(200)}\\x"}`,
      `{"a":"${"b".repeat(200)}" "b":1}`,
      `"${"b".repeat(200)}" 1`,
      `{"a":"${"\\u12".repeat(20_000)}"}`
    ]) {
      expect(() => JSON.parse(text)).toThrow(SyntaxError)
      expect(() => read(text)).toThrow(SyntaxError)
    }
  })

  it("takes the last of two fields of one name, and long names", () => {
    const one = "a".repeat(300)
    for (const text of [`{"a":"${one}","a":"${one}b"}`, `{"a":"${one}","a":1}`, `{"${one}" : "${one}"}`])
      expect(read(text).value).toEqual(JSON.parse(text))
  })

  it("refuses more objects and lists than anybody needs, before it reads them", () => {
    const objects = (count: number) => `[${Array.from({ length: count }, () => '{"a":"[{"}').join()}]`
    const { inAll, nearTop } = containersMax
    expect(read(objects(nearTop - 1)).value).toHaveLength(nearTop - 1)
    for (const text of [objects(nearTop), "[".repeat(inAll + 1), "[".repeat(20_000_000), objects(400_000)])
      expect(() => read(text)).toThrow(TooManyParts)
  })

  it("takes what lies deep in a field that nobody knows", () => {
    const deep = `{"x":${"[".repeat(200_000)}${"]".repeat(200_000)},"y":1}`
    expect(read(deep).value).toMatchObject({ y: 1 })
    const wide = `{"x":[[[[[[${"[],".repeat(100_000)}[]]]]]]],"y":1}`
    expect(read(wide).value).toMatchObject({ y: 1 })
  })

  it("takes many numbers", () => {
    const ids = Array.from({ length: 300_000 }, (_, id) => id)
    expect(read(JSON.stringify({ ids, text: long })).value).toEqual({ ids, text: long })
  })
})

/** With every character beyond ASCII as an escape. */
const escaped = (json: string): string =>
  json.replace(/[^\x20-\x7e]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`)
