/** A grammar while it is made, and its text: few rules, none without an end, spelt as the engine reads it. */
import { describe, expect, it } from "vitest"
import { asText, avoiding } from "../../../src/machines/grammar/answer/rewritten.ts"
import { between, every, ofCharacters } from "../../../src/machines/grammar/automaton/ranges.ts"
import { Refusal } from "../../../src/machines/grammar/refusal.ts"
import { grammarText } from "../../../src/machines/grammar/render.ts"
import { type Choice, oneOf, Rules, type Sequence, text } from "../../../src/machines/grammar/rules.ts"
import { inJson } from "../../../src/machines/grammar/text.ts"

/** The texts of a grammar that are not longer, of one that does not go on for ever. */
const textsOf = (rules: Rules, sequence: Sequence, most: number): ReadonlyArray<string> => {
  const found = new Set<string>()
  const open: Array<readonly [string, Sequence]> = [["", sequence]]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [said, [first, ...rest]] = next
    if (said.length > most) continue
    if (first === undefined) found.add(said)
    else if (first._tag === "Text") open.push([said + first.text, rest])
    else if (first._tag === "Rule")
      for (const one of rules.all().get(first.name) ?? []) open.push([said, [...one, ...rest]])
    else
      for (const [from, to] of first.ranges)
        for (let code = from; code <= to; code++) open.push([said + String.fromCodePoint(code), rest])
  }
  return [...found].sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
}
const x = text("x")
const times = (count: number): string => "x".repeat(count)

describe("rules", () => {
  it("that are equal are one, and a rule of one item is that item", () => {
    const rules = new Rules()
    const [a, b] = [text("a"), text("b")]
    const one = rules.of([[a, b], []])
    expect(rules.of([[a, b], []])).toEqual(one)
    expect(rules.maybe(a, b)).toEqual(one)
    expect(rules.of([[a]])).toBe(a)
    const others: ReadonlyArray<Choice> = [
      [[a, b]],
      [[], [a, b]],
      [[text("ab")], []],
      [[], []],
      [[]],
      [],
      [[oneOf(ofCharacters("a"))], []],
      [[oneOf(ofCharacters("b"))], []]
    ]
    const names = others.map((choice) => JSON.stringify(rules.of(choice)))
    expect(new Set([...names, JSON.stringify(one)]).size).toBe(others.length + 1)
    expect(rules.all().size).toBe(others.length + 1)
  })

  it("may contain themselves", () => {
    const rules = new Rules()
    const rule = rules.reserve()
    rules.define(rule, [[text("("), rule, text(")")], []])
    expect(textsOf(rules, [rule], 4)).toEqual(["", "()", "(())"])
    expect(textsOf(rules, [rules.many(x)], 2)).toEqual(["", "x", "xx"])
    expect(rules.many(x)).toEqual(rules.many(x))
  })

  it.each([
    [0, 0],
    [0, 1],
    [1, 1],
    [2, 4],
    [0, 64],
    [64, 64],
    [65, 65],
    [130, 131],
    [0, 256],
    [0, 257],
    [3, 330],
    [100, 1000]
  ])("repeat an item from %d to %d times", (min, max) => {
    const rules = new Rules()
    const all = textsOf(rules, rules.repeat(x, min, max), max + 3)
    expect(all).toEqual(Array.from({ length: max - min + 1 }, (_, at) => times(min + at)))
  })

  it("repeat an item as often as there is room, and so with few rules", () => {
    const rules = new Rules()
    expect(textsOf(rules, rules.repeat(x, 2, undefined), 5)).toEqual(["xx", "xxx", "xxxx", "xxxxx"])
    const many = new Rules()
    many.repeat(x, 1000, 2 ** 31)
    expect(many.all().size).toBeLessThan(2000)
  })

  it("are refused where they are too many", () => {
    const rules = new Rules()
    for (let count = 0; count < 40_000; count++) rules.reserve()
    expect(() => rules.reserve()).toThrow(Refusal)
  })
})

describe("a grammar's text", () => {
  it("begins with the root, and has what is reached of it", () => {
    const rules = new Rules()
    rules.of([[x, text("unused")], []])
    const used = rules.of([[x], [text("y"), text("z")], []])
    expect(grammarText(rules, rules.of([[used, used]]))).toBe('root ::= r2\nr2 ::= r1 r1\nr1 ::= "x" | "yz" | ""\n')
  })

  it("has plain characters as they are, and others by their code", () => {
    const spelt = (value: string) => grammarText(new Rules(), text(value))
    expect(spelt(" !#$%&'()*+,./:;<=>?@{|}~`_aZ9")).toBe('root ::= " !#$%&\'()*+,./:;<=>?@{|}~`_aZ9"\n')
    expect(spelt('"\\[]^-\n\0é€\u{1f600}')).toBe(
      'root ::= "\\x22\\x5c\\x5b\\x5d\\x5e\\x2d\\x0a\\x00\\xe9\\u20ac\\U0001f600"\n'
    )
    const rules = new Rules()
    expect(grammarText(rules, oneOf(every))).toBe("root ::= [\\x00-\\ud7ff\\ue000-\\U0010ffff]\n")
    expect(grammarText(rules, oneOf([...between("a", "c"), ...ofCharacters("\u0100\u{10000}")]))).toBe(
      "root ::= [\\x61-\\x63\\u0100\\U00010000]\n"
    )
  })

  it("leaves out what never comes to an end", () => {
    const rules = new Rules()
    const endless = rules.reserve()
    rules.define(endless, [[text("a"), endless]])
    const root = rules.of([[endless, x], [x], [oneOf([]), x]])
    expect(grammarText(rules, root)).toBe('root ::= r1\nr1 ::= "x"\n')
    expect(() => grammarText(rules, endless)).toThrow(Refusal)
    expect(() => grammarText(rules, oneOf([]))).toThrow(Refusal)
  })

  it("is refused where a rule begins with itself, at once or by way of others that may be empty", () => {
    const begins = (before: Sequence) => {
      const rules = new Rules()
      const rule = rules.reserve()
      rules.define(rule, [[...before, rule], [x]])
      return () => grammarText(rules, rules.of([[rule, x]]))
    }
    expect(begins([])).toThrow(Refusal)
    expect(begins([text("")])).toThrow(Refusal)
    expect(begins([text("a")])()).toContain('"a" r0')
    const rules = new Rules()
    const [one, other] = [rules.reserve(), rules.reserve()]
    rules.define(one, [[rules.maybe(text("a")), other]])
    rules.define(other, [[one], [x]])
    expect(() => grammarText(rules, one)).toThrow(Refusal)
  })
})

describe("a text in JSON", () => {
  it("has what JSON writes with a backslash so, and the rest as it is", () => {
    expect(inJson(ofCharacters('a\n"\\\u0001'))).toEqual([
      [oneOf(ofCharacters("a"))],
      [text("\\u0001")],
      [text("\\n")],
      [text('\\"')],
      [text("\\\\")]
    ])
    expect(inJson(ofCharacters("\t"))).toEqual([[text("\\t")]])
    expect(inJson(between(" ", "!"))).toEqual([[oneOf(between(" ", "!"))]])
  })

  it("may hold another one, and may have a character by its code alone", () => {
    const rules = new Rules()
    const inner = rules.of([[text('{"a":"'), rules.many(oneOf(ofCharacters('b"')))], [text("<")]])
    expect(textsOf(rules, [asText(rules, inner)], 11)).toEqual([
      "<",
      '{\\"a\\":\\"',
      '{\\"a\\":\\"b',
      '{\\"a\\":\\"\\"',
      '{\\"a\\":\\"bb'
    ])
    const avoided = rules.of([[text("a<b"), oneOf(ofCharacters("<c"))], [oneOf(ofCharacters("d"))]])
    expect(textsOf(rules, [avoiding(rules, avoided, "<")], 20)).toEqual(["d", "a\\u003cbc", "a\\u003cb\\u003c"])
  })
})
