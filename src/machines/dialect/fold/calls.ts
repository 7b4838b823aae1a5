/** A call of a tool, from what opens it to the end of its arguments. */
import type { JsonForm, Mark, Tools } from "../dialect.ts"
import type { Context } from "./context.ts"
import { elements, followers } from "./elements.ts"
import type { Reading } from "./input.ts"
import { object, readText, textInside, value } from "./json.ts"

/** characters of JSON that may come before the name: then it is content */
const mostBeforeName = 4096

interface Head {
  readonly open: Mark
  readonly mid: Mark
}

/** The ways in which a call may be opened; `open`: what stands there in place of the section's opening. */
const headsOf = (tools: Tools, open: Mark): ReadonlyArray<Head> => {
  const mid = tools.form._tag === "json" ? [] : tools.form.mid
  return [{ open, mid }, ...(open === tools.open ? (tools.also ?? []) : [])]
}

/** What a call is found by in a text: with its name, where that follows at once. */
export const opensCall = (tools: Tools): ReadonlyArray<Mark> =>
  headsOf(tools, tools.open).map(({ mid, open }) =>
    tools.form._tag === "json" ? open : [...open, { hole: "name" as const }, ...mid]
  )

/** One call after `open`, or a list of them. Gives false and looks past nothing where it is none. */
export function* callAfter(context: Context, tools: Tools, open: Mark): Reading<boolean> {
  const { input } = context
  const from = input.at
  for (const head of headsOf(tools, open)) {
    input.at = from
    if (tools.form._tag === "json") {
      if ((yield* context.mark(head.open)) === undefined) continue
      if (yield* jsonCalls(context, tools.form)) return true
    } else if (yield* namedCall(context, tools, head)) return true
  }
  input.at = from
  return false
}

/** The name, and what tells that it is one. */
function* namedCall(context: Context, tools: Tools, { mid, open }: Head): Reading<boolean> {
  const { input } = context
  const found = yield* context.mark([...open, { hole: "name" }, ...mid])
  if (found?.name === undefined) return false
  const { name } = found
  const json = tools.form._tag === "name_json"
  const spoken = mid.every((piece) => typeof piece === "string" && piece.trim() === "")
  if ((json || spoken) && !(yield* context.follows(json ? ["{", '"'] : followers(tools)))) return false
  const index = context.call(name)
  if (found.id !== undefined && found.id !== "") context.callId(index, found.id)
  input.take()
  const sink = (text: string) => context.argue(index, text)
  if (tools.form._tag === "elements") yield* elements(context, tools.form, name, sink)
  else {
    input.passing = true
    yield* jsonArguments(context, sink)
    input.passing = false
  }
  input.take()
  return true
}

/** An object, or a text that is one. */
function* jsonArguments(context: Context, sink: (piece: string) => void): Reading<boolean> {
  const { input } = context
  yield* input.skipSpace()
  const char = yield* input.peek()
  if (char === '"') return yield* textInside(input, sink)
  if (char === "{") return yield* value(input, sink)
  const whole = yield* value(input)
  sink("{}")
  return whole
}

function* jsonCalls(context: Context, form: JsonForm): Reading<boolean> {
  const { input } = context
  yield* input.skipSpace()
  const first = yield* input.peek()
  if (first === "{" && !form.list) return yield* new JsonCall(context, form).read()
  if (first !== "[") return false
  input.at++
  for (let count = 0; ; count++) {
    yield* input.skipSpace()
    const char = yield* input.peek()
    if (char === "]" || char === "") {
      if (char === "]" && count > 0) input.at++
      if (count > 0) input.take()
      return count > 0
    }
    if (char === ",") {
      input.at++
      continue
    }
    if (yield* new JsonCall(context, form).read()) continue
    if (count === 0) return false
    // not a tool that there is: it is not lost
    yield* value(input)
    context.say("Content", input.take())
  }
}

const same = (one: ReadonlyArray<string>, other: ReadonlyArray<string>): boolean =>
  one.length === other.length && one.every((key, index) => key === other[index])

/** An object with name and arguments. */
class JsonCall {
  private readonly context: Context
  private readonly form: JsonForm
  private name: string | undefined
  private index = -1
  /** before the name is known */
  private readonly early = { id: "", text: "" }
  private argued = false

  constructor(context: Context, form: JsonForm) {
    this.context = context
    this.form = form
  }

  *read(): Reading<boolean> {
    const { input } = this.context
    const from = input.at
    input.limit = from + mostBeforeName
    yield* object(input, (key) => this.inside([], key))
    input.limit = Infinity
    input.passing = false
    if (this.name === undefined) {
      input.at = from
      return false
    }
    if (!this.argued) this.context.argue(this.index, "{}")
    input.take()
    return true
  }

  private *inside(path: ReadonlyArray<string>, key: string): Reading<boolean> {
    const { context, form } = this
    const { input } = context
    const here = [...path, key]
    if (form.name === "key") {
      if (path.length > 0 || !this.called(key)) return false
      return yield* jsonArguments(context, (piece) => this.argue(piece))
    }
    if (same(here, form.name)) {
      const name = yield* readText(input)
      return name !== undefined && this.called(name)
    }
    if (same(here, form.args)) return yield* jsonArguments(context, (piece) => this.argue(piece))
    if (form.id !== undefined && same(here, form.id) && (yield* input.peek()) === '"') {
      const id = yield* readText(input)
      if (id !== undefined) this.identified(id)
      return id !== undefined
    }
    const leads = [form.name, form.args, form.id ?? []].some((way) => same(way.slice(0, here.length), here))
    if (leads && (yield* input.peek()) === "{") return yield* object(input, (next) => this.inside(here, next))
    return yield* value(input)
  }

  private called(name: string): boolean {
    const { context, early } = this
    if (!context.isDeclared(name)) return false
    context.input.limit = Infinity
    context.input.passing = true
    this.name = name
    this.index = context.call(name)
    if (early.id !== "") context.callId(this.index, early.id)
    if (early.text !== "") context.argue(this.index, early.text)
    return true
  }

  private identified(id: string): void {
    if (this.name === undefined) this.early.id = id
    else this.context.callId(this.index, id)
  }

  private argue(piece: string): void {
    this.argued = true
    if (this.name === undefined) this.early.text += piece
    else this.context.argue(this.index, piece)
  }
}
