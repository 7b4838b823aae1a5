/** Bare words of an argument as JSON: what the tool's schema admits, and a text where it says nothing better. */
import { isObject } from "../../formats/json/is-object.ts"
import { Input } from "./input.ts"
import { literal } from "./literal.ts"

export type Admits = (type: string) => boolean
const everything: Admits = () => true

const typeOf = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value)

/** The types that a property's schema admits. */
export const admitted = (schema: unknown): Admits => {
  if (!isObject(schema)) return everything
  const { const: only, enum: some, type } = schema
  for (const union of ["anyOf", "oneOf"] as const) {
    const options: unknown = schema[union]
    if (!Array.isArray(options)) continue
    const all = options.map(admitted)
    return (name) => all.some((one) => one(name))
  }
  const named = typeof type === "string" ? [type] : Array.isArray(type) ? type : undefined
  const types = named ?? (Array.isArray(some) ? some.map(typeOf) : only === undefined ? undefined : [typeOf(only)])
  if (types === undefined) return everything
  return (name) => types.includes(name) || (name === "number" && types.includes("integer"))
}

const onlyText = (admits: Admits): boolean =>
  admits("string") && !["number", "boolean", "null", "object", "array"].some((type) => admits(type))

export const isText = (schema: unknown): boolean => onlyText(admitted(schema))

/** As a program writes it, the whole of a text. */
const literalOf = (text: string): string | undefined => {
  const input = new Input()
  input.push(text.trim())
  input.ended = true
  const found = literal(input, undefined).next()
  return found.done === true && input.at === input.text.length ? found.value : undefined
}

const parsed = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

/** The JSON of a value that stands there as it is. */
export const valueOf = (text: string, schema: unknown): string => {
  const admits = admitted(schema)
  if (onlyText(admits)) return JSON.stringify(text)
  for (const candidate of [text.trim(), literalOf(text)]) {
    const found = candidate === undefined ? undefined : parsed(candidate)
    if (candidate !== undefined && found !== undefined && admits(typeOf(found.value))) return candidate
  }
  return JSON.stringify(text)
}
