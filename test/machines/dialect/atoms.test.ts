/** Texts compared mark by mark, and values of JSON in the middle of them: what everything is learned by. */
import { describe, expect, it } from "vitest"
import {
  atomsOf,
  commonEnd,
  commonStart,
  holes,
  longest,
  markOf,
  withoutEnd
} from "../../../src/machines/dialect/learn/atoms.ts"
import { isArguments, jsonAt, pathTo } from "../../../src/machines/dialect/learn/json-at.ts"
import { marksIn } from "../../../src/machines/dialect/learn/scene.ts"
import { answerIn } from "../../../src/machines/dialect/trial/answer.ts"
import { dialectOf } from "../../support/dialects.ts"

describe("a text", () => {
  it("is marks, words and single characters", () => {
    expect(atomsOf("<|im_start|>user\nSo é_9.</s>[/INST]")).toEqual([
      "<|im_start|>",
      "user",
      "\n",
      "So",
      " ",
      "é_9",
      ".",
      "</s>",
      "[/INST]"
    ])
    expect(atomsOf("<\uFF5Ctool call\uFF5C><think>[ABC]")).toEqual(["<\uFF5Ctool call\uFF5C>", "<think>", "[ABC]"])
    expect(atomsOf("")).toEqual([])
  })

  it("has no mark that is too long, has none in it, or is no word in capitals", () => {
    const one = (text: string): boolean => atomsOf(text).length === 1
    const long = "x".repeat(40)
    for (const mark of [
      `<|${long}|>`,
      `<${long}>`,
      `</${long}>`,
      `<\uFF5C${long}\uFF5C>`,
      "<|x|>",
      "<x>",
      "[A_B]",
      "[/TOOL]"
    ])
      expect([mark, one(mark)]).toEqual([mark, true])
    for (const none of [
      ...[`<|${long}x|>`, `<${long}x>`, `<\uFF5C${long}x\uFF5C>`, "<>"],
      ...["<|a\nb|>", "<a b>", '<a="b">', "<\uFF5Ca\nb\uFF5C>", "[AB]", "[Abc]", "[_AB]", "[A9B]"]
    ])
      expect([none, one(none)]).toEqual([none, false])
  })

  it("begins and ends as another does, mark by mark", () => {
    expect(commonStart("<think>a", "<tool_call>a")).toBe("")
    expect(commonStart("<a>x y", "<a>x z")).toBe("<a>x ")
    expect([commonStart("ab", "ab c"), commonStart("", "a"), commonStart("a", "a")]).toEqual(["ab", "", "a"])
    expect(commonEnd("a</think>", "a</tool>")).toBe("")
    expect(commonEnd("x b</a>\n", "y b</a>\n")).toBe(" b</a>\n")
    expect([commonEnd("c ab", "ab"), commonEnd("", "a"), commonEnd("a", "a"), commonEnd("ab", "b")]).toEqual([
      "ab",
      "",
      "a",
      ""
    ])
    expect([withoutEnd("ab", "b"), withoutEnd("ab", "a"), withoutEnd("ab", "")]).toEqual(["a", "ab", "ab"])
    expect([longest(["a", "bbb", "cc"]), longest(["aa", "bb"]), longest([])]).toEqual(["bbb", "aa", ""])
  })

  it("is a mark where holes stand for what a call brings", () => {
    expect(markOf(`<${holes.name} id=${holes.id}>${holes.index}${holes.key}`)).toEqual([
      "<",
      { hole: "name" },
      " id=",
      { hole: "id" },
      ">",
      { hole: "index" },
      { hole: "key" }
    ])
    expect([markOf(""), markOf("x")]).toEqual([[], ["x"]])
  })

  it("has marks that look like some, each once", () => {
    expect(marksIn("<s>So.<|end|>\n<a>[X] [TOOL]<|end|></s>")).toEqual(["<|end|>", "[TOOL]", "</s>"])
    expect(marksIn(Array.from({ length: 12 }, (_, at) => `<mark${at}>`).join(""))).toHaveLength(8)
  })
})

describe("JSON in a text", () => {
  it("ends with its brackets and quotes, whatever stands in its texts", () => {
    const text = 'x {"a": ["}", "\\"]"], "b": {}} y'
    expect(jsonAt(text, 2)).toEqual({ value: { a: ["}", '"]'], b: {} }, start: 2, end: text.length - 2 })
    expect(jsonAt('"a\\"b" c', 0)).toEqual({ value: 'a"b', start: 0, end: 6 })
    expect(jsonAt("[1, [2]]]", 0)?.end).toBe(8)
    expect(jsonAt("{} {}", 0)?.end).toBe(2)
  })

  it("is none that breaks off, is crossed or is no JSON", () => {
    for (const none of ['{"a": 1', "[1}", "]", "}", '"a', "{a: 1}", "['x']", "1", "true", ""])
      expect([none, jsonAt(none, 0)]).toEqual([none, undefined])
  })

  it("is a call's arguments as they are, or as a text of them", () => {
    const args = { a: 1 }
    expect([isArguments({ a: 1 }, args), isArguments('{"a": 1}', args)]).toEqual([true, true])
    for (const other of [{ a: 2 }, {}, '{"a": 2}', "a", "", null, [args]]) expect(isArguments(other, args)).toBe(false)
  })

  it("leads to a value by its keys, and through the first item of a list", () => {
    const is = (wanted: unknown) => (value: unknown) => value === wanted
    const value = { a: { b: 1 }, c: [{ d: 2 }, { e: 3 }], f: null }
    expect([pathTo(value, is(1)), pathTo(value, is(2)), pathTo(value, is(value)), pathTo(value, is(null))]).toEqual([
      ["a", "b"],
      ["c", "0", "d"],
      [],
      ["f"]
    ])
    expect([pathTo(value, is(3)), pathTo(value, is(4)), pathTo(1, is(2)), pathTo(null, is(2))]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined
    ])
  })
})

describe("the answer in a turn", () => {
  const dialect = dialectOf("an object between marks")

  it("stands after the longest prompt, or what one has in common with it, and before what ends it", () => {
    expect(answerIn(dialect, "<|a|>x<|im_end|>\n", ["<|a|>", ""])).toEqual({ prompt: "<|a|>", text: "x" })
    expect(answerIn(dialect, "<|a|><b>x", ["<|a|>", "<|a|><b>"])).toEqual({ prompt: "<|a|><b>", text: "x" })
    expect(answerIn(dialect, "<|a|>x", ["<|a|><think>"])).toEqual({ prompt: "<|a|>", text: "x" })
    expect(answerIn({ ...dialect, end: ["<|z|>", "<|y|>"] }, "x<|y|><|z|>", [])).toEqual({ prompt: "", text: "x" })
    expect(answerIn({ ...dialect, end: ["<|y|>"] }, "<|y|>x", [])).toEqual({ prompt: "", text: "" })
  })
})
