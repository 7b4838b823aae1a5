/**
 * Tokens that a constrained answer never has, whatever its grammar says: llama.cpp's grammars take for a character what
 * is spelt in more bytes than it needs, and for text what a control token is called.
 */
import type { Pieces } from "../reading/pieces.ts"

export interface Forbidden {
  /** whose bytes are no text wherever they stand */
  readonly always: ReadonlyArray<number>
  /** that only steer, where nobody reads what they are called */
  readonly hidden: ReadonlyArray<number>
  /** that cannot follow a first byte of a character, by that byte */
  readonly after: ReadonlyMap<number, ReadonlyArray<number>>
  /** what the tokens are called that end an answer */
  readonly ends: ReadonlyArray<string>
}

/** first bytes of characters, and the second bytes that would spell a shorter one */
const overlong: ReadonlyMap<number, number> = new Map([
  [0xe0, 0x9f],
  [0xf0, 0x8f]
])

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x80 && byte <= 0xbf

const isBroken = (bytes: Uint8Array): boolean =>
  bytes.some((byte, at) => {
    const last = overlong.get(byte)
    const next = bytes[at + 1]
    const isLong = last !== undefined && isContinuation(next) && next !== undefined && next <= last
    return byte === 0 || byte === 0xc0 || byte === 0xc1 || byte >= 0xf5 || isLong
  })

/** Of the first `count` tokens, in turns of the event loop. */
export const forbiddenOf = async (
  pieces: Pieces,
  count: number,
  isEnd: (token: number) => boolean
): Promise<Forbidden> => {
  const always: Array<number> = []
  const hidden: Array<number> = []
  const ends: Array<string> = []
  const after = new Map([...overlong.keys()].map((byte) => [byte, Array<number>()]))
  for (let token = 0; token < count; token++) {
    if (token % 2048 === 2047) await new Promise((resolve) => setImmediate(resolve))
    const piece = pieces.spelt(token)
    if (isEnd(token)) {
      if (typeof piece === "string" && piece !== "") ends.push(piece)
      continue
    }
    if (typeof piece === "string") {
      if (piece.includes("\0")) always.push(token)
      else if (piece !== "" && pieces.visible(token) === "") hidden.push(token)
      continue
    }
    if (isBroken(piece)) always.push(token)
    const [first = 0] = piece
    for (const [byte, last] of overlong) if (isContinuation(first) && first <= last) after.get(byte)?.push(token)
  }
  return { always, hidden, after, ends }
}

/** What cannot follow a token. `isPlain`: nobody reads what control tokens are called. */
export const forbiddenAfter = (pieces: Pieces, { after, always, hidden }: Forbidden, isPlain: boolean) => {
  const everywhere = isPlain ? [...always, ...hidden] : always
  const following = new Map([...after].map(([byte, tokens]) => [byte, [...everywhere, ...tokens]]))
  return (token: number | undefined): ReadonlyArray<number> => {
    const piece = token === undefined ? "" : pieces.spelt(token)
    const last = typeof piece === "string" ? undefined : piece.at(-1)
    return (last === undefined ? undefined : following.get(last)) ?? everywhere
  }
}
