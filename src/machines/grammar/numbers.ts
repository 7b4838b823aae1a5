/**
 * Numbers within bounds, digit by digit. A text whose decimal value lies within what `JSON.stringify` writes of two
 * doubles is read as a double between them; so bounds are exact, and an exclusive one is its neighbour.
 */
import { between } from "./automaton/ranges.ts"
import { Refusal } from "./refusal.ts"
import { type Choice, type Item, oneOf, type Rules, type Sequence, text } from "./rules.ts"

export interface Bounds {
  readonly min?: number
  readonly max?: number
  readonly above?: number
  readonly below?: number
}

/** digits before the point, as far as JavaScript writes them without an exponent */
const wholeMax = 21
/** and after it */
const partMax = 24

const nine = (count: number): string => "9".repeat(count)
const zero = (count: number): string => "0".repeat(count)
const anyDigit = oneOf(between("0", "9"))

const digitsFrom = (from: number, to: number): Choice =>
  from > to ? [] : [[from === to ? text(String(from)) : oneOf(between(String(from), String(to)))]]

class Digits {
  private readonly rules: Rules

  constructor(rules: Rules) {
    this.rules = rules
  }

  any(min: number, max: number): Sequence {
    return this.rules.repeat(anyDigit, min, max)
  }

  /** Whole numbers of as many digits, from one to the other. */
  private same(low: string, high: string): Item {
    const { length } = low
    if (low === zero(length) && high === nine(length)) return this.rules.of([this.any(length, length)])
    const [first, last] = [Number(low.charAt(0)), Number(high.charAt(0))]
    const [least, most] = [zero(length - 1), nine(length - 1)]
    const of = (from: number, to: number, rest: Sequence): Choice =>
      digitsFrom(from, to).map((one) => [...one, ...rest])
    const within = (from: string, to: string): Sequence => (length === 1 ? [] : [this.same(from, to)])
    if (first === last) return this.rules.of(of(first, first, within(low.slice(1), high.slice(1))))
    const [isLeast, isMost] = [low.slice(1) === least, high.slice(1) === most]
    return this.rules.of([
      ...(isLeast ? [] : of(first, first, within(low.slice(1), most))),
      ...of(isLeast ? first : first + 1, isMost ? last : last - 1, this.any(length - 1, length - 1)),
      ...(isMost ? [] : of(last, last, within(least, high.slice(1))))
    ])
  }

  /** From `low` on, which is not negative. */
  whole(low: bigint, high: bigint | undefined): Choice {
    const [from, to] = [String(low), String(high ?? 0n)]
    const most = high === undefined ? Math.max(wholeMax, from.length + 1) : to.length
    if (high !== undefined && high < low) return []
    return Array.from({ length: most - from.length + 1 }, (_, more) => {
      const length = from.length + more
      const least = length === from.length ? from : `1${zero(length - 1)}`
      return [this.same(least, high !== undefined && length === to.length ? to : nine(length))]
    })
  }

  /** What stands after the whole part: not less than `low`, not more than `high`, both digits after the point. */
  part(low: string | undefined, high: string | undefined): Choice {
    const rest = this.fraction(low, high, partMax, true)
    return [...(isZero(low) ? [[]] : []), ...(rest === undefined ? [] : [[text("."), rest]])]
  }

  private fraction(low: string | undefined, high: string | undefined, left: number, first = false): Item | undefined {
    const from = isZero(low) ? undefined : low
    if (left === 0) return from === undefined ? this.rules.of([[]]) : undefined
    if (from === undefined && high === undefined) return this.rules.of([this.any(first ? 1 : 0, left)])
    const [least, most] = [Number((from ?? "0").charAt(0)), high === undefined ? 9 : Number(high.charAt(0) || "0")]
    const next = (digit: number): Choice => {
      const rest = this.fraction(
        from !== undefined && digit === least ? from.slice(1) : undefined,
        high !== undefined && digit === most ? high.slice(1) : undefined,
        left - 1
      )
      return rest === undefined ? [] : [[text(String(digit)), rest]]
    }
    if (least > most) return undefined
    const inner = digitsFrom(least + 1, most - 1).map((digit) => [...digit, ...this.any(0, left - 1)])
    return this.rules.of([
      ...(first || from !== undefined ? [] : [[]]),
      ...next(least),
      ...inner,
      ...(most > least ? next(most) : [])
    ])
  }
}

const isZero = (digits: string | undefined): boolean => digits === undefined || /^0*$/.test(digits)

const view = new DataView(new ArrayBuffer(8))
/** The next double, up or down. */
const neighbour = (value: number, up: boolean): number => {
  if (value === 0) return up ? Number.MIN_VALUE : -Number.MIN_VALUE
  view.setFloat64(0, value)
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 === up ? 1n : -1n))
  return view.getFloat64(0)
}

const isWhole = (value: number): boolean => Number.isInteger(value)

const wholeLimit = (inclusive: number | undefined, exclusive: number | undefined, up: boolean): bigint | undefined => {
  const round = up ? Math.ceil : Math.floor
  const found: Array<number> = []
  if (inclusive !== undefined) found.push(round(inclusive))
  if (exclusive !== undefined) {
    const step = Math.abs(exclusive) < 2 ** 53 ? exclusive + (up ? 1 : -1) : neighbour(exclusive, up)
    found.push(isWhole(exclusive) ? step : round(exclusive))
  }
  if (found.length === 0) return undefined
  return BigInt(up ? Math.max(...found) : Math.min(...found))
}

const larger = (one: bigint, other: bigint): bigint => (one > other ? one : other)

export const integers = (rules: Rules, { above, below, max, min }: Bounds): Choice => {
  const digits = new Digits(rules)
  const low = wholeLimit(min, above, true)
  const high = wholeLimit(max, below, false)
  const positive = high !== undefined && high < 0n ? [] : digits.whole(larger(low ?? 0n, 0n), high)
  const negative =
    low !== undefined && low >= 0n
      ? []
      : digits.whole(larger(high === undefined ? 1n : -high, 1n), low === undefined ? undefined : -low)
  return [...positive, ...negative.map((one) => [text("-"), ...one])]
}

interface Decimal {
  readonly whole: bigint
  /** digits after the point */
  readonly part: string
}

/** What `JSON.stringify` writes of it, without an exponent. */
const decimal = (value: number, path: string): Decimal => {
  const [mantissa = "0", exponent = "0"] = String(Math.abs(value)).split("e")
  const [whole = "0", part = ""] = mantissa.split(".")
  const shift = Number(exponent)
  const all = shift < 0 ? `${zero(-shift)}${whole}` : whole
  const [left, right] =
    shift < 0
      ? [all.slice(0, all.length + shift), `${all.slice(all.length + shift)}${part}`]
      : [`${whole}${part.slice(0, shift).padEnd(shift, "0")}`, part.slice(shift)]
  if (right.length > partMax) throw new Refusal(path, `a bound of ${value} is too fine`, "minimum")
  return { whole: BigInt(left || "0"), part: right }
}

/** the smallest that can be written */
const least: Decimal = { whole: 0n, part: `${zero(partMax - 1)}1` }

/** The limit that a number of one sign has, as its amount. `inward`: to the side where the numbers are. */
const limit = (
  inclusive: number | undefined,
  exclusive: number | undefined,
  inward: "up" | "down",
  path: string
): { readonly value: number; readonly at: Decimal } | undefined => {
  const up = inward === "up"
  const inner = exclusive === undefined ? undefined : neighbour(exclusive, up)
  const all = [inclusive, inner].filter((one) => one !== undefined)
  if (all.length === 0) return undefined
  const value = up ? Math.max(...all) : Math.min(...all)
  // of nothing the neighbour has 324 digits; the smallest that can be written does as well
  return { value, at: Math.abs(value) === Number.MIN_VALUE ? least : decimal(value, path) }
}

/** Not negative, from `low` to `high`. */
const amounts = (rules: Rules, low: Decimal, high: Decimal | undefined): Choice => {
  const digits = new Digits(rules)
  const with_ = (whole: Choice, part: Choice): Choice =>
    whole.length === 0 || part.length === 0 ? [] : [[rules.of(whole), rules.of(part)]]
  const tiny = isTiny(low, high) ? tinyOnes(rules) : []
  if (high === undefined)
    return [
      ...with_(digits.whole(low.whole, low.whole), digits.part(low.part, undefined)),
      ...with_(digits.whole(low.whole + 1n, undefined), digits.part(undefined, undefined)),
      ...tiny
    ]
  if (low.whole > high.whole) return []
  if (low.whole === high.whole)
    return [...with_(digits.whole(low.whole, low.whole), digits.part(low.part, high.part)), ...tiny]
  return [
    ...with_(digits.whole(low.whole, low.whole), digits.part(low.part, undefined)),
    ...with_(digits.whole(low.whole + 1n, high.whole - 1n), digits.part(undefined, undefined)),
    ...with_(digits.whole(high.whole, high.whole), digits.part(undefined, high.part)),
    ...tiny
  ]
}

/** All between nothing and a millionth lie within. */
const isTiny = (low: Decimal, high: Decimal | undefined): boolean =>
  low.whole === 0n &&
  (isZero(low.part) || low === least) &&
  (high === undefined || high.whole > 0n || !isZero(high.part.slice(0, 6)))

/** What JavaScript writes with an exponent: less than a millionth. */
const tinyOnes = (rules: Rules): Choice => [
  [
    oneOf(between("1", "9")),
    rules.maybe(text("."), ...rules.repeat(anyDigit, 1, 17)),
    text("e-"),
    rules.of([[oneOf(between("7", "9"))], [oneOf(between("1", "9")), anyDigit]])
  ]
]

/** Any number that a double holds. */
const free = (rules: Rules): Choice => {
  const digits = new Digits(rules)
  const upTo279 = rules.of([
    digits.any(1, 2),
    [text("1"), ...digits.any(2, 2)],
    [text("2"), oneOf(between("0", "7")), anyDigit]
  ])
  const exponent = rules.of([
    [text("-"), ...digits.any(1, 3)],
    [rules.maybe(text("+")), upTo279]
  ])
  return [
    [
      rules.maybe(text("-")),
      rules.of(digits.whole(0n, undefined)),
      rules.maybe(text("."), ...digits.any(1, partMax)),
      rules.maybe(oneOf([...between("E", "E"), ...between("e", "e")]), exponent)
    ]
  ]
}

const nothing: Decimal = { whole: 0n, part: "" }

export const numbers = (rules: Rules, bounds: Bounds, path: string): Choice => {
  const { above, below, max, min } = bounds
  const low = limit(min, above, "up", path)
  const high = limit(max, below, "down", path)
  if (low === undefined && high === undefined) return free(rules)
  if (low !== undefined && high !== undefined && low.value > high.value) return []
  const positive =
    high !== undefined && high.value < 0
      ? []
      : amounts(rules, low === undefined || low.value < 0 ? nothing : low.at, high?.at)
  const negative =
    low !== undefined && low.value >= 0
      ? []
      : amounts(rules, high === undefined || high.value >= 0 ? nothing : high.at, low?.at)
  return [...positive, ...negative.map((one) => [text("-"), ...one])]
}
