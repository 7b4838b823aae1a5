/** Texts compared mark by mark: by characters `<think>` and `<tool_call>` would have `<t` in common. */
import type { Hole, Mark } from "../dialect.ts"

/** what looks like a token of a vocabulary's own, then words, then single characters */
const atom =
  /<\|[^|<>\n]{1,40}\|>|<\uFF5C[^\uFF5C\n]{1,40}\uFF5C>|<\/?[^<>\s"=]{1,40}>|\[\/?[A-Z][A-Z_]{2,}\]|[\p{L}\p{N}_]+|\s|[^]/gu

export const atomsOf = (text: string): ReadonlyArray<string> => text.match(atom) ?? []

/** How the two texts begin alike. */
export const commonStart = (one: string, other: string): string => {
  const [left, right] = [atomsOf(one), atomsOf(other)]
  let count = 0
  while (count < left.length && left[count] === right[count]) count++
  return left.slice(0, count).join("")
}

/** How the two texts end alike. */
export const commonEnd = (one: string, other: string): string => {
  const [left, right] = [atomsOf(one), atomsOf(other)]
  let count = 0
  while (count < left.length && count < right.length && left.at(-1 - count) === right.at(-1 - count)) count++
  return left.slice(left.length - count).join("")
}

export const withoutEnd = (text: string, end: string): string =>
  end !== "" && text.endsWith(end) ? text.slice(0, -end.length) : text

export const longest = (texts: ReadonlyArray<string>): string =>
  texts.reduce((best, text) => (text.length > best.length ? text : best), "")

/** Stand for holes while marks are cut: private-use characters. */
export const holes: Readonly<Record<Hole, string>> = {
  name: "\u{F5B00}",
  id: "\u{F5B01}",
  index: "\u{F5B02}",
  key: "\u{F5B03}"
}

const holeOf = new Map(Object.entries(holes).map(([hole, text]) => [text, hole]))
const isHole = (hole: string | undefined): hole is Hole => hole !== undefined && hole in holes

export const markOf = (text: string): Mark =>
  text
    .split(/([\u{F5B00}-\u{F5B03}])/u)
    .filter((piece) => piece !== "")
    .map((piece) => {
      const hole = holeOf.get(piece)
      return isHole(hole) ? { hole } : piece
    })
