/** Marks in a text that may not be whole yet. */
import type { Mark } from "../dialect.ts"

export interface Matched {
  readonly end: number
  readonly name?: string
  readonly id?: string
  readonly key?: string
}
/** `partial`: what there is may become the mark */
export type Match = Matched | "partial" | undefined

const space = /\s/
/** what may stand in a call's id */
const idChar = /[\w.:-]/
const keyChar = /[\p{L}\p{N}_.$@:\- ]/u

/** White space in a mark: as much or as little as there is. */
const matchLiteral = (literal: string, text: string, from: number): Match => {
  let at = from
  for (let index = 0; index < literal.length; index++) {
    if (space.test(literal.charAt(index))) {
      while (space.test(text.charAt(at))) at++
      continue
    }
    // where the mark has none, text has none either; but for what comes after a line's end
    if (at >= text.length) return "partial"
    if (text.charAt(at) !== literal.charAt(index)) return undefined
    at++
  }
  return { end: at }
}

const longestFirst = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  [...names].sort((a, b) => b.length - a.length)

/** Finds marks for a call of these tools. */
export class Matcher {
  private readonly names: ReadonlyArray<string>

  constructor(names: ReadonlyArray<string>) {
    this.names = longestFirst(names)
  }

  /** The mark at `from`. */
  at(mark: Mark, text: string, from: number): Match {
    return this.pieces(mark, 0, text, from)
  }

  private pieces(mark: Mark, index: number, text: string, from: number): Match {
    const piece = mark[index]
    if (piece === undefined) return { end: from }
    if (typeof piece === "string") {
      const found = matchLiteral(piece, text, from)
      return typeof found === "object" ? this.pieces(mark, index + 1, text, found.end) : found
    }
    if (piece.hole === "name") return this.name(mark, index, text, from)
    if (piece.hole === "index") return this.run(mark, index, text, from, /\d/)
    return this.run(mark, index, text, from, piece.hole === "id" ? idChar : keyChar)
  }

  /** A declared tool's name, the longest that fits. */
  private name(mark: Mark, index: number, text: string, from: number): Match {
    for (const name of this.names) {
      if (text.startsWith(name, from)) {
        const rest = this.pieces(mark, index + 1, text, from + name.length)
        if (rest === "partial") return rest
        if (rest !== undefined) return { name, ...rest }
      } else if (name.startsWith(text.slice(from))) return "partial"
    }
    return undefined
  }

  /** As few characters of a kind as the rest of the mark lets be; all, where nothing follows. */
  private run(mark: Mark, index: number, text: string, from: number, kind: RegExp): Match {
    const piece = mark[index]
    const hole = typeof piece === "object" ? piece.hole : "index"
    const last = index + 1 === mark.length
    for (let end = from; ; end++) {
      const goesOn = end < text.length && kind.test(text.charAt(end))
      const rest = last && goesOn ? undefined : this.pieces(mark, index + 1, text, end)
      if (rest === "partial" || (last && end >= text.length)) return "partial"
      if (rest !== undefined && (end > from || hole === "id"))
        return { ...rest, ...(hole === "index" ? {} : { [hole]: text.slice(from, end) }) }
      if (end >= text.length) return "partial"
      if (!goesOn) return undefined
    }
  }

  /** As much of the mark's literal beginning as is there, mark by mark: a section is often left without its whole end. */
  begun(mark: Mark, text: string, from: number): number {
    let at = from
    for (let index = 0; index < mark.length; index++) {
      const piece = mark[index]
      if (typeof piece !== "string") break
      for (const part of piece.match(/\s*(?:<[^<>]*>|\[[^[\]]*\]|[^\s<[]+)/g) ?? []) {
        const found = matchLiteral(part, text, at)
        if (typeof found !== "object") return at
        at = found.end
      }
    }
    return at
  }
}

/** The texts that stand for the mark: its beginning up to the first hole. */
export const startOf = (mark: Mark): string => {
  const [first] = mark
  return typeof first === "string" ? first.trimStart() : ""
}
