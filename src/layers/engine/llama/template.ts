/** From messages or a prompt to the tokens that the model reads. */
import { rbeeError, type RbeeError } from "../../../machines/errors.ts"
import type { ChatMessage, GenerateRequest } from "../index.ts"
import { type Addon, type AddonJinja, type AddonModel, CONTROL } from "./addon.ts"

/** For a model that ships no chat template: ChatML, the format that most of them were trained on. */
const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

/** Stands for one control token's spelling in a user's text while the template runs: private-use characters. */
const OPEN = "\u{F5A00}"
const CLOSE = "\u{F5A01}"

const refused = (reason: string): RbeeError<"INVALID_REQUEST"> =>
  rbeeError("INVALID_REQUEST", `the model's chat template refuses these messages (${reason})`, "", { reason })

/** the one line of a Jinja error that says something */
const reasonOf = (cause: unknown): string => {
  const text = cause instanceof Error ? cause.message : String(cause)
  const line = /(?:Jinja Exception|Error): *([^\n]*)$/m.exec(text)?.[1] ?? text.split("\n", 1).join("")
  return line.replace(/^Jinja Exception: /, "").trim()
}

/** For templates that know no system role: its text goes before the first user message. */
const withoutSystem = (messages: ReadonlyArray<ChatMessage>): ReadonlyArray<ChatMessage> => {
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
    const safe = messages.map((message) => ({ ...message, content: this.neutral(message.content, literals) }))
    const text = this.render(safe)
    if (literals.length === 0) return Array.from(this.model.tokenize(text, true))
    const parts: Array<Uint32Array> = []
    let at = 0
    for (const match of text.matchAll(new RegExp(`${OPEN}(\\d+)${CLOSE}`, "gu"))) {
      if (match.index > at) parts.push(this.model.tokenize(text.slice(at, match.index), true))
      parts.push(this.model.tokenize(literals[Number(match[1])] ?? "", false))
      at = match.index + match[0].length
    }
    if (at < text.length) parts.push(this.model.tokenize(text.slice(at), true))
    return parts.flatMap((part) => Array.from(part))
  }

  /**
   * The content with each spelling of a control token replaced by a mark. Almost always there is none, and the whole
   * rendered text is tokenized at once, exactly as the model was trained.
   */
  private neutral(content: string, literals: Array<string>): string {
    let text = content.replaceAll(OPEN, "").replaceAll(CLOSE, "")
    const spellings = new Set<string>()
    for (const token of this.model.tokenize(text, true)) {
      if ((this.model.getTokenAttributes(token) & CONTROL) === 0) continue
      const spelling = this.model.getTokenString(token)
      if (spelling !== undefined && spelling !== "") spellings.add(spelling)
    }
    // longest first, so that one spelling inside another is left to it
    for (const spelling of [...spellings].sort((a, b) => b.length - a.length)) {
      if (!text.includes(spelling)) continue
      text = text.replaceAll(spelling, `${OPEN}${literals.push(spelling) - 1}${CLOSE}`)
    }
    return text
  }

  private render(messages: ReadonlyArray<ChatMessage>): string {
    const jinja = this.jinja
    if (jinja === undefined) throw refused(this.broken ?? "it cannot be read")
    const spelling = (token: number): string => (token < 0 ? "" : (this.model.getTokenString(token) ?? ""))
    const run = (list: ReadonlyArray<ChatMessage>): string =>
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
