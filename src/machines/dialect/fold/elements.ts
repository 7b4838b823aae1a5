/** Arguments that have marks of their own, read as JSON. */
import type { ElementsForm, Mark, Tools } from "../dialect.ts"
import type { Context } from "./context.ts"
import type { Reading } from "./input.ts"
import type { Sink } from "./json.ts"
import { literal } from "./literal.ts"
import { startOf } from "./match.ts"
import { isText, valueOf } from "./values.ts"

/** What may follow an argument or a name: another argument, the call's end, the next call. */
export const followers = ({ between, close, form }: Tools): ReadonlyArray<string> => {
  const ends = [...close, ...(between === undefined ? [] : [between])].map((mark) => firstMark(startOf(mark)))
  const open = form._tag === "elements" ? startOf(form.open).trim() : ""
  return [open, ...ends].filter((text) => text !== "")
}

/** `</function>` of `</function></tool_call>`; the whole where it is no such mark. */
const firstMark = (text: string): string => /^<[^<>]+>/.exec(text)?.[0] ?? text.trim()

const withoutSpaceAfter = (mark: Mark): readonly [Mark, string] => {
  const last = mark.at(-1)
  if (typeof last !== "string") return [mark, ""]
  const trimmed = last.trimEnd()
  return [[...mark.slice(0, -1), ...(trimmed === "" ? [] : [trimmed])], last.slice(trimmed.length)]
}

/** JSON of a text's part: never half of a character, which the next part completes. */
const inside = (text: string): string => JSON.stringify(text).slice(1, -1)
const wholeCharacters = (text: string, end: number): number =>
  /^[\uD800-\uDBFF]$/.test(text.charAt(end - 1)) ? end - 1 : end

interface Argument {
  readonly key: string
  readonly name: string
  readonly form: ElementsForm
}

/** The arguments of a call of `name`, where its first one may come. */
export function* elements(context: Context, form: ElementsForm, name: string, sink: Sink): Reading<void> {
  const { input } = context
  const ends = context.dialect.tools === null ? [] : followers(context.dialect.tools)
  const [open, space] = withoutSpaceAfter(form.open)
  sink("{")
  for (let count = 0; ; count++) {
    yield* input.skipSpace()
    if (count > 0 && form.separator.trim() !== "") yield* context.mark([form.separator.trim()])
    yield* input.skipSpace()
    const found = yield* context.mark(open)
    if (found?.key === undefined) break
    // what the model says itself is as it is, but for the line's end that the mark has
    if (space !== "" && (yield* input.peek()) === space.charAt(0)) input.at++
    sink(`${count > 0 ? ", " : ""}${JSON.stringify(found.key)}: `)
    if (!(yield* argument(context, { key: found.key, name, form }, ends, sink))) break
  }
  sink("}")
}

function* argument(
  context: Context,
  { form, key, name }: Argument,
  ends: ReadonlyArray<string>,
  sink: Sink
): Reading<boolean> {
  const { input } = context
  const schema = context.schemaOf(name, key)
  const close = form.close.map((piece) => (typeof piece === "string" ? piece : key)).join("")
  if (form.values === "literal") {
    const value = yield* literal(input, form.quote)
    sink(value ?? "null")
    yield* input.skipSpace()
    if (close.trim() !== "") yield* context.mark([close.trim()])
    return value !== undefined
  }
  const typed = form.typed === undefined ? undefined : yield* upTo(context, form.typed.after)
  if (form.wrap !== undefined && (yield* context.mark([form.wrap.open])) !== undefined) {
    const text = yield* upTo(context, `${form.wrap.close}${close.trim()}`)
    sink(JSON.stringify(text ?? ""))
    return text !== undefined
  }
  input.take()
  const raw = new RawValue(context, close, ends)
  if (form.typed === undefined ? isText(schema) : typed === form.typed.text) {
    sink('"')
    const whole = yield* raw.read((piece) => sink(inside(piece)))
    sink('"')
    return whole
  }
  let text = ""
  const whole = yield* raw.read((piece) => {
    text += piece
  })
  sink(valueOf(text, form.typed === undefined ? schema : { type: ["number", "boolean", "null", "object", "array"] }))
  return whole
}

/** What stands before a text, which is looked past. */
function* upTo(context: Context, end: string): Reading<string | undefined> {
  const { input } = context
  const from = input.at
  for (;;) {
    const at = input.text.indexOf(end, from)
    if (at >= 0) {
      input.at = at + end.length
      return input.text.slice(from, at)
    }
    if (!(yield* input.more())) return undefined
  }
}

/** A value as it is: it ends where what closes it is followed by what may follow. */
class RawValue {
  private readonly context: Context
  private readonly space: string
  private readonly core: string
  private readonly ends: ReadonlyArray<string>

  constructor(context: Context, close: string, ends: ReadonlyArray<string>) {
    this.context = context
    this.core = close.trim()
    this.space = close.slice(0, close.length - close.trimStart().length)
    this.ends = ends
  }

  *read(sink: Sink): Reading<boolean> {
    const { context, core } = this
    const { input } = context
    for (let from = 0; ;) {
      const at = input.text.indexOf(core, from)
      if (at === -1) {
        from = this.pass(sink, input.text.length - core.length - this.space.length)
        if (yield* input.more()) continue
        sink(input.text)
        input.at = input.text.length
        input.take()
        return false
      }
      from = this.pass(sink, at - this.space.length)
      input.at = from + this.space.length + core.length
      input.at = input.text.indexOf(core, from) + core.length
      const past = input.at
      if (yield* context.follows([...this.ends, ""])) {
        const text = input.text.slice(0, past - core.length)
        sink(this.space !== "" && text.endsWith(this.space) ? text.slice(0, -this.space.length) : text)
        input.at = past
        input.take()
        return true
      }
      from = past - core.length + 1
      input.at = 0
    }
  }

  /** Passes on what cannot belong to the end; gives where to look on. */
  private pass(sink: Sink, until: number): number {
    const { input } = this.context
    const end = wholeCharacters(input.text, Math.max(0, until))
    if (end <= 0) return 0
    input.at = end
    sink(input.take())
    return 0
  }
}
