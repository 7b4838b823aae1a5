/** Text that nothing is asked of, up to a mark. */
import type { Mark } from "../../dialect/dialect.ts"
import { type Automaton, less } from "../automaton/automaton.ts"
import { automatonOf, type Expression } from "../automaton/expression.ts"
import { every, ofCharacters, union } from "../automaton/ranges.ts"
import { type Item, type Rules, type Sequence, text } from "../rules.ts"
import { bare, described } from "../text.ts"

const anyText: Expression = { _tag: "Repeat", part: { _tag: "Set", ranges: every }, min: 0, max: Infinity }
const space: Expression = {
  _tag: "Repeat",
  part: { _tag: "Set", ranges: ofCharacters(" \t\r\n") },
  min: 0,
  max: Infinity
}

/** A mark's white space is as much or as little as the model likes. */
const spaced = (mark: string): Expression => ({
  _tag: "Sequence",
  parts: (mark.match(/\s+|\S/gu) ?? []).map((part) =>
    part.trim() === "" ? space : { _tag: "Set", ranges: ofCharacters(part) }
  )
})

/** Texts that end with the first of these marks in them. */
const upTo = (marks: ReadonlyArray<string>): Automaton =>
  automatonOf({ _tag: "Sequence", parts: [anyText, { _tag: "Choice", parts: marks.map(spaced) }] }).map((state) =>
    state.accepts ? { ...state, ways: [] } : state
  )

/** Text up to the first of the marks, and `then` after it. */
export const thenAfter = (rules: Rules, marks: ReadonlyArray<string>, then: Sequence): Item =>
  described(rules, upTo(marks), bare, then)

/** Text in which `then` follows one of the marks, if one comes at all. */
export const freeUntil = (rules: Rules, marks: ReadonlyArray<string>, then: Sequence): Item => {
  const automaton = upTo(marks)
  return described(rules, automaton, bare, then, [])
}

/** The texts of the automaton that hold none of these. */
export const withoutMark = (automaton: Automaton, ...marks: ReadonlyArray<string>): Automaton => {
  const found = marks.filter((mark) => mark !== "")
  if (found.length === 0) return automaton
  const holding = automatonOf({
    _tag: "Sequence",
    parts: [anyText, { _tag: "Choice", parts: found.map((mark) => literally(mark)) }, anyText]
  })
  return less(automaton, holding)
}

const literally = (mark: string): Expression => ({
  _tag: "Sequence",
  parts: [...mark].map((character) => ({ _tag: "Set", ranges: ofCharacters(character) }))
})

/** Texts that begin otherwise. */
export const notBegunWith = (automaton: Automaton, start: string): Automaton =>
  less(automaton, automatonOf({ _tag: "Sequence", parts: [literally(start), anyText] }))

/** A few line ends, as stand between thoughts and what follows. */
export const gap = (rules: Rules): Item => rules.of([[], [text(" ")], [text("\n")], [text("\n\n")]])

const digits = union([[48, 57]])
const idCharacters = union(digits, [[65, 90]], [[97, 122]])

/** A mark whose holes are filled: what the model counts or makes up is of the kind that it is. */
export const filled = (rules: Rules, mark: Mark, values: { readonly name?: string; readonly key?: string }): Sequence =>
  mark.flatMap((part): Sequence => {
    if (typeof part === "string") return [text(part)]
    switch (part.hole) {
      case "name":
        return [text(values.name ?? "")]
      case "key":
        return [text(values.key ?? "")]
      case "index":
        return rules.repeat({ _tag: "Class", ranges: digits }, 1, 3)
      case "id":
        return rules.repeat({ _tag: "Class", ranges: idCharacters }, 9, 9)
    }
  })

/** A mark without what the prompt has written of it already. */
export const carriedOff = (mark: Mark, carry: string): Mark => {
  const [first, ...rest] = mark
  return typeof first === "string" && carry !== "" && first.startsWith(carry)
    ? [first.slice(carry.length), ...rest]
    : mark
}

/** A mark up to where an answer ends: the engine ends it there, and no text is written for it. */
export const beforeEnd = (mark: Mark, ends: ReadonlyArray<string>): Mark => {
  const kept: Array<Mark[number]> = []
  for (const part of mark) {
    const at =
      typeof part === "string" ? Math.min(...ends.map((end) => part.indexOf(end)).filter((one) => one >= 0)) : Infinity
    if (typeof part === "string" && at !== Infinity) return at === 0 ? kept : [...kept, part.slice(0, at)]
    kept.push(part)
  }
  return kept
}
