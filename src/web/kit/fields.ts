/**
 * What a call answered, field by field: what is missing or of another kind is nothing. Effect's schemas would make the
 * page three times as large, and nothing here decides by what it reads: it is shown.
 */
import { isObject } from "../../machines/formats/json/is-object.ts"

export type Fields = Readonly<Record<string, unknown>>

export const text = (value: unknown): string => (typeof value === "string" ? value : "")
export const number = (value: unknown): number => (typeof value === "number" ? value : 0)
export const maybeText = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)
export const maybeNumber = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined)
export const fields = (value: unknown): Fields => (isObject(value) ? value : {})
export const objects = (value: unknown): ReadonlyArray<Fields> => (Array.isArray(value) ? value.filter(isObject) : [])
export const texts = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((one) => typeof one === "string") : []
