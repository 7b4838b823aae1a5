/** From messages or a prompt to the tokens that the model reads. */
import * as Either from "effect/Either"
import { templateInput } from "../../../../machines/dialect/conversation.ts"
import type { Dialect } from "../../../../machines/dialect/dialect.ts"
import { type Render, type TemplateInput, type TemplateTool } from "../../../../machines/dialect/template.ts"
import { RbeeError, rbeeError } from "../../../../machines/errors.ts"
import type { Conversation } from "../../../../machines/vocabulary/conversation.ts"
import type { Addon, AddonModel } from "../addon.ts"
import { Literals } from "./literals.ts"
import { callsAsText, hasCalls, leftOpen, marked, openEnd, shows, withoutSystem } from "./messages.ts"
import { measuredTokens } from "./measured.ts"
import { rendererOf, spellingOf } from "./renderer.ts"
import type { Readable } from "./tokenize.ts"
import { fact } from "../../../../machines/facts.ts"

/** For a model that ships no chat template: ChatML, the format that most of them were trained on. */
const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

const refused = (reason: string, field?: string): RbeeError<"INVALID_REQUEST"> =>
  rbeeError("INVALID_REQUEST", `the model's chat template refuses these messages (${reason})`, "", {
    reason,
    ...(field === undefined ? {} : { field })
  })

const refusedCalls = (reason: string): RbeeError<"INVALID_REQUEST"> =>
  rbeeError(
    "INVALID_REQUEST",
    `the model's chat template cannot take tool calls and results (${reason})`,
    "Leave them out, or use a model that was made for tools",
    { reason }
  )

const untold = ({ function: { name } }: TemplateTool): RbeeError<"INVALID_REQUEST"> =>
  rbeeError(
    "INVALID_REQUEST",
    `the model cannot be told of tools (its chat template leaves ${name} out)`,
    "Leave them out, or use a model that was made for tools",
    { field: "tools" }
  )

/** the one line of a Jinja error that says something */
const reasonOf = (cause: unknown): string => {
  const text = cause instanceof Error ? cause.message : String(cause)
  const line = /(?:Jinja Exception|Error): *([^\n]*)$/m.exec(text)?.[1] ?? text.split("\n", 1).join("")
  return line.replace(/^Jinja Exception: /, "").trim()
}

/** Does the rendered text name the tool, as it is or within a string? */
const names = (text: string, { function: { name } }: TemplateTool): boolean =>
  text.includes(name) || text.includes(JSON.stringify(name).slice(1, -1))

const cannotFillIn = (): RbeeError<"INVALID_REQUEST"> =>
  rbeeError(
    "INVALID_REQUEST",
    "the model cannot fill in the middle of a text: its vocabulary has no tokens that say where it is",
    "Leave the suffix out, or use a model that was made for it",
    { field: "suffix" }
  )

export class ChatTemplate {
  private readonly model: AddonModel
  private readonly run: Render | undefined
  private readonly broken: string | undefined

  constructor(addon: Addon, model: AddonModel, template: string | undefined) {
    this.model = model
    let run: Render | undefined
    let broken: string | undefined
    try {
      run = rendererOf(addon, template ?? CHATML, spellingOf(model))
    } catch (cause) {
      // a plain prompt still works with such a model
      broken = reasonOf(cause)
    }
    this.run = run
    this.broken = broken
  }

  /** Throws RbeeError INVALID_REQUEST where the template refuses the messages. */
  tokens(input: Readable, dialect: Dialect): Array<number> {
    if (input._tag === "Text" || input._tag === "Pair") return measuredTokens(this.model, input)
    if (input._tag === "Tokens") return [...input.tokens]
    // A raw prompt speaks to the model directly, control tokens included; the words of a chat do not.
    const tokens =
      input._tag === "Messages"
        ? this.chat(input, dialect)
        : input.suffix === undefined
          ? Array.from(this.model.tokenize(input.prompt, true))
          : this.filledIn(input.prompt, input.suffix)
    const bos = this.model.tokenBos()
    // Templates often write it themselves; twice is a different beginning from the one the model was trained on.
    if (bos >= 0 && this.model.shouldPrependBosToken() && tokens[0] !== bos) tokens.unshift(bos)
    return tokens
  }

  /** A chat as text, for who makes tokens of it himself, and puts before it what a text begins with. */
  text(conversation: Conversation, dialect: Dialect): string {
    const { literals, said } = this.written(conversation, dialect)
    const text = literals.text(said)
    const { bos } = spellingOf(this.model)
    return this.model.shouldPrependBosToken() && bos !== "" && text.startsWith(bos) ? text.slice(bos.length) : text
  }

  /** As models for it were trained: prefix, suffix, middle. What stands around the middle is text alone. */
  private filledIn(before: string, after: string): Array<number> {
    const { model } = this
    const [prefix, suffix, middle] = [model.prefixToken(), model.suffixToken(), model.middleToken()]
    if (prefix < 0 || suffix < 0 || middle < 0) throw cannotFillIn()
    return [prefix, ...model.tokenize(before, false), suffix, ...model.tokenize(after, false), middle]
  }

  private chat(conversation: Conversation, dialect: Dialect): Array<number> {
    const { literals, said } = this.written(conversation, dialect)
    return literals.tokens(said)
  }

  private written(conversation: Conversation, dialect: Dialect) {
    const asked = templateInput(conversation, dialect)
    if (Either.isLeft(asked)) throw asked.left
    const literals = new Literals(this.model, dialect)
    const input = literals.clean(asked.right)
    const said = conversation.continue_final_message === true ? this.open(input) : this.said(input)
    return { literals, said }
  }

  /** The answer has begun with the last message's text, and goes on after it. */
  private open(input: TemplateInput): string {
    const text = this.said({ ...input, messages: leftOpen(input.messages) })
    const end = text.lastIndexOf(openEnd)
    if (end === -1) throw refused("it leaves the last message out", "continue_final_message")
    return text.slice(0, end)
  }

  private said(input: TemplateInput): string {
    const text = hasCalls(input.messages) ? this.renderCalls(input) : this.render(input)
    const missing = input.tools.find((tool) => !names(text, tool))
    if (missing !== undefined) throw untold(missing)
    return text
  }

  /** A template that leaves a call or a result out without a word would have the model answer another conversation. */
  private renderCalls(input: TemplateInput): string {
    const { messages } = input
    try {
      const shown = shows(this.render({ ...input, messages: marked(messages) }), messages)
      if (!shown.results) throw refused("it leaves the results out")
      return this.render(shown.calls ? input : { ...input, messages: callsAsText(messages) })
    } catch (cause) {
      const reason = cause instanceof RbeeError ? fact(cause, "reason") : undefined
      throw refusedCalls(reason ?? reasonOf(cause))
    }
  }

  private render(input: TemplateInput): string {
    const { run } = this
    if (run === undefined) throw refused(this.broken ?? "it cannot be read")
    try {
      return run(input)
    } catch (cause) {
      if (!input.messages.some(({ role }) => role === "system")) throw refused(reasonOf(cause))
    }
    try {
      return run({ ...input, messages: withoutSystem(input.messages) })
    } catch (cause) {
      throw refused(reasonOf(cause))
    }
  }
}
