/**
 * JSON of any length, read step by step: whoever reads it can leave the event loop to others in between. Long texts are
 * read in pieces, and what stands between them at once; so that this is bounded too, no more objects and lists are read
 * than anybody needs.
 */
import { pieceLength } from "./pieces.ts"

/** characters of a text that is read with what stands around it */
const shortText = 128
/**
 * Objects and lists in one text. Those that a reader looks into are near its top: so many as some thousand messages with
 * their tools' calls have, which take no tenth of a second. What lies deeper is some field that nobody knows.
 */
export const containersMax = { nearTop: 8192, inAll: 262_144 }
/** what is near the top: body, messages, message, tool_calls, call, function */
const nearTop = 6
/** characters that a step looks at, or marks that it finds */
const aStep = 256 * 1024
const marksAStep = 8192

export class TooManyParts extends Error {}

export type Reading<A> = Generator<undefined, A, undefined>

/**
 * What `JSON.parse` gives; throws a SyntaxError, or TooManyParts. No string in the text may begin with `mark`: it stands
 * for the long ones.
 */
export function* readJson(text: string, mark: string): Reading<unknown> {
  const texts: Array<string> = []
  const rest: Array<string> = []
  const counted: Counted = { depth: 0, nearTop: 0, inAll: 0 }
  let copied = 0
  let looked = 0
  for (let at = 0; ;) {
    const open = text.indexOf('"', at)
    countContainers(counted, text, at, open === -1 ? text.length : open)
    if (counted.nearTop > containersMax.nearTop || counted.inAll > containersMax.inAll) throw new TooManyParts()
    if (open === -1) break
    const close = yield* endOf(text, open + 1)
    at = close + 1
    if (close - open > shortText && !isName(text, at)) {
      rest.push(text.slice(copied, open), JSON.stringify(`${mark}${texts.length}`))
      texts.push(yield* readText(text, open + 1, close))
      copied = at
    }
    if (at - looked < aStep) continue
    yield
    looked = at
  }
  rest.push(text.slice(copied))
  yield
  const value: unknown = JSON.parse(rest.join(""))
  if (texts.length === 0) return value
  return fill({ value }, (found) => (found.startsWith(mark) ? texts[Number(found.slice(mark.length))] : undefined))
    .value
}

interface Counted {
  depth: number
  nearTop: number
  inAll: number
}

const countContainers = (counted: Counted, text: string, from: number, end: number): void => {
  for (let at = from; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x7b || code === 0x5b) {
      counted.inAll++
      if (++counted.depth <= nearTop) counted.nearTop++
    } else if (code === 0x7d || code === 0x5d) counted.depth--
  }
}

/** Backslashes in a row that end before `at`. */
const slashesBefore = (text: string, at: number): number => {
  let count = 0
  while (text.charCodeAt(at - 1 - count) === 0x5c) count++
  return count
}

/** Where the quotation mark is that ends a text. */
function* endOf(text: string, from: number): Reading<number> {
  let at = from
  for (let marks = 1; ; marks++) {
    const quote = text.indexOf('"', at)
    if (quote === -1) throw new SyntaxError("a text has no end")
    if (slashesBefore(text, quote) % 2 === 0) return quote
    at = quote + 1
    if (marks % marksAStep === 0) yield
  }
}

const isName = (text: string, after: number): boolean => {
  const colon = /[ \t\r\n]*:/y
  colon.lastIndex = after
  return colon.test(text)
}

/** What stands for a text, without its quotation marks. */
function* readText(text: string, from: number, end: number): Reading<string> {
  const pieces: Array<string> = []
  for (let at = from; at < end;) {
    const border = end - at <= pieceLength ? end : borderBefore(text, at + pieceLength)
    // strings by what stands around them
    pieces.push(String(JSON.parse(`"${text.slice(at, border)}"`)))
    at = border
    if (at < end) yield
  }
  return pieces.join("")
}

/** Not within `\n` or `\u20ac`. */
const borderBefore = (text: string, at: number): number => {
  const slash = text.lastIndexOf("\\", at - 1)
  return slash > at - 6 && slashesBefore(text, slash + 1) % 2 === 1 ? slash : at
}

/** Puts in what `textOf` gives for a string, anywhere in the value. */
const fill = <A extends object>(value: A, textOf: (found: string) => string | undefined): A => {
  const open: Array<object> = [value]
  const look = (container: object, key: string | number, item: unknown): void => {
    if (typeof item === "object" && item !== null) open.push(item)
    else if (typeof item === "string") {
      const text = textOf(item)
      if (text !== undefined) Reflect.set(container, key, text)
    }
  }
  for (let container = open.pop(); container !== undefined; container = open.pop()) {
    if (Array.isArray(container))
      for (let index = 0; index < container.length; index++) look(container, index, container[index])
    else for (const [key, item] of Object.entries(container)) look(container, key, item)
  }
  return value
}
