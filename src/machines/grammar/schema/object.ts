/** Objects: the keys of the schema in its order, those that need not be there left out or not, and others after them. */
import { anything, both, isEmpty, less, ofTexts } from "../automaton/automaton.ts"
import { Refusal } from "../refusal.ts"
import { type Item, type Sequence, text } from "../rules.ts"
import { textLike } from "../text.ts"
import type { Judge } from "./judge.ts"
import type { Layout } from "./layout.ts"
import { type All, type Plain, underKey } from "./plain.ts"

/** Rules for what satisfies all of these. */
export type ValueOf = (all: All) => Item

interface Entry {
  readonly item: Item
  readonly isRequired: boolean
}

/** keys whose number is counted */
const countedMax = 200

export class ObjectRules {
  private readonly plain: Plain
  private readonly judge: Judge
  private readonly layout: Layout
  private readonly valueOf: ValueOf
  private readonly entries: ReadonlyArray<Entry>
  private readonly keys: ReadonlyArray<string>
  private readonly other: Item
  private readonly states = new Map<string, Item>()
  /** keys that are written are counted no further */
  private readonly countMax: number

  constructor(plain: Plain, judge: Judge, layout: Layout, valueOf: ValueOf) {
    this.plain = plain
    this.judge = judge
    this.layout = layout
    this.valueOf = valueOf
    this.keys = [...new Set([...plain.objects.flatMap(({ properties }) => [...properties.keys()]), ...plain.required])]
    this.entries = this.keys.map((key) => ({ item: this.entry(key), isRequired: plain.required.includes(key) }))
    this.other = layout.rules.of(this.others().map(({ keys, values }) => [keys, ...layout.colon, valueOf(values)]))
    const { max, min } = plain.size
    this.countMax = min === 0 && max === undefined ? 1 : this.keys.length
    if (this.countMax > countedMax)
      throw new Refusal(plain.path, "its keys are too many to be counted", "maxProperties")
  }

  whole(): Sequence {
    return [text("{"), this.layout.space, this.from(0, 0)]
  }

  private entry(key: string): Item {
    const { layout, plain } = this
    const all = underKey(plain, key, this.judge.matches)
    if (all === undefined || !this.judge.satisfies(key, plain.names)) return layout.rules.of([])
    return layout.rules.of([[text(JSON.stringify(key)), ...layout.colon, this.valueOf(all)]])
  }

  /** From the entry at `index` on, after `written` of them. */
  private from(index: number, written: number): Item {
    const entry = this.entries[index]
    if (entry === undefined) return this.rest(written)
    const key = `${index} ${written}`
    const known = this.states.get(key)
    if (known !== undefined) return known
    const { layout } = this
    const next = this.from(index + 1, Math.min(this.countMax, written + 1))
    const here: Sequence = [...(written > 0 ? layout.comma : []), entry.item, next]
    const made = layout.rules.of([here, ...(entry.isRequired ? [] : [[this.from(index + 1, written)]])])
    this.states.set(key, made)
    return made
  }

  /** Other keys, and the end. A key that comes twice is one: for the fewest that there must be, others count once. */
  private rest(written: number): Item {
    const { layout, other, plain } = this
    const { max, min } = plain.size
    const { comma, rules, space } = layout
    const room = max === undefined ? undefined : max - written
    if (room !== undefined && room < 0) return rules.of([])
    const close = text("}")
    const end: Sequence = written > 0 ? [space, close] : [close]
    const without = written >= min ? [end] : []
    if (room === 0 || written + 1 < min) return rules.of(without)
    const more = rules.of([[...comma, other]])
    const first: Sequence = written > 0 ? [...comma, other] : [other]
    return rules.of([
      ...without,
      [...first, ...rules.repeat(more, 0, room === undefined ? undefined : room - 1), space, close]
    ])
  }

  /** Keys that the schema does not name, and what they hold: those of a pattern, and all others. */
  private others(): ReadonlyArray<{ readonly keys: Item; readonly values: All }> {
    const { judge, keys, layout, plain } = this
    const patterns = [
      ...new Map(plain.objects.flatMap((part) => part.patterns.map(([pattern, place]) => [pattern, place] as const)))
    ]
    const isOpen = plain.objects.some(({ others }) => others !== undefined && others !== false)
    const says = plain.objects.some(
      ({ others, patterns: some, properties }) => others === undefined && properties.size + some.length > 0
    )
    const isClosed = plain.objects.some(({ others }) => others === false) || (says && !isOpen)
    return judge.texts.guarded(plain.path, "", () => {
      const named = ofTexts(keys)
      const allowed = plain.names.length === 0 ? anything : this.named()
      const ofPattern = patterns.map(([pattern, { path }]) => judge.texts.ofPattern({ schema: pattern, path }))
      const found = patterns.flatMap(([pattern], at) => {
        const own = ofPattern[at] ?? anything
        // one that fits several patterns is left out
        const rest = ofPattern.filter((_, other) => other !== at).reduce(less, both(own, allowed))
        const values = this.underPattern(pattern)
        return values === undefined ? [] : [{ keys: less(rest, named), values }]
      })
      const values = plain.objects.flatMap(({ others }) => (typeof others === "object" ? [others] : []))
      const rest = isClosed ? [] : [{ keys: ofPattern.reduce(less, less(allowed, named)), values }]
      return [...found, ...rest]
        .filter((one) => !isEmpty(one.keys))
        .map((one) => ({ keys: textLike(layout.rules, one.keys), values: one.values }))
    })
  }

  private underPattern(pattern: string): All | undefined {
    return underKey(this.plain, pattern, (one) => one === pattern)
  }

  /** What `propertyNames` lets through. */
  private named() {
    const { judge, plain } = this
    const all = judge.normal.of(plain.names)
    const [first, ...others] = all.map((one) => judge.texts.whole(one))
    if (first === undefined) return ofTexts([])
    if (others.length > 0)
      throw new Refusal(plain.path, "propertyNames with a choice is not supported", "propertyNames")
    return first
  }
}
