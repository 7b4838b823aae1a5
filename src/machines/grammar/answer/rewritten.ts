/** A rule's texts written otherwise: each character that it lets through as another text. */
import type { Ranges } from "../automaton/ranges.ts"
import { intersection, ofCharacters, without } from "../automaton/ranges.ts"
import { type Choice, type Item, oneOf, type Rules, text } from "../rules.ts"
import { inJson } from "../text.ts"

interface Writing {
  readonly text: (value: string) => string
  readonly set: (set: Ranges) => Choice
}

const rewritten = (rules: Rules, root: Item, writing: Writing): Item => {
  const known = new Map<string, Item & { readonly _tag: "Rule" }>()
  const of = (item: Item): Item => {
    if (item._tag === "Text") return text(writing.text(item.text))
    if (item._tag === "Class") return rules.of(writing.set(item.ranges))
    const done = known.get(item.name)
    if (done !== undefined) return done
    const rule = rules.reserve()
    known.set(item.name, rule)
    rules.define(
      rule,
      (rules.all().get(item.name) ?? []).map((sequence) => sequence.map(of))
    )
    return rule
  }
  return of(root)
}

/** As a part of a JSON text. */
export const asText = (rules: Rules, item: Item): Item =>
  rewritten(rules, item, { text: (value) => JSON.stringify(value).slice(1, -1), set: inJson })

/** JSON in which this character, which stands in texts only, is written as its code. */
export const avoiding = (rules: Rules, item: Item, character: string): Item => {
  const code = `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  const own = ofCharacters(character)
  return rewritten(rules, item, {
    text: (value) => value.replaceAll(character, code),
    set: (set) => [[oneOf(without(set, own))], ...(intersection(set, own).length > 0 ? [[text(code)]] : [])]
  })
}
