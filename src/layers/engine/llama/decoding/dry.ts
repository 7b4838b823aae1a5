/**
 * DRY: a token that would go on repeating what was said before is less likely, the more so the longer the repetition
 * ("don't repeat yourself", as llama.cpp has it). The addon's own sampler counts only what it drew itself; this one
 * follows from the tokens alone, so that an answer that goes on elsewhere is drawn as it would have been.
 */
import type { Sampling } from "../../index.ts"
import type { Piece } from "../reading/pieces.ts"

type DryOptions = NonNullable<Sampling["dry"]>

/** beyond it a number of four bytes is infinite */
const most = 3e38

export class Dry {
  private readonly options: DryOptions
  private readonly spelt: (token: number) => Piece
  private readonly breakers: ReadonlyArray<string>
  private readonly tailLength: number
  /** the end of the text so far, a character a byte */
  private tail = ""
  /** tokens whose text has been looked at */
  private seen = 0
  /** of the token in which the last breaker ended */
  private lastBreak = -1

  constructor(options: DryOptions, spelt: (token: number) => Piece) {
    this.options = options
    this.spelt = spelt
    this.breakers = options.breakers.map((one) => Buffer.from(one).toString("latin1"))
    this.tailLength = Math.max(0, ...this.breakers.map((one) => one.length)) - 1
  }

  /** What is taken from the tokens that would go on with a repetition; `tokens` only ever grow. */
  penalties(tokens: ReadonlyArray<number>): ReadonlyMap<number, number> {
    for (; this.seen < tokens.length; this.seen++) this.look(tokens[this.seen] ?? 0)
    const { allowedLength, base, lastTokens, multiplier } = this.options
    const window = tokens.slice(-lastTokens)
    const longest = Math.min(window.length, tokens.length - 1 - this.lastBreak)
    if (window.length <= allowedLength || longest < allowedLength) return new Map()
    const penalties = new Map<number, number>()
    for (const [token, length] of repetitions(window, longest, allowedLength))
      penalties.set(token, -Math.min(multiplier * base ** (length - allowedLength), most))
    return penalties
  }

  private look(token: number): void {
    const text = this.tail + Buffer.from(this.spelt(token)).toString("latin1")
    const isBroken = this.breakers.some((one) => {
      const at = text.lastIndexOf(one)
      return at !== -1 && at + one.length > this.tail.length
    })
    if (isBroken) this.lastBreak = this.seen
    this.tail = this.tailLength > 0 ? text.slice(-this.tailLength) : ""
  }
}

/**
 * Tokens that came after what the end repeats, with the length of the longest repetition: the ends of all prefixes are
 * compared with the end of the whole by the Z algorithm, backwards.
 */
const repetitions = (tokens: ReadonlyArray<number>, longest: number, shortest: number): ReadonlyMap<number, number> => {
  const count = tokens.length
  const back = (at: number): number => tokens[count - 1 - at] ?? -1
  const lengths = new Int32Array(count)
  const found = new Map<number, number>()
  for (let at = 1, left = 0, right = 0; at < count; at++) {
    let length = at < right ? Math.min(right - at, lengths[at - left] ?? 0) : 0
    while (at + length < count && back(length) === back(at + length)) length++
    lengths[at] = length
    if (at + length > right) [left, right] = [at, at + length]
    const counted = Math.min(length, longest)
    if (counted >= shortest) found.set(back(at - 1), Math.max(counted, found.get(back(at - 1)) ?? 0))
  }
  return found
}
