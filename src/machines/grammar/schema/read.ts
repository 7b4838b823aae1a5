/** What a schema says itself, without what it refers to. */
import { isObject } from "../../formats/json/is-object.ts"
import { formats, patternOfFormat } from "../automaton/formats.ts"
import type { Bounds } from "../numbers.ts"
import { Refusal } from "../refusal.ts"
import { ofType, pointer, type Type } from "./keywords.ts"
import {
  type ArrayPart,
  type Counts,
  malformed,
  meetBounds,
  type ObjectPart,
  type Place,
  place,
  type Plain,
  sameValue
} from "./plain.ts"

type Fields = Readonly<Record<string, unknown>>

const types: ReadonlyArray<Type> = ["null", "boolean", "integer", "number", "string", "array", "object"]
const isType = (value: unknown): value is Type => types.some((type) => type === value)

const typesIn = ({ nullable, type }: Fields, path: string): ReadonlyArray<Type> | undefined => {
  if (type === undefined) return undefined
  const named: ReadonlyArray<unknown> = Array.isArray(type) ? type : [type]
  const known = named.filter(isType)
  if (known.length !== named.length || known.length === 0)
    throw malformed(path, "type", `one or more of ${types.join(", ")}`)
  // whole numbers are numbers
  const all = known.filter((one) => one !== "integer" || !known.includes("number"))
  return nullable === true && !all.includes("null") ? [...all, "null"] : all
}

const number = (schema: Fields, keyword: string, path: string): number | undefined => {
  const value = schema[keyword]
  if (value === undefined) return undefined
  if (typeof value !== "number" || !Number.isFinite(value)) throw malformed(path, keyword, "a number")
  return value
}

const count = (schema: Fields, keyword: string, path: string): number | undefined => {
  const value = number(schema, keyword, path)
  if (value !== undefined && (!Number.isSafeInteger(value) || value < 0))
    throw malformed(path, keyword, "a whole number")
  return value
}

const counts = (schema: Fields, what: string, path: string): Counts => ({
  min: count(schema, `min${what}`, path) ?? 0,
  max: count(schema, `max${what}`, path)
})

/** As later drafts have it; in the fourth, exclusive bounds are yes or no. */
const boundsIn = (schema: Fields, path: string): Bounds => {
  const [min, max] = [number(schema, "minimum", path), number(schema, "maximum", path)]
  const exclusive = (keyword: string, bound: number | undefined): number | undefined => {
    const value = schema[keyword]
    if (typeof value !== "boolean") return number(schema, keyword, path)
    return value ? bound : undefined
  }
  const above = exclusive("exclusiveMinimum", min)
  const below = exclusive("exclusiveMaximum", max)
  return {
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(above === undefined ? {} : { above }),
    ...(below === undefined ? {} : { below })
  }
}

const numeric: Readonly<Record<string, Bounds>> = {
  int32: { min: -(2 ** 31), max: 2 ** 31 - 1 },
  int64: {},
  float: {},
  double: {}
}

const patternsIn = (schema: Fields, path: string): ReadonlyArray<Place> => {
  const { format, pattern } = schema
  const found: Array<Place> = []
  if (pattern !== undefined) {
    if (typeof pattern !== "string") throw malformed(path, "pattern", "a text")
    found.push(place(pattern, path, "pattern"))
  }
  if (format === undefined) return found
  if (typeof format !== "string") throw malformed(path, "format", "a text")
  if (Object.hasOwn(numeric, format)) return found
  const known = patternOfFormat(format)
  if (known === undefined)
    throw new Refusal(
      pointer(path, "format"),
      `format ${format} is not supported (${formats.join(", ")} are)`,
      "format"
    )
  return [...found, place(known, path, "format")]
}

const list = (schema: Fields, keyword: string, path: string): ReadonlyArray<unknown> | undefined => {
  const value = schema[keyword]
  if (value === undefined || Array.isArray(value)) return value
  throw malformed(path, keyword, "a list")
}

const isSchema = (value: unknown): boolean => typeof value === "boolean" || isObject(value)

const inner = (schema: Fields, keyword: string, path: string): Place | boolean | undefined => {
  const value = schema[keyword]
  if (value === undefined || typeof value === "boolean") return value
  if (!isSchema(value)) throw malformed(path, keyword, "a schema")
  return place(value, path, keyword)
}

/** A list of schemas is what the second draft calls `prefixItems`. */
const arrayIn = (schema: Fields, path: string): ReadonlyArray<ArrayPart> => {
  const { items } = schema
  const old = Array.isArray(items)
  const keyword = old ? "items" : "prefixItems"
  const first = (list(schema, keyword, path) ?? []).map((one, at) => place(one, path, keyword, at))
  const rest = inner(schema, old ? "additionalItems" : "items", path) ?? true
  return first.length === 0 && rest === true ? [] : [{ first, rest }]
}

const map = (schema: Fields, keyword: string, path: string): ReadonlyArray<readonly [string, Place]> => {
  const value = schema[keyword]
  if (value === undefined) return []
  if (!isObject(value)) throw malformed(path, keyword, "an object of schemas")
  return Object.entries(value).map(([key, one]) => [key, place(one, path, keyword, key)])
}

const objectIn = (schema: Fields, path: string): ReadonlyArray<ObjectPart> => {
  const { additionalProperties, patternProperties, properties } = schema
  if (additionalProperties === undefined && patternProperties === undefined && properties === undefined) return []
  return [
    {
      properties: new Map(map(schema, "properties", path)),
      patterns: map(schema, "patternProperties", path),
      others: inner(schema, "additionalProperties", path)
    }
  ]
}

const requiredIn = (schema: Fields, path: string): ReadonlyArray<string> => {
  const { required } = schema
  // in the third draft a property says it of itself
  if (required === undefined || required === false) return []
  const names = (list(schema, "required", path) ?? []).filter((name) => typeof name === "string")
  if (names.length !== list(schema, "required", path)?.length) throw malformed(path, "required", "a list of names")
  return names
}

const valuesIn = (schema: Fields, path: string): ReadonlyArray<unknown> | undefined => {
  const some = list(schema, "enum", path)
  if (!Object.hasOwn(schema, "const")) return some
  const only = schema["const"]
  return some === undefined || some.some((one) => sameValue(one, only)) ? [only] : []
}

/** Whole multiples of one are whole numbers; of others nothing is known that could be counted in digits. */
const isWhole = ({ multipleOf }: Fields, path: string): boolean => {
  if (multipleOf !== undefined && multipleOf !== 1)
    throw new Refusal(pointer(path, "multipleOf"), "multipleOf is not supported, but for 1", "multipleOf")
  return multipleOf === 1
}

const spokenOf = (schema: Fields): ReadonlyArray<Type> => {
  const { format } = schema
  const all = Object.keys(schema).flatMap((keyword) => {
    const type = Object.hasOwn(ofType, keyword) ? ofType[keyword] : undefined
    if (type === undefined) return []
    return keyword === "format" && typeof format === "string" && Object.hasOwn(numeric, format)
      ? ["number" as const]
      : [type]
  })
  return [...new Set(all)]
}

/** The keywords that are checked by `checkKeywords` before. */
export const plainOf = (schema: Fields, path: string): Plain => {
  const { format, propertyNames } = schema
  const named = typesIn(schema, path)
  const bounds = boundsIn(schema, path)
  const within = typeof format === "string" && Object.hasOwn(numeric, format) ? numeric[format] : undefined
  const names = inner(schema, "propertyNames", path)
  return {
    path,
    types: isWhole(schema, path) ? (named ?? ["number"]).map((one) => (one === "number" ? "integer" : one)) : named,
    spoken: spokenOf(schema),
    values: valuesIn(schema, path),
    bounds: meetBounds(within ?? {}, bounds),
    length: counts(schema, "Length", path),
    patterns: patternsIn(schema, path),
    items: counts(schema, "Items", path),
    arrays: arrayIn(schema, path),
    size: counts(schema, "Properties", path),
    objects: objectIn(schema, path),
    required: requiredIn(schema, path),
    names: typeof names === "object" ? [names] : propertyNames === false ? [place(false, path, "propertyNames")] : []
  }
}
