/** What a conversation is, and how its answers grow; as it is kept, too. */
import { isObject } from "../../machines/formats/json/is-object.ts"
import { maybeNumber, maybeText, objects, text } from "../kit/fields.ts"

export interface Asked {
  readonly role: "user"
  readonly content: string
}

export type AnswerState = "running" | "done" | "stopped" | "failed"

export interface Call {
  readonly name: string
  readonly arguments: string
}

export interface Answer {
  readonly role: "assistant"
  readonly content: string
  readonly reasoning: string
  readonly calls: ReadonlyArray<Call>
  readonly state: AnswerState
  readonly model: string
  /** whose events it is; undefined: nobody has taken it in yet */
  readonly job?: string | undefined
  /** what is happening while no token comes, or why it ended */
  readonly note?: string | undefined
  /** how often it went on elsewhere */
  readonly failovers: number
  readonly tokens: number
  readonly tokensPerS?: number | undefined
}

export type Turn = Asked | Answer

export interface Parameters {
  readonly system: string
  /** absent: as the model likes */
  readonly temperature?: number | undefined
  readonly maxTokens?: number | undefined
}

export interface Conversation {
  readonly id: string
  readonly title: string
  readonly model: string
  readonly parameters: Parameters
  readonly turns: ReadonlyArray<Turn>
  /** milliseconds since 1970 */
  readonly changedAt: number
}

const titleMax = 48

export const titleOf = (text: string): string => {
  const [first = ""] = text.trim().split("\n")
  return first.length <= titleMax ? first : `${first.slice(0, titleMax - 1)}…`
}

export const newAnswer = (model: string): Answer => ({
  role: "assistant",
  content: "",
  reasoning: "",
  calls: [],
  state: "running",
  model,
  failovers: 0,
  tokens: 0
})

/** The messages of a job, as `POST /jobs` takes them: what was thought, and what came to nothing, is not said again. */
export const messagesOf = ({ parameters, turns }: Conversation): ReadonlyArray<{ role: string; content: string }> => [
  ...(parameters.system.trim() === "" ? [] : [{ role: "system", content: parameters.system }]),
  ...turns.filter((turn) => turn.role === "user" || turn.content !== "").map(({ content, role }) => ({ role, content }))
]

/** Models that think write it between these marks; the answer's end says for certain what was what. */
const marks = { open: "<think>", close: "</think>" } as const

/** Of a text that is still coming: what is thought, and what is said. */
export const splitThought = (text: string): Pick<Answer, "content" | "reasoning"> => {
  const begun = text.trimStart()
  if (!begun.startsWith(marks.open)) return { content: marks.open.startsWith(begun) ? "" : text, reasoning: "" }
  const [reasoning = "", ...said] = begun.slice(marks.open.length).split(marks.close)
  return { reasoning: reasoning.trim(), content: said.join(marks.close).trimStart() }
}

/** The parts of the answer that `done` tells apart; undefined: it is its text, as it came. */
export const partsOf = (message: unknown): Pick<Answer, "content" | "reasoning" | "calls"> | undefined => {
  if (!isObject(message)) return undefined
  const calls = objects(message["tool_calls"])
  return {
    content: text(message["content"]),
    reasoning: text(message["reasoning"]),
    calls: calls.map((call) => ({ name: text(call["name"]), arguments: text(call["arguments"]) }))
  }
}

const readTurn = (value: unknown): Turn | undefined => {
  if (!isObject(value)) return undefined
  if (value["role"] === "user") return { role: "user", content: text(value["content"]) }
  if (value["role"] !== "assistant") return undefined
  const state = (["running", "done", "stopped", "failed"] as const).find((one) => one === value["state"]) ?? "failed"
  return {
    ...newAnswer(text(value["model"])),
    ...partsOf({ ...value, tool_calls: value["calls"] }),
    state,
    job: maybeText(value["job"]),
    note: maybeText(value["note"]),
    failovers: maybeNumber(value["failovers"]) ?? 0,
    tokens: maybeNumber(value["tokens"]) ?? 0,
    tokensPerS: maybeNumber(value["tokensPerS"])
  }
}

/** As it was kept; undefined: it is none. */
export const readConversation = (value: unknown): Conversation | undefined => {
  if (!isObject(value) || typeof value["id"] !== "string" || !Array.isArray(value["turns"])) return undefined
  const parameters = isObject(value["parameters"]) ? value["parameters"] : {}
  return {
    id: value["id"],
    title: text(value["title"]),
    model: text(value["model"]),
    parameters: {
      system: text(parameters["system"]),
      temperature: maybeNumber(parameters["temperature"]),
      maxTokens: maybeNumber(parameters["maxTokens"])
    },
    turns: value["turns"].flatMap((turn) => readTurn(turn) ?? []),
    changedAt: maybeNumber(value["changedAt"]) ?? 0
  }
}

/** For a file: as Markdown. */
export const asMarkdown = ({ title, turns }: Conversation): string =>
  [`# ${title}`, ...turns.map(({ content, role }) => `**${role === "user" ? "You" : "Model"}**\n\n${content}`)].join(
    "\n\n"
  )
