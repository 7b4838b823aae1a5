/** A value of JSON in the middle of a text. */

const closing: Readonly<Record<string, string>> = { "{": "}", "[": "]" }

/** Where the value that begins at `at` ends, by its brackets and quotes. */
const endOf = (text: string, at: number): number | undefined => {
  const open: Array<string> = []
  let quoted = false
  for (let index = at; index < text.length; index++) {
    const char = text.charAt(index)
    if (quoted) {
      if (char === "\\") index++
      else if (char === '"') quoted = false
    } else if (char === '"') quoted = true
    else if (char in closing) open.push(closing[char] ?? "")
    else if (char === "}" || char === "]") {
      if (open.pop() !== char) return undefined
    } else continue
    if (open.length === 0 && !quoted) return index + 1
  }
  return undefined
}

export interface JsonAt {
  readonly value: unknown
  readonly start: number
  readonly end: number
}

/** Of objects, lists and texts only. */
export const jsonAt = (text: string, at: number): JsonAt | undefined => {
  const end = endOf(text, at)
  if (end === undefined) return undefined
  try {
    return { value: JSON.parse(text.slice(at, end)), start: at, end }
  } catch {
    return undefined
  }
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

/** The arguments, or a text that is their JSON. */
export const isArguments = (value: unknown, args: unknown): boolean => {
  if (typeof value !== "string") return same(value, args)
  try {
    return same(JSON.parse(value), args)
  } catch {
    return false
  }
}

/** The way to the first value that passes, through objects and the first items of lists. */
export const pathTo = (value: unknown, passes: (value: unknown) => boolean): ReadonlyArray<string> | undefined => {
  if (passes(value)) return []
  if (typeof value !== "object" || value === null) return undefined
  for (const [key, item] of Object.entries(value)) {
    const rest = pathTo(item, passes)
    if (rest !== undefined) return [key, ...rest]
    if (Array.isArray(value)) return undefined
  }
  return undefined
}
