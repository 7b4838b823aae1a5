/** From messages or a prompt to the tokens that the model reads. */
import { RbeeError, rbeeError } from "../../../../machines/errors.ts"
import type { ChatMessage, GenerateRequest } from "../../index.ts"
import { type Addon, type AddonJinja, type AddonModel, CONTROL, USER_DEFINED } from "../addon.ts"
import { callsAsText, hasTools, marked, shows, type TemplateMessage, templateMessage } from "./messages.ts"

/** For a model that ships no chat template: ChatML, the format that most of them were trained on. */
const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

/** Stands for one control token's spelling in a user's text while the template runs: private-use characters. */
const OPEN = "\u{F5A00}"
const CLOSE = "\u{F5A01}"

const refused = (reason: string): RbeeError<"INVALID_REQUEST"> =>
  rbeeError("INVALID_REQUEST", `the model's chat template refuses these messages (${reason})`, "", { reason })

const refusedTools = (reason: string): RbeeError<"INVALID_REQUEST"> =>
  rbeeError(
    "INVALID_REQUEST",
    `the model's chat template cannot take tool calls and results (${reason})`,
    "Leave them out, or use a model that was made for tools",
    { reason }
  )

/** `<tool_call>`, `[INST]`, `<|im_start|>`: not words and spaces, which some vocabularies define by hand too */
const looksLikeMark = /[<>[\]|]/

/** the one line of a Jinja error that says something */
const reasonOf = (cause: unknown): string => {
  const text = cause instanceof Error ? cause.message : String(cause)
  const line = /(?:Jinja Exception|Error): *([^\n]*)$/m.exec(text)?.[1] ?? text.split("\n", 1).join("")
  return line.replace(/^Jinja Exception: /, "").trim()
}

/** For templates that know no system role: its text goes before the first user message. */
const withoutSystem = (messages: ReadonlyArray<TemplateMessage>): ReadonlyArray<TemplateMessage> => {
  const system = messages.filter((message) => message.role === "system").map((message) => message.content)
  const rest = messages.filter((message) => message.role !== "system")
  const [first, ...others] = rest
  if (first?.role !== "user") return [{ role: "user", content: system.join("\n\n") }, ...rest]
  return [{ role: "user", content: [...system, first.content].join("\n\n") }, ...others]
}

export class ChatTemplate {
  private readonly model: AddonModel
  private readonly jinja: AddonJinja | undefined
  private readonly broken: string | undefined

  constructor(addon: Addon, model: AddonModel, template: string | undefined) {
    this.model = model
    let jinja: AddonJinja | undefined
    let broken: string | undefined
    try {
      jinja = new addon.AddonJinjaRenderer(template ?? CHATML)
    } catch (cause) {
      // a plain prompt still works with such a model
      broken = reasonOf(cause)
    }
    this.jinja = jinja
    this.broken = broken
  }

  /** Throws RbeeError INVALID_REQUEST where the template refuses the messages. */
  tokens(input: GenerateRequest["input"]): Array<number> {
    // A raw prompt speaks to the model directly, control tokens included; the words of a chat do not.
    const tokens =
      input._tag === "Prompt" ? Array.from(this.model.tokenize(input.prompt, true)) : this.chat(input.messages)
    const bos = this.model.tokenBos()
    // Templates often write it themselves; twice is a different beginning from the one the model was trained on.
    if (bos >= 0 && this.model.shouldPrependBosToken() && tokens[0] !== bos) tokens.unshift(bos)
    return tokens
  }

  private chat(messages: ReadonlyArray<ChatMessage>): Array<number> {
    const literals: Array<string> = []
    const safe = messages.map((message) => templateMessage(message, (text) => this.neutral(text, literals)))
    const text = hasTools(safe) ? this.renderTools(safe) : this.render(safe)
    if (literals.length === 0) return Array.from(this.model.tokenize(text, true))
    const parts: Array<Uint32Array> = []
    let at = 0
    for (const match of text.matchAll(new RegExp(`${OPEN}(\\d+)${CLOSE}`, "gu"))) {
      if (match.index > at) parts.push(this.model.tokenize(text.slice(at, match.index), true))
      parts.push(this.plain(literals[Number(match[1])] ?? ""))
      at = match.index + match[0].length
    }
    if (at < text.length) parts.push(this.model.tokenize(text.slice(at), true))
    return parts.flatMap((part) => Array.from(part))
  }

  /** A mark as the text that it looks like: tokens that are user-defined are found in any text, so it is cut. */
  private plain(text: string): Uint32Array {
    const tokens = this.model.tokenize(text, false)
    const [first = ""] = text
    if (first.length === text.length || !tokens.some((token) => this.steers(token) !== undefined)) return tokens
    return Uint32Array.from([...this.model.tokenize(first, false), ...this.plain(text.slice(first.length))])
  }

  /** The spelling of a token that templates steer the model with. */
  private steers(token: number): string | undefined {
    const attributes = this.model.getTokenAttributes(token)
    if ((attributes & (CONTROL | USER_DEFINED)) === 0) return undefined
    const spelling = this.model.getTokenString(token) ?? ""
    return spelling !== "" && ((attributes & CONTROL) !== 0 || looksLikeMark.test(spelling)) ? spelling : undefined
  }

  /**
   * The content with each spelling of a control token replaced by a mark. Almost always there is none, and the whole
   * rendered text is tokenized at once, exactly as the model was trained.
   */
  private neutral(content: string, literals: Array<string>): string {
    let text = content.replaceAll(OPEN, "").replaceAll(CLOSE, "")
    const spellings = new Set<string>()
    for (const token of this.model.tokenize(text, true)) {
      const spelling = this.steers(token)
      if (spelling !== undefined) spellings.add(spelling)
    }
    // longest first, so that one spelling inside another is left to it
    for (const spelling of [...spellings].sort((a, b) => b.length - a.length)) {
      if (!text.includes(spelling)) continue
      text = text.replaceAll(spelling, `${OPEN}${literals.push(spelling) - 1}${CLOSE}`)
    }
    return text
  }

  /** A template that leaves a call or a result out without a word would have the model answer another conversation. */
  private renderTools(messages: ReadonlyArray<TemplateMessage>): string {
    try {
      const shown = shows(this.render(marked(messages)), messages)
      if (!shown.results) throw refused("it leaves the results out")
      return this.render(shown.calls ? messages : callsAsText(messages))
    } catch (cause) {
      const reason = cause instanceof RbeeError ? cause.details["reason"] : undefined
      throw refusedTools(typeof reason === "string" ? reason : reasonOf(cause))
    }
  }

  private render(messages: ReadonlyArray<TemplateMessage>): string {
    const jinja = this.jinja
    if (jinja === undefined) throw refused(this.broken ?? "it cannot be read")
    const spelling = (token: number): string => (token < 0 ? "" : (this.model.getTokenString(token) ?? ""))
    const run = (list: ReadonlyArray<TemplateMessage>): string =>
      jinja.render({
        messages: list,
        add_generation_prompt: true,
        bos_token: spelling(this.model.tokenBos()),
        eos_token: spelling(this.model.tokenEos())
      })
    try {
      return run(messages)
    } catch (cause) {
      if (!messages.some((message) => message.role === "system")) throw refused(reasonOf(cause))
    }
    try {
      return run(withoutSystem(messages))
    } catch (cause) {
      throw refused(reasonOf(cause))
    }
  }
}
