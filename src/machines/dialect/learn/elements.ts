/** Arguments with marks of their own: what stands around key and value, and how values of each type look. */
import type { ElementsForm } from "../dialect.ts"
import { commonEnd, commonStart, holes, markOf, withoutEnd } from "./atoms.ts"
import { callWith, firstCall, type Renders, words } from "./renders.ts"

const [keyA, keyB] = words.keys
const [valueA, valueB] = words.values

/** A text that templates may have to guard. */
const hard = `a"b'c\\d\ne<x>ü`
/** a number that no template has */
const aNumber = 918273

interface Around {
  readonly mid: string
  readonly open: string
  /** between key and value */
  readonly to: string
  readonly close: string
  readonly separator: string
}

/** What stands around the two arguments of the first call. */
const around = (render: string): Around | undefined => {
  const name = render.indexOf(firstCall.name) + firstCall.name.length
  const first = render.indexOf(keyA, name)
  const value = render.indexOf(valueA, first)
  const end = value + valueA.length
  const next = render.indexOf(keyB, end)
  const last = render.indexOf(valueB, next)
  if (first === -1 || value === -1 || next === -1 || last === -1) return undefined
  const head = render.slice(name, first)
  const middle = render.slice(end, next).replaceAll(keyA, holes.key)
  const tail = render.slice(last + valueB.length).replaceAll(keyB, holes.key)
  const close = commonStart(middle, tail)
  const found = commonEnd(head, middle)
  // `</v>\n<k>`: what both would have belongs to what closes
  const open = found.slice(Math.max(0, close.length + found.length - middle.length))
  return {
    mid: withoutEnd(head, open),
    open,
    to: render.slice(first + keyA.length, value),
    close,
    separator: middle.slice(close.length, middle.length - open.length)
  }
}

/** The render after the key of one argument. */
const afterKey = (renders: Renders, value: unknown): string | undefined => {
  const text = renders.turn({ calls: [callWith({ [keyA]: value })] })
  const name = text?.indexOf(firstCall.name) ?? -1
  if (text === undefined || name === -1) return undefined
  const key = text.indexOf(keyA, name)
  return key === -1 ? undefined : text.slice(key + keyA.length)
}

/** What stands before and after a value of one argument. */
const frame = (
  renders: Renders,
  value: string | number
): { readonly before: string; readonly after: string } | undefined => {
  const text = afterKey(renders, value)
  const at = text?.indexOf(String(value)) ?? -1
  if (text === undefined || at === -1) return undefined
  return { before: text.slice(0, at), after: text.slice(at + String(value).length) }
}

type Values = Pick<ElementsForm, "values" | "quote" | "typed"> & { readonly to: string; readonly close: string }

/** A text and a number side by side: quotes, or a word for the type, or nothing that tells them apart. */
const valuesOf = (renders: Renders, { close, to }: Around): Values => {
  const text = frame(renders, "qstrq")
  const number = frame(renders, aNumber)
  if (text === undefined || number === undefined || text.before === number.before) return { values: "raw", to, close }
  if (text.before.startsWith(number.before)) {
    const open = text.before.slice(number.before.length)
    const quote = withoutEnd(text.after, number.after)
    return {
      values: "literal",
      to: number.before,
      close: close.startsWith(quote) ? close.slice(quote.length) : close,
      ...(open === '"' || open === "'" ? {} : { quote: { open, close: quote } })
    }
  }
  const before = commonStart(text.before, number.before)
  const after = commonEnd(text.before, number.before)
  const word = text.before.slice(before.length, text.before.length - after.length)
  return { values: "raw", to, close, typed: { before, after, text: word } }
}

/** What is put around a text that holds marks. */
const wrapOf = (renders: Renders, to: string): ElementsForm["wrap"] => {
  const plain = frame(renders, "qstrq")
  const text = afterKey(renders, hard)
  const at = text?.indexOf(hard) ?? -1
  if (plain === undefined || text === undefined || at === -1) return undefined
  const open = text.slice(0, at)
  const close = withoutEnd(text.slice(at + hard.length), plain.after)
  return open.startsWith(to) && open.length > to.length && close !== ""
    ? { open: open.slice(to.length), close }
    : undefined
}

export const learnElements = (renders: Renders, render: string): ElementsForm | undefined => {
  const found = around(render)
  if (found === undefined) return undefined
  const { close, quote, to, typed, values } = valuesOf(renders, found)
  const wrap = values === "raw" && typed === undefined ? wrapOf(renders, to) : undefined
  // a word for the type is read apart
  const opened = typed === undefined ? `${found.open}${holes.key}${to}` : `${found.open}${holes.key}${typed.before}`
  return {
    _tag: "elements",
    mid: markOf(found.mid.replaceAll(firstCall.name, holes.name).replaceAll(firstCall.id, holes.id)),
    open: markOf(opened),
    close: markOf(close),
    separator: found.separator,
    values,
    ...(quote === undefined ? {} : { quote }),
    ...(typed === undefined ? {} : { typed }),
    ...(wrap === undefined ? {} : { wrap })
  }
}
