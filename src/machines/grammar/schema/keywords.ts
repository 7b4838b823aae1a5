/** Every keyword of a JSON schema that somebody has published, sorted: what is served, what says nothing of a value. */
import { isObject } from "../../formats/json/is-object.ts"
import { Refusal } from "../refusal.ts"

export type Type = "null" | "boolean" | "integer" | "number" | "string" | "array" | "object"

/** Keywords that speak of values of one type. */
export const ofType: Readonly<Record<string, Type>> = {
  minimum: "number",
  maximum: "number",
  exclusiveMinimum: "number",
  exclusiveMaximum: "number",
  multipleOf: "number",
  minLength: "string",
  maxLength: "string",
  pattern: "string",
  format: "string",
  items: "array",
  prefixItems: "array",
  additionalItems: "array",
  minItems: "array",
  maxItems: "array",
  uniqueItems: "array",
  properties: "object",
  patternProperties: "object",
  additionalProperties: "object",
  propertyNames: "object",
  required: "object",
  minProperties: "object",
  maxProperties: "object"
}

const general: ReadonlySet<string> = new Set([
  "type",
  "enum",
  "const",
  "anyOf",
  "oneOf",
  "allOf",
  "$ref",
  "nullable",
  ...Object.keys(ofType)
])

/** They name things, or say something to people. */
const harmless: ReadonlySet<string> = new Set([
  "$schema",
  "$id",
  "id",
  "$comment",
  "$anchor",
  "$vocabulary",
  "$defs",
  "definitions",
  "title",
  "description",
  "markdownDescription",
  "default",
  "example",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
  "strict",
  "name",
  "discriminator",
  "externalDocs",
  "xml",
  "enumNames",
  "enumDescriptions",
  "errorMessage",
  "propertyOrdering",
  "order",
  "contentEncoding",
  "contentMediaType",
  "contentSchema",
  "~standard"
])

/** Values that ask for nothing, of keywords that are not served. */
const empty: ReadonlyMap<string, unknown> = new Map([
  ["uniqueItems", false],
  ["unevaluatedProperties", true],
  ["unevaluatedItems", true],
  ["not", false]
])

const asksNothing = (keyword: string, value: unknown): boolean => {
  if (empty.has(keyword) && empty.get(keyword) === value) return true
  if (["dependencies", "dependentRequired", "dependentSchemas"].includes(keyword))
    return isObject(value) && Object.keys(value).length === 0
  return false
}

export const pointer = (path: string, ...parts: ReadonlyArray<string | number>): string =>
  [path, ...parts.map((part) => String(part).replaceAll("~", "~0").replaceAll("/", "~1"))].join("/")

/** Refuses by its name what would be left out. */
export const checkKeywords = (schema: Readonly<Record<string, unknown>>, path: string): void => {
  for (const [keyword, value] of Object.entries(schema)) {
    if (general.has(keyword) && keyword !== "uniqueItems") continue
    if (harmless.has(keyword) || keyword.startsWith("x-") || asksNothing(keyword, value)) continue
    throw new Refusal(pointer(path, keyword), `${keyword} is not supported`, keyword)
  }
}
