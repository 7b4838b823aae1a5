/** A schema without references and choices: what a value has to satisfy all at once. */
import { isObject } from "../../formats/json/is-object.ts"
import { Refusal } from "../refusal.ts"
import type { Bounds } from "../numbers.ts"
import { pointer, type Type } from "./keywords.ts"

/** A schema where it stands. */
export interface Place {
  readonly schema: unknown
  readonly path: string
}
/** What all has to be satisfied. None: anything is. */
export type All = ReadonlyArray<Place>

export interface ObjectPart {
  readonly properties: ReadonlyMap<string, Place>
  readonly patterns: ReadonlyArray<readonly [pattern: string, place: Place]>
  /** false: no others; undefined: it says nothing of others */
  readonly others: Place | boolean | undefined
}
export interface ArrayPart {
  readonly first: ReadonlyArray<Place>
  readonly rest: Place | boolean
}
export interface Counts {
  readonly min: number
  readonly max: number | undefined
}

export interface Plain {
  readonly path: string
  readonly types: ReadonlyArray<Type> | undefined
  /** types that it speaks of */
  readonly spoken: ReadonlyArray<Type>
  readonly values: ReadonlyArray<unknown> | undefined
  readonly bounds: Bounds
  readonly length: Counts
  /** patterns and formats, as patterns */
  readonly patterns: ReadonlyArray<Place>
  readonly items: Counts
  readonly arrays: ReadonlyArray<ArrayPart>
  readonly size: Counts
  readonly objects: ReadonlyArray<ObjectPart>
  readonly required: ReadonlyArray<string>
  readonly names: All
}

const anyCount: Counts = { min: 0, max: undefined }

export const anyPlain = (path: string): Plain => ({
  path,
  types: undefined,
  spoken: [],
  values: undefined,
  bounds: {},
  length: anyCount,
  patterns: [],
  items: anyCount,
  arrays: [],
  size: anyCount,
  objects: [],
  required: [],
  names: []
})

export const sameValue = (one: unknown, other: unknown): boolean => {
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((item, at) => sameValue(item, other[at]))
  if (!isObject(one) || !isObject(other)) return one === other
  const keys = Object.keys(one)
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && sameValue(one[key], other[key]))
  )
}

const largest = (...all: ReadonlyArray<number | undefined>): number | undefined => {
  const there = all.filter((one) => one !== undefined)
  return there.length === 0 ? undefined : Math.max(...there)
}
const smallest = (...all: ReadonlyArray<number | undefined>): number | undefined => {
  const there = all.filter((one) => one !== undefined)
  return there.length === 0 ? undefined : Math.min(...there)
}

const meetTypes = (one: Plain["types"], other: Plain["types"]): Plain["types"] => {
  if (one === undefined || other === undefined) return one ?? other
  const has = (types: ReadonlyArray<Type>, type: Type): boolean =>
    types.includes(type) || (type === "integer" && types.includes("number"))
  return [...new Set([...one, ...other])].filter((type) => has(one, type) && has(other, type))
}

const meetCounts = (one: Counts, other: Counts): Counts => ({
  min: Math.max(one.min, other.min),
  max: smallest(one.max, other.max)
})

const defined = <Of extends object>(of: { readonly [Key in keyof Of]: Of[Key] | undefined }): Partial<Of> => {
  const found: Partial<Of> = {}
  for (const key in of) if (of[key] !== undefined) found[key] = of[key]
  return found
}

export const meetBounds = (one: Bounds, other: Bounds): Bounds =>
  defined<Required<Bounds>>({
    min: largest(one.min, other.min),
    max: smallest(one.max, other.max),
    above: largest(one.above, other.above),
    below: smallest(one.below, other.below)
  })

/** Both at once. */
export const meet = (one: Plain, other: Plain): Plain => ({
  path: one.path,
  types: meetTypes(one.types, other.types),
  spoken: [...new Set([...one.spoken, ...other.spoken])],
  values:
    one.values === undefined || other.values === undefined
      ? (one.values ?? other.values)
      : one.values.filter((value) => other.values?.some((candidate) => sameValue(value, candidate))),
  bounds: meetBounds(one.bounds, other.bounds),
  length: meetCounts(one.length, other.length),
  patterns: [...one.patterns, ...other.patterns],
  items: meetCounts(one.items, other.items),
  arrays: [...one.arrays, ...other.arrays],
  size: meetCounts(one.size, other.size),
  objects: [...one.objects, ...other.objects],
  required: [...new Set([...one.required, ...other.required])],
  names: [...one.names, ...other.names]
})

const every: ReadonlyArray<Type> = ["null", "boolean", "number", "string", "array", "object"]

/** What a schema without a type speaks of, it means; one that speaks of nothing means everything. */
export const typesOf = ({ spoken, types }: Plain): ReadonlyArray<Type> => types ?? (spoken.length > 0 ? spoken : every)

/** What an object's key has to satisfy; undefined: there is no such key. */
export const underKey = (
  plain: Plain,
  key: string,
  matches: (pattern: string, key: string) => boolean
): All | undefined => {
  const found: Array<Place> = []
  for (const { others, patterns, properties } of plain.objects) {
    const own = properties.get(key)
    const fitting = patterns.flatMap(([pattern, place]) => (matches(pattern, key) ? [place] : []))
    if (own !== undefined) found.push(own)
    found.push(...fitting)
    if (own !== undefined || fitting.length > 0) continue
    if (others === false) return undefined
    if (typeof others === "object") found.push(others)
  }
  return found
}

/** What an array's item has to satisfy; undefined: there is none so far on. */
export const atIndex = (plain: Plain, index: number): All | undefined => {
  const found: Array<Place> = []
  for (const { first, rest } of plain.arrays) {
    const own = first[index] ?? rest
    if (own === false) return undefined
    if (typeof own === "object") found.push(own)
  }
  return found
}

export const place = (schema: unknown, path: string, ...parts: ReadonlyArray<string | number>): Place => ({
  schema,
  path: pointer(path, ...parts)
})

export const malformed = (path: string, keyword: string, wanted: string): Refusal =>
  new Refusal(pointer(path, keyword), `${keyword} must be ${wanted}`, keyword)
