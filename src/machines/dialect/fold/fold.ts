/**
 * What the pieces of an answer add, one after the other. Only what may still become a mark is held back, and the white
 * space before it; so the same deltas come out wherever the text is cut, and again when it is read anew.
 */
import type { Dialect, Mark, Tools } from "../dialect.ts"
import { callAfter, opensCall } from "./calls.ts"
import { Context, type DeclaredTool, type Delta } from "./context.ts"
import type { Reading } from "./input.ts"
import { startOf } from "./match.ts"

export type { DeclaredTool, Delta } from "./context.ts"

export interface Beginning {
  readonly tools: ReadonlyArray<DeclaredTool>
  /** the prompt, or its end: it may have opened something */
  readonly prompt: string
}

export class Fold {
  private readonly context: Context
  private readonly reading: Reading<void>
  private done = false

  constructor(dialect: Dialect, { prompt, tools }: Beginning) {
    this.context = new Context(dialect, tools)
    this.reading = new Answer(this.context, prompt.trimEnd()).read()
  }

  push(text: string): ReadonlyArray<Delta> {
    this.context.input.push(text)
    return this.goOn()
  }

  /** No more comes: what was held back is what it is. */
  end(): ReadonlyArray<Delta> {
    this.context.input.ended = true
    return this.goOn()
  }

  private goOn(): ReadonlyArray<Delta> {
    if (!this.done) this.done = this.reading.next().done === true
    return this.context.takeFound()
  }
}

type Kind = "head" | "open" | "close" | "content" | "end" | "call"
interface Sign {
  readonly kind: Kind
  readonly mark: Mark
}
interface Signs {
  readonly all: ReadonlyArray<Sign>
  /** what they begin with: most characters of a text begin none */
  readonly first: ReadonlySet<string>
}

const signsOf = (all: ReadonlyArray<Sign>): Signs => ({
  all,
  first: new Set(all.map(({ mark }) => startOf(mark).charAt(0)))
})

const signs = (kind: Kind, ...texts: ReadonlyArray<string | undefined>): ReadonlyArray<Sign> =>
  texts.flatMap((text) => (text === undefined || text === "" ? [] : [{ kind, mark: [text] }]))

const spaceBefore = (text: string, end: number): number => text.slice(0, end).trimEnd().length

class Answer {
  private readonly context: Context
  private readonly tools: Tools | null
  private readonly atStart: ReadonlyArray<Sign>
  private readonly inText: Signs
  private readonly inReasoning: Signs
  private readonly opened: boolean
  /** characters that the prompt has written */
  private carried: number
  /** white space belongs to the mark before it */
  private afterMark = false

  constructor(context: Context, prompt: string) {
    const { content, head, reasoning, tools } = context.dialect
    this.context = context
    this.tools = tools
    const calls = (tools === null ? [] : opensCall(tools)).map((mark) => ({ kind: "call" as const, mark }))
    const between = [...signs("head", head), ...signs("end", content.close)]
    this.atStart = [
      ...between,
      ...signs("open", reasoning?.open),
      ...signs("close", reasoning?.close),
      ...signs("content", content.open, ...(content.also ?? [])),
      ...calls
    ]
    this.inText = signsOf([...between, ...calls.filter(({ mark }) => startOf(mark) !== "")])
    this.inReasoning = signsOf(signs("close", reasoning?.close))
    this.opened = reasoning !== null && prompt.endsWith(reasoning.open)
    const carry = Object.values(tools?.carry ?? {}).find((text) => text !== "" && prompt.endsWith(text)) ?? ""
    context.input.push(carry)
    this.carried = carry.length
  }

  *read(): Reading<void> {
    if (this.opened) yield* this.reasoning()
    while (yield* this.message());
  }

  /** What an answer or a message of it begins with. */
  private *message(): Reading<boolean> {
    const { input } = this.context
    for (;;) {
      yield* input.skipSpace()
      const found = yield* this.signAt(this.atStart)
      if (found === undefined) break
      if (found.kind === "call") {
        input.at = spaceEnd(input.text)
        if (!(yield* this.calls())) break
        continue
      }
      input.at = found.end
      this.pass()
      if (found.kind === "open") yield* this.reasoning()
      if (found.kind === "content") break
    }
    input.at = 0
    return yield* this.text("Content", this.inText)
  }

  private *reasoning(): Reading<void> {
    this.afterMark = true
    yield* this.text("Reasoning", this.inReasoning)
  }

  /** Looks past a mark: what stands there is not said. */
  private pass(): void {
    this.context.input.take()
    this.carried = 0
    this.afterMark = true
  }

  /** The longest sign where the input is looked at. */
  private *signAt(among: ReadonlyArray<Sign>): Reading<{ readonly kind: Kind; readonly end: number } | undefined> {
    const { input, matcher } = this.context
    for (;;) {
      const matches = among.map(({ kind, mark }) => ({ kind, match: matcher.at(mark, input.text, input.at) }))
      if (!matches.some(({ match }) => match === "partial") || !(yield* input.more()))
        return matches
          .flatMap(({ kind, match }) => (typeof match === "object" ? [{ kind, end: match.end }] : []))
          .sort((a, b) => b.end - a.end)[0]
    }
  }

  /** Where the next sign is, or may become one. */
  private next({ all, first }: Signs, from: number): number {
    const { input, matcher } = this.context
    for (let at = from; at < input.text.length; at++)
      if (first.has(input.text.charAt(at)) && all.some(({ mark }) => matcher.at(mark, input.text, at) !== undefined))
        return at
    return -1
  }

  /** Text up to a sign; false: there is no more. */
  private *text(tag: "Content" | "Reasoning", among: Signs): Reading<boolean> {
    const { input } = this.context
    for (let from = 0; ;) {
      const at = this.next(among, from)
      from = this.say(
        tag,
        spaceBefore(input.text, at === -1 ? input.text.length : at),
        at === -1 ? input.text.length : at
      )
      if (at === -1) {
        if (yield* input.more()) continue
        this.say(tag, input.text.length, input.text.length)
        return false
      }
      input.at = from
      const found = yield* this.signAt(among.all)
      input.at = from
      if (found?.kind === "call" && (yield* this.calls())) return true
      if (found !== undefined && found.kind !== "call") {
        input.at = found.end
        this.pass()
        return true
      }
      from = this.say(tag, from + 1, from + 1)
    }
  }

  /** Says what stands before `end`; gives where `mark` is then. */
  private say(tag: "Content" | "Reasoning", end: number, mark: number): number {
    const { input } = this.context
    input.at = this.afterMark ? Math.min(end, spaceEnd(input.text)) : 0
    const skipped = input.take().length
    const left = Math.max(0, end - skipped)
    if (left > 0) {
      this.afterMark = false
      input.at = left
      const text = input.take()
      const unsaid = Math.min(this.carried, text.length)
      this.carried -= unsaid
      this.context.say(tag, text.slice(unsaid))
    }
    return Math.max(0, mark - skipped - left)
  }

  /** The calls of a section. */
  private *calls(): Reading<boolean> {
    const { context, tools } = this
    if (tools === null || !(yield* callAfter(context, tools, tools.open))) return false
    this.carried = 0
    this.afterMark = true
    const { between } = tools
    if (between !== undefined) while (yield* callAfter(context, tools, between));
    yield* this.closed(tools)
    return true
  }

  /** As much of a section's end as comes. */
  private *closed({ close }: Tools): Reading<void> {
    const { input, matcher } = this.context
    for (;;) {
      const matches = close.map((mark) => matcher.at(mark, input.text, 0))
      if (matches.some((match) => match === "partial") && (yield* input.more())) continue
      input.at = Math.max(0, ...close.map((mark) => matcher.begun(mark, input.text, 0)))
      input.take()
      return
    }
  }
}

const spaceEnd = (text: string): number => text.length - text.trimStart().length
