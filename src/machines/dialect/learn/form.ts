/** In which form a call is written, and where it stands in a render. */
import type { ElementsForm, Form, Mark } from "../dialect.ts"
import { learnElements } from "./elements.ts"
import { holes, markOf } from "./atoms.ts"
import { isArguments, type JsonAt, jsonAt, pathTo } from "./json-at.ts"
import { firstArguments, firstCall, type Renders, type SaidCall } from "./renders.ts"

export interface Span {
  readonly start: number
  readonly end: number
}

export interface Written {
  readonly form: Form
  /** where a call stands in another render */
  readonly spanOf: (text: string, call: SaidCall) => Span | undefined
}

/** Holes in place of what a call of its own brings. */
export const withHoles = (text: string, call: SaidCall): string =>
  text.replaceAll(call.id, holes.id).replaceAll(call.name, holes.name)

/** The object or list of JSON around the call's name. */
const envelopeOf = (text: string, call: SaidCall): JsonAt | undefined => {
  const name = text.indexOf(call.name)
  for (let at = 0; at < name; at++) {
    if (text[at] !== "{" && text[at] !== "[") continue
    const found = jsonAt(text, at)
    if (found === undefined || found.end <= name) continue
    if (pathTo(found.value, (value) => isArguments(value, call.arguments)) !== undefined) return found
  }
  return undefined
}

const jsonForm = (render: string): Written | undefined => {
  const found = envelopeOf(render, firstCall)
  if (found === undefined) return undefined
  const { value } = found
  const list = Array.isArray(value)
  const item: unknown = list ? value[0] : value
  const name = pathTo(item, (inner) => inner === firstCall.name)
  const args = pathTo(item, (inner) => isArguments(inner, firstArguments))
  const id = pathTo(item, (inner) => inner === firstCall.id)
  if (args === undefined || (name === undefined && args[0] !== firstCall.name)) return undefined
  return {
    form: {
      _tag: "json",
      list,
      name: name ?? "key",
      args: name === undefined ? [] : args,
      ...(pathTo(item, (inner) => typeof inner === "string" && isArguments(inner, firstArguments)) === undefined
        ? {}
        : { argsAsText: true }),
      ...(id === undefined ? {} : { id })
    },
    spanOf: envelopeOf
  }
}

/** The JSON of a call's arguments after its name. */
const argumentsAfter = (text: string, call: SaidCall): JsonAt | undefined => {
  const name = text.indexOf(call.name)
  if (name === -1) return undefined
  for (let at = name + call.name.length; at < text.length; at++) {
    if (text[at] !== "{" && text[at] !== '"') continue
    const found = jsonAt(text, at)
    if (found !== undefined && isArguments(found.value, call.arguments)) return found
  }
  return undefined
}

const nameJsonForm = (
  render: string,
  second: { readonly text: string; readonly call: SaidCall } | undefined
): Written | undefined => {
  const found = argumentsAfter(render, firstCall)
  if (found === undefined) return undefined
  const mid = withHoles(render.slice(render.indexOf(firstCall.name) + firstCall.name.length, found.start), firstCall)
  return {
    form: { _tag: "name_json", mid: counted(mid, second === undefined ? undefined : midOf(second.text, second.call)) },
    spanOf: (text, call) => {
      const args = argumentsAfter(text, call)
      return args === undefined ? undefined : { start: text.indexOf(call.name), end: args.end }
    }
  }
}

const midOf = (text: string, call: SaidCall): string | undefined => {
  const args = argumentsAfter(text, call)
  return args === undefined
    ? undefined
    : withHoles(text.slice(text.indexOf(call.name) + call.name.length, args.start), call)
}

/** The number in which the first call's mark and the second one's differ counts the calls. */
const counted = (first: string, second: string | undefined): Mark =>
  markOf(
    second !== undefined && first !== second && first.replace(/\d+/g, "") === second.replace(/\d+/g, "")
      ? first.replace(/\d+/g, holes.index)
      : first
  )

/** `two`: the render of two calls, where the template takes them. */
export const writtenAs = (
  renders: Renders,
  render: string,
  two: { readonly text: string; readonly call: SaidCall } | undefined
): Written | undefined => {
  const json = jsonForm(render) ?? nameJsonForm(render, two)
  if (json !== undefined) return json
  const form = learnElements(renders, render)
  return form === undefined ? undefined : { form, spanOf: (text, call) => elementsSpan(text, call, form) }
}

const elementsSpan = (text: string, call: SaidCall, { close, quote: own, values }: ElementsForm): Span | undefined => {
  const start = text.indexOf(call.name)
  const [key, value] = Object.entries(call.arguments).at(-1) ?? []
  if (start === -1 || key === undefined) return undefined
  const at = text.indexOf(String(value), text.indexOf(key, start))
  if (at === -1) return undefined
  const end = at + String(value).length
  const quote = own?.close ?? (values === "literal" ? text.charAt(end) : "")
  const closed = close.map((piece) => (typeof piece === "string" ? piece : key)).join("")
  const after = `${quote}${closed}`
  return text.startsWith(after, end) ? { start, end: end + after.length } : undefined
}
