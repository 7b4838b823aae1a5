/**
 * What an answer may be, by what was asked: thoughts first, where the model thinks; then content that satisfies a
 * schema, or calls. The grammar is of the whole answer, from its first token on: who goes on with an answer accepts
 * the tokens that there are, and is where the undisturbed one was.
 */
import * as Either from "effect/Either"
import type { Dialect, Mark } from "../../dialect/dialect.ts"
import type { RbeeError } from "../../errors.ts"
import type { Conversation, Tool } from "../../vocabulary/conversation.ts"
import { Refusal } from "../refusal.ts"
import { grammarText } from "../render.ts"
import { type Item, Rules, type Sequence, text } from "../rules.ts"
import { grammarOfSchema, orRefused } from "../schema/schema.ts"
import { Values } from "../schema/values.ts"
import { bare, described } from "../text.ts"
import { anything, less } from "../automaton/automaton.ts"
import { automatonOfPattern } from "../automaton/pattern.ts"
import { CallRules } from "./calls.ts"
import { beforeEnd, freeUntil, gap, thenAfter } from "./spans.ts"

export type Wishes = Pick<
  Conversation,
  "tools" | "tool_choice" | "parallel_tool_calls" | "response_format" | "reasoning"
>

/** Without what is said, which changes nothing of them. */
export const wishesIn = ({ parallel_tool_calls, reasoning, response_format, tool_choice, tools }: Wishes): Wishes => ({
  parallel_tool_calls,
  reasoning,
  response_format,
  tool_choice,
  tools
})

export interface Answering {
  readonly wishes: Wishes
  readonly dialect: Dialect
  /** the prompt's end: it may have opened something */
  readonly prompt: string
  /** texts of the tokens that end an answer */
  readonly ends: ReadonlyArray<string>
}

/** Where a schema of the content stands in a request. */
const formatPath = "response_format/schema"

const formatOf = ({ response_format: format }: Wishes): unknown => {
  if (format?.type === "json_object") return { type: "object" }
  return format?.type === "json_schema" ? format.schema : undefined
}

const callableOf = ({ tool_choice: choice, tools = [] }: Wishes): ReadonlyArray<Tool> => {
  if (choice === "none") return []
  return typeof choice === "object" ? tools.filter(({ name }) => name === choice.name) : tools
}

const mustCall = ({ tool_choice: choice }: Wishes): boolean => choice === "required" || typeof choice === "object"

const parametersPath = ({ tools = [] }: Wishes, tool: Tool): string => `tools/${tools.indexOf(tool)}/parameters`

/** Of the tools that may be called, whose arguments have to satisfy their schema. */
const isBound = (wishes: Wishes, tool: Tool): boolean => mustCall(wishes) || tool.strict === true

const callsAreBound = (wishes: Wishes): boolean => {
  const callable = callableOf(wishes)
  return callable.length > 0 && (wishes.parallel_tool_calls === false || callable.some((tool) => isBound(wishes, tool)))
}

/** Nothing is asked of the answer's form. */
export const isFree = (wishes: Wishes): boolean => formatOf(wishes) === undefined && !callsAreBound(wishes)

/** Refused here is what no model could be held to, whichever it is. */
export const checkWishes = (wishes: Wishes): Either.Either<void, RbeeError<"INVALID_REQUEST">> =>
  Either.gen(function* () {
    const format = formatOf(wishes)
    if (format !== undefined && !mustCall(wishes)) yield* grammarOfSchema(format, formatPath)
    for (const tool of callableOf(wishes))
      if (isBound(wishes, tool) && tool.parameters !== undefined)
        yield* grammarOfSchema(tool.parameters, parametersPath(wishes, tool))
  })

class AnswerRules {
  readonly rules = new Rules()
  private readonly answering: Answering
  private readonly prompt: string

  constructor(answering: Answering) {
    this.answering = answering
    this.prompt = answering.prompt.trimEnd()
  }

  root(): Item {
    const { wishes } = this.answering
    const callable = callableOf(wishes)
    const format = formatOf(wishes)
    if (mustCall(wishes)) return this.thinking([this.calls(false)])
    if (format !== undefined) {
      const calls = callable.length > 0 ? [[this.calls(false)]] : []
      return this.thinking([this.rules.of([this.content(format), ...calls])])
    }
    return this.thinking([this.free()], true)
  }

  /** Thoughts, where the prompt has opened them or the model may, and then what is asked. */
  private thinking(then: Sequence, mayEnd = false): Item {
    const { rules } = this
    const { dialect, wishes } = this.answering
    const { head, reasoning } = dialect
    const start: Sequence = [gap(rules), ...then]
    if (reasoning === null) return rules.of([start])
    const after: Sequence = [rules.maybe(...(head === undefined ? [] : [gap(rules), text(head)])), ...start]
    const thoughts = mayEnd ? freeUntil(rules, [reasoning.close], after) : thenAfter(rules, [reasoning.close], after)
    if (this.prompt.endsWith(reasoning.open)) return thoughts
    if (this.prompt.endsWith(reasoning.close) || wishes.reasoning === "off") return rules.of([start])
    return rules.of([start, [gap(rules), text(reasoning.open), thoughts]])
  }

  private content(format: unknown): Sequence {
    const { rules } = this
    const { content } = this.answering.dialect
    const values = new Values(rules, { schema: format, path: formatPath })
    const open = content.open ?? ""
    const carried = this.carried()
    const close = beforeEnd([content.close ?? ""], this.answering.ends)
    return [
      text(carried !== "" && open.startsWith(carried) ? open.slice(carried.length) : open),
      values.layout.space,
      values.of([{ schema: format, path: formatPath }]),
      rules.maybe(...close.flatMap((part) => (typeof part === "string" ? [text(part)] : [])))
    ]
  }

  /** What the prompt has written of an opening. */
  private carried(): string {
    const carry = Object.values(this.answering.dialect.tools?.carry ?? {})
    return carry.find((one) => one !== "" && this.prompt.endsWith(one)) ?? ""
  }

  private tools() {
    const { tools, why } = this.answering.dialect
    if (tools === null)
      throw new Refusal("tools", `the model cannot be told of tools (${why ?? "its chat template knows none"})`)
    return tools
  }

  private calls(opened: boolean): Item {
    const { ends, wishes } = this.answering
    return new CallRules({
      rules: this.rules,
      tools: this.tools(),
      callable: callableOf(wishes),
      isBound: (tool) => isBound(wishes, tool),
      pathOf: (tool) => parametersPath(wishes, tool),
      parallel: wishes.parallel_tool_calls !== false,
      prompt: this.prompt,
      ends
    }).section(opened)
  }

  /** Text as the model likes, until it opens a call. */
  private free(): Item {
    const { rules } = this
    const { also = [], open } = this.tools()
    const carried = this.carried()
    const marks = [open, ...also.map((one) => one.open)].map(opening)
    if (marks.some((mark) => mark.trim() === "")) return this.unmarked()
    const prose = freeUntil(rules, [...new Set(marks)], [this.calls(true)])
    if (carried === "") return prose
    return rules.of([...this.contentOpens(carried).map((one) => [text(one), prose]), [this.calls(false)]])
  }

  private contentOpens(carried: string): ReadonlyArray<string> {
    const { also = [], open } = this.answering.dialect.content
    return [...(open === undefined ? [] : [open]), ...also].flatMap((one) =>
      one.startsWith(carried) ? [one.slice(carried.length)] : []
    )
  }

  /** Calls without a mark before them: an answer that begins as one is one. */
  private unmarked(): Item {
    const { rules } = this
    const prose = less(anything, automatonOfPattern("^\\s*[{[]"))
    return rules.of([[this.calls(false)], [described(rules, prose, bare, [])]])
  }
}

/** What a mark begins with. */
const opening = ([first]: Mark): string => (typeof first === "string" ? first : "")

/** The grammar of the answer; undefined: it is free. */
export const constraintOf = (answering: Answering): Either.Either<string | undefined, RbeeError<"INVALID_REQUEST">> => {
  if (isFree(answering.wishes)) return Either.right(undefined)
  return orRefused(() => {
    const answer = new AnswerRules(answering)
    return grammarText(answer.rules, answer.root())
  })
}
