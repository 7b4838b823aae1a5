/** Values as programs write them, as JSON: Python's words and quotes, quotes of a model's own, keys without quotes. */
import type { ElementsForm } from "../dialect.ts"
import type { Input, Reading } from "./input.ts"

type Quote = ElementsForm["quote"]

const words: ReadonlyMap<string, string> = new Map([
  ["True", "true"],
  ["False", "false"],
  ["None", "null"],
  ["true", "true"],
  ["false", "false"],
  ["null", "null"]
])
const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", "0": "\0" }
const lengths: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }
const number = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/

/** Waits until there is enough to tell whether `text` comes. */
function* comes(input: Input, text: string): Reading<boolean> {
  for (;;) {
    const there = input.text.slice(input.at, input.at + text.length)
    if (there === text) return true
    if (!text.startsWith(there) || !(yield* input.more())) return false
  }
}

/** Up to a quote of its own: nothing is escaped. */
function* quotedAs(input: Input, { close, open }: NonNullable<Quote>): Reading<string | undefined> {
  input.at += open.length
  for (let from = input.at; ;) {
    const end = input.text.indexOf(close, from)
    if (end >= 0) {
      const text = input.text.slice(input.at, end)
      input.at = end + close.length
      return JSON.stringify(text)
    }
    from = Math.max(from, input.text.length - close.length)
    if (!(yield* input.more())) return undefined
  }
}

function* quoted(input: Input, quote: string): Reading<string | undefined> {
  input.at++
  let text = ""
  for (;;) {
    const char = yield* input.peek()
    if (char === "") return undefined
    input.at++
    // a quote in the middle of a word was not escaped
    if (char === quote && !/[\p{L}\p{N}'"]/u.test(yield* input.peek())) return JSON.stringify(text)
    if (char !== "\\") {
      text += char
      continue
    }
    const next = yield* input.peek()
    input.at++
    const length = lengths[next]
    if (length === undefined) {
      text += escapes[next] ?? (next === quote || next === "\\" || next === '"' || next === "'" ? next : `\\${next}`)
      continue
    }
    let code = ""
    while (code.length < length && /^[\da-f]$/i.test(yield* input.peek())) code += input.text.charAt(input.at++)
    const point = Number.parseInt(code, 16)
    text += code.length === length && point <= 0x10ffff ? String.fromCodePoint(point) : `\\${next}${code}`
  }
}

function* bare(input: Input): Reading<string> {
  const from = input.at
  while (/[\w.+$-]/.test(yield* input.peek())) input.at++
  return input.text.slice(from, input.at)
}

/** Keys are texts, in quotes or without. */
function* keyOf(input: Input, quote: Quote): Reading<string | undefined> {
  const char = yield* input.peek()
  if (char === "'" || char === '"' || (quote !== undefined && (yield* comes(input, quote.open))))
    return yield* literal(input, quote)
  const word = yield* bare(input)
  return word === "" ? undefined : JSON.stringify(word)
}

function* list(input: Input, quote: Quote): Reading<string | undefined> {
  const keyed = input.text.charAt(input.at) === "{"
  const end = keyed ? "}" : "]"
  input.at++
  const items: Array<string> = []
  // where a text has quotes of its own, null may be nothing at all: `[1,,2]`
  let missing = false
  for (;;) {
    yield* input.skipSpace()
    const char = yield* input.peek()
    if (missing && (char === "," || char === end)) items.push("null")
    if (char === end) {
      input.at++
      return keyed ? `{${items.join(", ")}}` : `[${items.join(", ")}]`
    }
    if (char === ",") {
      input.at++
      missing = quote !== undefined && !keyed
      if (missing && items.length === 0) items.push("null")
      continue
    }
    missing = false
    let before = ""
    if (keyed) {
      const key = yield* keyOf(input, quote)
      yield* input.skipSpace()
      if (key === undefined || (yield* input.peek()) !== ":") return undefined
      input.at++
      before = `${key}: `
    }
    const item: string | undefined = yield* literal(input, quote)
    if (item === undefined) return undefined
    items.push(before + item)
  }
}

/** The JSON of the value that comes; undefined: it is none. */
export function* literal(input: Input, quote: Quote): Reading<string | undefined> {
  yield* input.skipSpace()
  if (quote !== undefined && (yield* comes(input, quote.open))) return yield* quotedAs(input, quote)
  const char = yield* input.peek()
  if (char === "'" || char === '"') return yield* quoted(input, char)
  if (char === "{" || char === "[") return yield* list(input, quote)
  const word = yield* bare(input)
  // some templates write nothing for null
  if (word === "" && /[,})\]]/.test(yield* input.peek())) return "null"
  return words.get(word) ?? (number.test(word) ? word : undefined)
}
