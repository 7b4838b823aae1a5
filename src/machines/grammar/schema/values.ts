/** The rules of what satisfies a schema. */
import { integers, numbers } from "../numbers.ts"
import { type Choice, type Item, type Rules, type Sequence, text } from "../rules.ts"
import { textLike, textOf } from "../text.ts"
import { Judge } from "./judge.ts"
import type { Type } from "./keywords.ts"
import { Layout } from "./layout.ts"
import { ObjectRules } from "./object.ts"
import { type All, atIndex, type Plain, type Place, typesOf } from "./plain.ts"

export class Values {
  readonly layout: Layout
  private readonly rules: Rules
  readonly judge: Judge
  private readonly known = new Map<string, Item>()
  private readonly numberOf = new Map<unknown, number>()

  constructor(rules: Rules, root: Place) {
    this.rules = rules
    this.layout = new Layout(rules)
    this.judge = new Judge(root)
  }

  /** What satisfies all of these, each time the same rule: so that schemas may contain themselves. */
  readonly of = (all: All): Item => {
    const key = [...new Set(all.map(({ schema }) => this.number(schema)))].sort((a, b) => a - b).join()
    const known = this.known.get(key)
    if (known !== undefined) return known
    const rule = this.rules.reserve()
    this.known.set(key, rule)
    this.rules.define(rule, this.alternatives(all))
    return rule
  }

  /** The plain alternatives. */
  plains(all: All): ReadonlyArray<Plain> {
    return this.judge.normal.of(all)
  }

  private alternatives(all: All): Choice {
    return this.judge.normal.of(all).flatMap((plain) => this.choice(plain))
  }

  private number(schema: unknown): number {
    const known = this.numberOf.get(schema)
    if (known !== undefined) return known
    this.numberOf.set(schema, this.numberOf.size)
    return this.numberOf.size - 1
  }

  private choice(plain: Plain): Choice {
    const { values } = plain
    if (values !== undefined)
      return values.filter((value) => this.judge.fits(value, plain)).map((value) => this.layout.literal(value))
    return typesOf(plain).flatMap((type) => this.ofType(type, plain))
  }

  private ofType(type: Type, plain: Plain): Choice {
    switch (type) {
      case "null":
        return [[text("null")]]
      case "boolean":
        return [[text("true")], [text("false")]]
      case "integer":
        return integers(this.rules, plain.bounds)
      case "number":
        return numbers(this.rules, plain.bounds, plain.path)
      case "string":
        return this.strings(plain)
      case "array":
        return this.array(plain)
      case "object":
        return [new ObjectRules(plain, this.judge, this.layout, this.of).whole()]
    }
  }

  private strings(plain: Plain): Choice {
    const { max, min } = plain.length
    if (max !== undefined && max < min) return []
    const automaton = this.judge.texts.of(plain)
    return [automaton === undefined ? textOf(this.rules, min, max) : [textLike(this.rules, automaton)]]
  }

  private array(plain: Plain): Choice {
    const { max, min } = plain.items
    if (max !== undefined && max < min) return []
    return [[text("["), this.layout.space, this.items(plain, 0)]]
  }

  /** From the item at `index` on. */
  private items(plain: Plain, index: number): Item {
    const { comma, space } = this.layout
    const { max, min } = plain.items
    const close = text("]")
    const own = Math.max(0, ...plain.arrays.map(({ first }) => first.length))
    const end: Sequence = index > 0 ? [space, close] : [close]
    const ended = index >= min ? [end] : []
    if (max !== undefined && index >= max) return this.rules.of(ended)
    const all = atIndex(plain, index)
    if (all === undefined) return this.rules.of(ended)
    const before = index > 0 ? comma : []
    if (index < own) return this.rules.of([[...before, this.of(all), this.items(plain, index + 1)], ...ended])
    const item = this.of(all)
    const more = this.rules.of([[...comma, item]])
    const left = max === undefined ? undefined : max - index - 1
    const rest = this.rules.repeat(more, Math.max(0, min - index - 1), left)
    return this.rules.of([[...before, item, ...rest, space, close], ...ended])
  }
}
