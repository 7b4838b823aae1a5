/** Texts as JSON writes them. What an automaton describes is spelt in one way only: as `JSON.stringify` does. */
import type { Automaton } from "./automaton/automaton.ts"
import { between, every, intersection, ofCharacters, type Ranges, union, without } from "./automaton/ranges.ts"
import { type Choice, type Item, oneOf, type Rules, type Sequence, text } from "./rules.ts"

const quote = text('"')
const controls: Ranges = [[0, 0x1f]]
/** what is written with a backslash */
const special = union(controls, ofCharacters('"\\'))
const hex = union(between("0", "9"), between("a", "f"), between("A", "F"))

/** How the characters of a set are written. */
export type Spelling = (set: Ranges) => Choice

export const inJson: Spelling = (set) => {
  const plain = without(set, special)
  const escaped = intersection(set, special).flatMap(([from, to]) =>
    Array.from({ length: to - from + 1 }, (_, at) => JSON.stringify(String.fromCodePoint(from + at)).slice(1, -1))
  )
  return [...(plain.length > 0 ? [[oneOf(plain)]] : []), ...escaped.map((one) => [text(one)])]
}

/** As they are. */
export const bare: Spelling = (set) => [[oneOf(set)]]

/** What the automaton describes, and `end` after it. With `before`: it may break off anywhere before, and that follows. */
export const described = (
  rules: Rules,
  automaton: Automaton,
  spelling: Spelling,
  end: Sequence,
  before?: Sequence
): Item => {
  const names = automaton.map(() => rules.reserve())
  for (const [at, { accepts, ways }] of automaton.entries()) {
    const rule = names[at]
    if (rule === undefined) continue
    const choice = ways.flatMap(([by, to]) => {
      const next = names[to]
      return next === undefined ? [] : [[rules.of(spelling(by)), next]]
    })
    rules.define(rule, [...choice, ...(accepts ? [end] : before === undefined ? [] : [before])])
  }
  return names[0] ?? rules.of([])
}

export const textLike = (rules: Rules, automaton: Automaton): Item =>
  rules.of([[quote, described(rules, automaton, inJson, [quote])]])

/** Any character, however JSON may write it. */
const character = (rules: Rules): Item => {
  const [digit, low] = [oneOf(hex), oneOf(between("0", "7"))]
  const [d, upper] = [oneOf(ofCharacters("dD")), oneOf(union(between("8", "9"), ofCharacters("abAB")))]
  const notD = oneOf(without(hex, ofCharacters("dD")))
  return rules.of([
    [oneOf(without(every, special))],
    [text("\\"), oneOf(ofCharacters('"\\bfnrt'))],
    [text("\\u"), notD, digit, digit, digit],
    [text("\\u"), d, low, digit, digit],
    [text("\\u"), d, upper, digit, digit, text("\\u"), d, oneOf(ofCharacters("cdefCDEF")), digit, digit]
  ])
}

/** Any text of as many characters. */
export const textOf = (rules: Rules, min: number, max: number | undefined): Sequence => [
  quote,
  ...rules.repeat(character(rules), min, max),
  quote
]
