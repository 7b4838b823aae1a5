/** A schema as a choice of plain ones: references followed, `allOf` put together, `anyOf` and `oneOf` spread out. */
import { isObject } from "../../formats/json/is-object.ts"
import { Refusal } from "../refusal.ts"
import { checkKeywords, pointer } from "./keywords.ts"
import { type All, anyPlain, malformed, meet, type Place, place, type Plain } from "./plain.ts"
import { plainOf } from "./read.ts"

/** alternatives that a schema may come to */
const choicesMax = 512
/** schemas inside of each other */
const depthMax = 200

type Fields = Readonly<Record<string, unknown>>
/** Whether a value may satisfy both. */
export type Overlaps = (one: Plain, other: Plain) => boolean

export class Normal {
  private readonly root: Place
  private readonly overlaps: Overlaps
  private readonly known = new Map<unknown, ReadonlyArray<Plain>>()
  private readonly open = new Set<unknown>()

  constructor(root: Place, overlaps: Overlaps) {
    this.root = root
    this.overlaps = overlaps
  }

  /** What satisfies all of them. */
  of(all: All): ReadonlyArray<Plain> {
    let found: ReadonlyArray<Plain> = [anyPlain(all[0]?.path ?? this.root.path)]
    for (const one of all) found = this.both(found, this.expand(one), one.path)
    return found
  }

  private both(one: ReadonlyArray<Plain>, other: ReadonlyArray<Plain>, path: string): ReadonlyArray<Plain> {
    if (one.length * other.length > choicesMax) throw new Refusal(path, "it has too many alternatives")
    return one
      .flatMap((left) => other.map((right) => meet(left, right)))
      .filter(({ types, values }) => types?.length !== 0 && values?.length !== 0)
  }

  private expand({ path, schema }: Place): ReadonlyArray<Plain> {
    if (schema === true) return [anyPlain(path)]
    if (schema === false) return []
    if (!isObject(schema)) throw new Refusal(path, "it is no schema")
    const known = this.known.get(schema)
    if (known !== undefined) return known
    if (this.open.has(schema)) throw new Refusal(path, "it refers to itself without a value in between", "$ref")
    if (this.open.size > depthMax) throw new Refusal(path, "it is nested too deep")
    this.open.add(schema)
    try {
      const found = this.read(schema, path)
      this.known.set(schema, found)
      return found
    } finally {
      this.open.delete(schema)
    }
  }

  private read(schema: Fields, path: string): ReadonlyArray<Plain> {
    checkKeywords(schema, path)
    const { $ref } = schema
    let found: ReadonlyArray<Plain> = [plainOf(schema, path)]
    if ($ref !== undefined) found = this.both(found, this.expand(this.target($ref, path)), path)
    for (const one of this.list(schema, "allOf", path)) found = this.both(found, this.expand(one), one.path)
    for (const keyword of ["anyOf", "oneOf"]) {
      if (schema[keyword] === undefined) continue
      const options = this.list(schema, keyword, path).map((one) => this.expand(one))
      if (keyword === "oneOf") this.checkApart(options, pointer(path, keyword))
      found = this.both(found, options.flat(), path)
    }
    const { nullable, type } = schema
    // with a type it is told among the types
    const isNullable = nullable === true && type === undefined
    return isNullable ? [...found, { ...anyPlain(path), types: ["null"] }] : found
  }

  private list(schema: Fields, keyword: string, path: string): All {
    const value = schema[keyword]
    if (value === undefined) return []
    if (!Array.isArray(value) || value.length === 0) throw malformed(path, keyword, "a list of schemas")
    return value.map((one: unknown, at) => place(one, path, keyword, at))
  }

  /** Exactly one of them has to be satisfied: what satisfies two is not to come. */
  private checkApart(options: ReadonlyArray<ReadonlyArray<Plain>>, path: string): void {
    for (const [at, option] of options.entries())
      for (const other of options.slice(at + 1))
        if (option.some((one) => other.some((two) => this.overlaps(one, two))))
          throw new Refusal(
            path,
            "a value may satisfy two of these; oneOf is supported where none can (say anyOf)",
            "oneOf"
          )
  }

  private target(ref: unknown, path: string): Place {
    const wrong = (why: string): Refusal => new Refusal(pointer(path, "$ref"), why, "$ref")
    if (typeof ref !== "string" || !/^#(\/|$)/.test(ref)) throw wrong("$ref is supported within the schema only (#/…)")
    let at: unknown = this.root.schema
    let where = this.root.path
    for (const part of ref.split("/").slice(1)) {
      const key = decoded(part).replaceAll("~1", "/").replaceAll("~0", "~")
      const next: unknown = Array.isArray(at)
        ? at[Number(key)]
        : isObject(at) && Object.hasOwn(at, key)
          ? at[key]
          : undefined
      if (next === undefined) throw wrong(`$ref ${ref} leads nowhere`)
      at = next
      where = pointer(where, key)
    }
    return { schema: at, path: where }
  }
}

const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
