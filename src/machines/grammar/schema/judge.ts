/** Whether a value satisfies a schema, and whether one value may satisfy two. */
import { isObject } from "../../formats/json/is-object.ts"
import { accepts, both, isEmpty } from "../automaton/automaton.ts"
import { Refusal } from "../refusal.ts"
import { type All, atIndex, type Counts, type Plain, type Place, sameValue, typesOf, underKey } from "./plain.ts"
import { Normal } from "./normal.ts"
import { Texts } from "./texts.ts"
import type { Bounds } from "../numbers.ts"
import type { Type } from "./keywords.ts"

const within = (value: number, { above, below, max, min }: Bounds): boolean =>
  !(min !== undefined && value < min) &&
  !(max !== undefined && value > max) &&
  !(above !== undefined && value <= above) &&
  !(below !== undefined && value >= below)

const counted = (count: number, { max, min }: Counts): boolean => count >= min && (max === undefined || count <= max)

const isOfType = (value: unknown, type: Type): boolean => {
  switch (type) {
    case "null":
      return value === null
    case "array":
      return Array.isArray(value)
    case "object":
      return isObject(value)
    case "integer":
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}

/** two types share values where they are the same, or numbers */
const shared = (one: ReadonlyArray<Type>, other: ReadonlyArray<Type>): ReadonlyArray<Type> => {
  const has = (types: ReadonlyArray<Type>, type: Type): boolean =>
    types.includes(type) ||
    (type === "integer" && types.includes("number")) ||
    (type === "number" && types.includes("integer"))
  return one.filter((type) => has(other, type))
}

const apartCounts = (one: Counts, other: Counts): boolean =>
  (one.max !== undefined && one.max < other.min) || (other.max !== undefined && other.max < one.min)

const apartBounds = (one: Bounds, other: Bounds): boolean => {
  const isBelow = (low: Bounds, high: Bounds): boolean => {
    const top = Math.min(low.max ?? Infinity, low.below ?? Infinity)
    const bottom = Math.max(high.min ?? -Infinity, high.above ?? -Infinity)
    return top < bottom || (top === bottom && (low.below === top || high.above === bottom))
  }
  return isBelow(one, other) || isBelow(other, one)
}

/** objects inside of each other that are compared */
const depthMax = 4

export class Judge {
  readonly texts = new Texts()
  readonly normal: Normal
  private depth = 0

  constructor(root: Place) {
    this.normal = new Normal(root, (one, other) => this.overlaps(one, other))
  }

  readonly matches = (pattern: string, key: string): boolean =>
    accepts(this.texts.ofPattern({ schema: pattern, path: "patternProperties" }), key)

  satisfies(value: unknown, all: All): boolean {
    return this.normal.of(all).some((plain) => this.fits(value, plain))
  }

  /** A plain schema without a type lets values of all types through, of which it says nothing. */
  fits(value: unknown, plain: Plain): boolean {
    const { types, values } = plain
    if (types !== undefined && !types.some((type) => isOfType(value, type))) return false
    if (values !== undefined && !values.some((one) => sameValue(one, value))) return false
    if (typeof value === "number") return within(value, plain.bounds)
    if (typeof value === "string") return this.fitsText(value, plain)
    if (Array.isArray(value))
      return counted(value.length, plain.items) && value.every((item, at) => this.allow(item, atIndex(plain, at)))
    return !isObject(value) || this.fitsObject(value, plain)
  }

  private allow(value: unknown, all: All | undefined): boolean {
    return all !== undefined && this.satisfies(value, all)
  }

  private fitsText(value: string, { length, patterns }: Plain): boolean {
    return counted([...value].length, length) && patterns.every((one) => accepts(this.texts.ofPattern(one), value))
  }

  private fitsObject(value: Readonly<Record<string, unknown>>, plain: Plain): boolean {
    const keys = Object.keys(value)
    return (
      counted(keys.length, plain.size) &&
      plain.required.every((key) => Object.hasOwn(value, key)) &&
      keys.every(
        (key) => this.satisfies(key, plain.names) && this.allow(value[key], underKey(plain, key, this.matches))
      )
    )
  }

  /** False where it is sure that no value satisfies both. */
  overlaps(one: Plain, other: Plain): boolean {
    const named = [one, other].find(({ values }) => values !== undefined)
    if (named !== undefined) {
      const against = named === one ? other : one
      return (named.values ?? []).some((value) => this.fits(value, named) && this.fits(value, against))
    }
    return shared(all(one), all(other)).some((type) => !this.apart(type, one, other))
  }

  private apart(type: Type, one: Plain, other: Plain): boolean {
    if (type === "number" || type === "integer") return apartBounds(one.bounds, other.bounds)
    if (type === "array") return apartCounts(one.items, other.items)
    if (type === "string")
      return (
        apartCounts(one.length, other.length) ||
        this.texts.guarded(one.path, "", () => isEmpty(both(this.texts.whole(one), this.texts.whole(other))))
      )
    return type === "object" && this.apartObjects(one, other)
  }

  /** A key that one has to have and the other cannot, or that both have with nothing in common. */
  private apartObjects(one: Plain, other: Plain): boolean {
    if (apartCounts(one.size, other.size)) return true
    if (this.depth >= depthMax) return false
    this.depth++
    const found = [...new Set([...one.required, ...other.required])].some((key) => {
      const [left, right] = [underKey(one, key, this.matches), underKey(other, key, this.matches)]
      return left === undefined || right === undefined || this.apartAll(left, right)
    })
    this.depth--
    return found
  }

  /** What cannot be told, as of a schema that is just being read, counts as no. */
  private apartAll(left: All, right: All): boolean {
    try {
      return !this.normal.of(left).some((a) => this.normal.of(right).some((b) => this.overlaps(a, b)))
    } catch (cause) {
      if (cause instanceof Refusal) return false
      throw cause
    }
  }
}

const all = (plain: Plain): ReadonlyArray<Type> => plain.types ?? typesOf({ ...plain, spoken: [] })
