/**
 * A JSON schema as lines that a reviewer can read: a field a line, with its type and bounds (`?`: it may be absent; `*`:
 * of any name). A schema that `names` knows, by its text, is called what it is called there.
 */
import { isObject } from "../../../src/machines/formats/json/is-object.ts"

type Json = Readonly<Record<string, unknown>>

export type Names = ReadonlyMap<string, string>

/** What stands on the field's own line, and the lines below it. */
interface Drawn {
  readonly head: string
  readonly below: ReadonlyArray<string>
}

export const drawn = (schema: unknown, names: Names): Drawn =>
  (isObject(schema) ? called(schema, names) : undefined) ?? unnamed(schema, names)

const called = ({ description, ...schema }: Json, names: Names): Drawn | undefined => {
  const whole = names.get(textOf({ ...schema, description }))
  const bare = names.get(textOf(schema))
  if (whole !== undefined) return { head: whole, below: [] }
  return bare === undefined ? undefined : { head: `${bare}${bounds({ description })}`, below: [] }
}

/** As `names` has it: the order of what is said plays no part. */
export const textOf = (schema: Json): string =>
  JSON.stringify(
    Object.entries(schema)
      .filter(([, value]) => value !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
  )

/** By what it consists of, whether it has a name or not. */
export const unnamed = (schema: unknown, names: Names): Drawn => {
  if (!isObject(schema)) return { head: JSON.stringify(schema), below: [] }
  const { below, head } = typeOf(schema, names)
  return { head: `${head}${bounds(schema)}`, below }
}

export const indented = (lines: ReadonlyArray<string>): ReadonlyArray<string> => lines.map((line) => `  ${line}`)

/** One line and those below it, begun with `before`. */
export const listed = (before: string, { below, head }: Drawn): ReadonlyArray<string> => [
  `${before}${head}`,
  ...indented(below)
]

const typeOf = (schema: Json, names: Names): Drawn => {
  const { $id, anyOf, enum: values, items, prefixItems, type } = schema
  const plain = (head: string): Drawn => ({ head, below: [] })
  if (Array.isArray(values)) return plain(values.map((value) => JSON.stringify(value)).join(" | "))
  if (Array.isArray(anyOf)) return oneOf(anyOf, names)
  if (Array.isArray(prefixItems)) return plain(`[${prefixItems.map((item) => drawn(item, names).head).join("; ")}]`)
  if (isObject(items)) {
    const { below, head } = drawn(items, names)
    return { head: `list of ${head}`, below }
  }
  if (type === "object") return { head: "object", below: fieldsOf(schema, names) }
  return plain(typeof type === "string" ? type : $id === "/schemas/void" ? "nothing" : "anything")
}

const oneOf = (parts: ReadonlyArray<unknown>, names: Names): Drawn => {
  const all = parts.map((part) => drawn(part, names))
  return all.every(({ below }) => below.length === 0)
    ? { head: all.map(({ head }) => head).join(" | "), below: [] }
    : { head: "one of", below: all.flatMap((part) => listed("- ", part)) }
}

const fieldsOf = (schema: Json, names: Names): ReadonlyArray<string> => {
  const { additionalProperties, patternProperties, properties, propertyNames, required } = schema
  const named = Object.entries(isObject(properties) ? properties : {}).flatMap(([name, field]) =>
    listed(`${name}${Array.isArray(required) && required.includes(name) ? "" : "?"}: `, drawn(field, names))
  )
  const others = [additionalProperties, ...Object.values(isObject(patternProperties) ? patternProperties : {})]
  const key = propertyNames === undefined ? "" : ` (${drawn(propertyNames, names).head})`
  return [...named, ...others.filter(isObject).flatMap((other) => listed(`*${key}: `, drawn(other, names)))]
}

const told = new Set(
  "$id,type,anyOf,enum,items,prefixItems,properties,required,patternProperties,propertyNames,title".split(",")
)

/** Bounds, patterns and whatever else is said. A title is the library's own word for a bound, as is what describes it. */
const bounds = (schema: Json): string =>
  Object.entries(schema)
    .filter(([key, value]) => !told.has(key) && value !== undefined)
    .filter(([key, value]) => !(key === "additionalProperties" && (isObject(value) || value === true)))
    .filter(([key]) => !(key === "description" && ("title" in schema || "pattern" in schema)))
    .map(([key, value]) => `, ${key} ${JSON.stringify(value)}`)
    .join("")

/** What is data by itself: a list's names and an object's fields each on a line of their own, unless they are few. */
export const dataLines = (name: string, value: unknown): ReadonlyArray<string> => {
  const text = JSON.stringify(value)
  if (typeof value !== "object" || value === null || text.length < 80) return [`${name}: ${text}`]
  return [
    name,
    ...indented(
      Array.isArray(value)
        ? value.map((one) => JSON.stringify(one))
        : Object.entries(value).flatMap(([key, one]) => dataLines(key, one))
    )
  ]
}
