/** A grammar while it is made: rules, each a choice of sequences. Equal rules are one. */
import type { Ranges } from "./automaton/ranges.ts"
import { Refusal } from "./refusal.ts"

export type Item =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Class"; readonly ranges: Ranges }
  | { readonly _tag: "Rule"; readonly name: string }
export type Sequence = ReadonlyArray<Item>
/** None of them: nothing is let through. One empty sequence: nothing need come. */
export type Choice = ReadonlyArray<Sequence>

export const text = (value: string): Item => ({ _tag: "Text", text: value })
export const oneOf = (ranges: Ranges): Item => ({ _tag: "Class", ranges })

/** more than any schema that is meant */
const rulesMax = 40_000
/** copies that stand side by side in a rule, and what a longer repetition is counted in */
const block = 64
/** repetitions that have a rule each */
const chain = 256

/** The same for the same sequence, and for no other. */
const keyOf = (sequence: Sequence): string =>
  sequence
    .map((item) =>
      item._tag === "Rule"
        ? item.name
        : item._tag === "Text"
          ? JSON.stringify(item.text)
          : item.ranges.map(([from, to]) => `${from}-${to}`).join(",")
    )
    .join(" ")

export class Rules {
  private readonly byName = new Map<string, Choice>()
  private readonly nameOf = new Map<string, string>()

  /** A rule that is defined later: it may contain itself. */
  reserve(): Item & { readonly _tag: "Rule" } {
    if (this.byName.size >= rulesMax) throw new Refusal("schema", "it is too large to be a grammar")
    const name = `r${this.byName.size}`
    this.byName.set(name, [])
    return { _tag: "Rule", name }
  }

  define({ name }: Item & { readonly _tag: "Rule" }, choice: Choice): void {
    this.byName.set(name, choice)
  }

  /** One item for the choice. */
  of(choice: Choice): Item {
    const [only, ...others] = choice
    const [item, ...rest] = only ?? []
    if (item !== undefined && rest.length === 0 && others.length === 0) return item
    const key = `${choice.length} ${choice.map(keyOf).join("|")}`
    const known = this.nameOf.get(key)
    if (known !== undefined) return { _tag: "Rule", name: known }
    const rule = this.reserve()
    this.nameOf.set(key, rule.name)
    this.define(rule, choice)
    return rule
  }

  maybe(...sequence: Sequence): Item {
    return this.of([sequence, []])
  }

  many(item: Item): Item {
    const key = `many ${keyOf([item])}`
    const known = this.nameOf.get(key)
    if (known !== undefined) return { _tag: "Rule", name: known }
    const rule = this.reserve()
    this.nameOf.set(key, rule.name)
    this.define(rule, [[item, rule], []])
    return rule
  }

  /** From `min` to `max` times; the rules for it grow with the logarithm of the numbers. */
  repeat(item: Item, min: number, max: number | undefined): Sequence {
    const rest = max === undefined ? this.many(item) : this.atMost(item, max - min)
    return [...this.exactly(item, min), ...(max === min ? [] : [rest])]
  }

  private exactly(item: Item, count: number): Sequence {
    if (count <= block) return Array.from({ length: count }, () => item)
    return [
      ...this.exactly(this.of([this.exactly(item, block)]), Math.floor(count / block)),
      ...this.exactly(item, count % block)
    ]
  }

  private atMost(item: Item, count: number): Item {
    if (count <= chain) {
      let rule = this.of([[]])
      for (let left = 0; left < count; left++) rule = this.of([[item, rule], []])
      return rule
    }
    const many = this.of([this.exactly(item, block)])
    const blocks = Math.floor(count / block)
    return this.of([
      [this.atMost(many, blocks - 1), this.atMost(item, block - 1)],
      [...this.exactly(many, blocks), this.atMost(item, count % block)]
    ])
  }

  /** Every rule that there is. */
  all(): ReadonlyMap<string, Choice> {
    return this.byName
  }
}
