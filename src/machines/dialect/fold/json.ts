/** JSON as it comes: where a value ends, and the pieces of one that somebody waits for. */
import type { Input, Reading } from "./input.ts"

/** Given a piece of JSON that is to be passed on. */
export type Sink = (piece: string) => void

const ignore: Sink = () => undefined

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" }

/** A text's rest after its quote; `sink` gets it as it stands. Models write line ends in it, which JSON does not. */
function* textRest(input: Input, sink: Sink): Reading<boolean> {
  for (;;) {
    const char = yield* input.peek()
    if (char === "") return false
    input.at++
    if (char === "\\") {
      const next = yield* input.peek()
      if (next === "") return false
      input.at++
      sink(char + next)
    } else {
      sink(char < " " ? JSON.stringify(char).slice(1, -1) : char)
      if (char === '"') return true
    }
  }
}

/** A whole text; undefined: it has no end, or there is none. */
export function* readText(input: Input): Reading<string | undefined> {
  yield* input.skipSpace()
  if ((yield* input.peek()) !== '"') return undefined
  input.at++
  let text = '"'
  const whole = yield* textRest(input, (piece) => {
    text += piece
  })
  try {
    return whole ? String(JSON.parse(text)) : undefined
  } catch {
    return undefined
  }
}

/** A text that holds JSON: what stands in it, piece by piece. */
export function* textInside(input: Input, sink: Sink): Reading<boolean> {
  input.at++
  for (;;) {
    const char = yield* input.peek()
    if (char === "") return false
    input.at++
    if (char === '"') return true
    if (char !== "\\") {
      sink(char)
      continue
    }
    const next = yield* input.peek()
    if (next === "") return false
    input.at++
    if (next !== "u") {
      sink(escapes[next] ?? next)
      continue
    }
    let code = ""
    while (code.length < 4) {
      const digit = yield* input.peek()
      if (!/^[\da-f]$/i.test(digit)) return false
      code += digit
      input.at++
    }
    sink(String.fromCharCode(Number.parseInt(code, 16)))
  }
}

/** Any value; true: it came to its end. */
export function* value(input: Input, sink: Sink = ignore): Reading<boolean> {
  yield* input.skipSpace()
  let depth = 0
  for (;;) {
    const char = yield* input.peek()
    if (char === "") return false
    if (depth === 0 && /[\s,}\]]/.test(char)) return true
    input.at++
    sink(char)
    if (char === '"') {
      if (!(yield* textRest(input, sink))) return false
    } else if (char === "{" || char === "[") depth++
    else if (char === "}" || char === "]") depth--
    if (depth === 0 && /["}\]]/.test(char)) return true
  }
}

/** Calls `inside` at the value of each key of an object; false where it is none, or `inside` says so. */
export function* object(input: Input, inside: (key: string) => Reading<boolean>): Reading<boolean> {
  yield* input.skipSpace()
  if ((yield* input.peek()) !== "{") return false
  input.at++
  for (;;) {
    yield* input.skipSpace()
    const char = yield* input.peek()
    if (char === "}") {
      input.at++
      return true
    }
    if (char === ",") {
      input.at++
      continue
    }
    const key = yield* readText(input)
    if (key === undefined) return false
    yield* input.skipSpace()
    if ((yield* input.peek()) !== ":") return false
    input.at++
    yield* input.skipSpace()
    if (!(yield* inside(key))) return false
  }
}
