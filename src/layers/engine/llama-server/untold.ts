/**
 * Tokens that llama.cpp's server has drawn and not told: it tells no token that ends within a character, and with the one
 * that ends the character only the text of all of them. Its bytes say which tokens they were.
 */
import type { AddonModel } from "../llama/addon.ts"
import type { Pieces } from "../llama/reading/pieces.ts"

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80

/** Whether they end with a whole character, or with what can never become one. */
const isWhole = (bytes: Uint8Array): boolean => {
  let at = bytes.length
  while (at > 0 && bytes.length - at < 3 && isContinuation(bytes[at - 1] ?? 0)) at--
  const first = bytes[at - 1] ?? 0
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
  return bytes.length - at + 1 >= length
}

const bytesOf = (pieces: Pieces, tokens: ReadonlyArray<number>): Uint8Array =>
  Buffer.concat(tokens.map((token) => Buffer.from(pieces.meant(token))))

/** How many of these tokens there are up to the end of the last whole character. */
export const wholeTokens = (pieces: Pieces, tokens: ReadonlyArray<number>): number => {
  let count = tokens.length
  // a character has four bytes at most, and a token one at least
  const from = Math.max(0, count - 4)
  while (count > from && !isWhole(bytesOf(pieces, tokens.slice(from, count)))) count--
  return count
}

const nameOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")

export class Untold {
  private readonly model: AddonModel
  private readonly pieces: Pieces
  private readonly size: number
  /** tokens that are no whole characters, by their bytes; made when the first of them is missing */
  private broken: ReadonlyMap<string, number> | undefined

  constructor(model: AddonModel, pieces: Pieces, size: number) {
    this.model = model
    this.pieces = pieces
    this.size = size
  }

  /** What came before `last`, in so many tokens; in as many as the text has where that cannot be told. */
  before(last: number, text: string, count: number): ReadonlyArray<number> {
    const [all, end] = [Buffer.from(text), Buffer.from(this.pieces.visible(last))]
    const isWhole = all.subarray(-end.length).equals(end)
    const bytes = isWhole ? all.subarray(0, all.length - end.length) : all
    return this.split(bytes, count) ?? Array.from(this.model.tokenize(bytes.toString(), false))
  }

  private split(bytes: Uint8Array, count: number): ReadonlyArray<number> | undefined {
    if (count === 0) return bytes.length === 0 ? [] : undefined
    // the longest first, as a tokenizer would
    for (let length = bytes.length - count + 1; length > 0; length--) {
      const token = this.known().get(nameOf(bytes.subarray(0, length)))
      const rest = token === undefined ? undefined : this.split(bytes.subarray(length), count - 1)
      if (token !== undefined && rest !== undefined) return [token, ...rest]
    }
    return undefined
  }

  private known(): ReadonlyMap<string, number> {
    if (this.broken !== undefined) return this.broken
    const found = new Map<string, number>()
    for (let token = 0; token < this.size; token++) {
      const piece = this.pieces.spelt(token)
      if (typeof piece !== "string" && !found.has(nameOf(piece))) found.set(nameOf(piece), token)
    }
    return (this.broken = found)
  }
}
