/** A conversation as the template of a dialect wants it. */
import * as Either from "effect/Either"
import { type RbeeError, rbeeError } from "../errors.ts"
import type { ChatMessage, Conversation, ReasoningWish } from "../vocabulary/conversation.ts"
import type { Dialect, Manner } from "./dialect.ts"
import type { TemplateInput, TemplateMessage } from "./template.ts"

/**
 * What the template is given, with the prompt for an answer. Refused where tools are asked for that it cannot tell the
 * model: leaving them out would have it answer another question.
 */
export const templateInput = (
  conversation: Conversation,
  dialect: Dialect
): Either.Either<TemplateInput, RbeeError<"INVALID_REQUEST">> => {
  const { continue_final_message, messages, reasoning, template_args: args = {} } = conversation
  const offered = offeredTools(conversation)
  const taken = Object.keys(args).find((name) => reserved.has(name))
  if (taken !== undefined)
    return Either.left(
      rbeeError("INVALID_REQUEST", `"${taken}" is no argument of a template: it is the conversation's own`, "", {
        field: "template_args"
      })
    )
  if (continue_final_message === true && !canGoOn(messages.at(-1)))
    return Either.left(
      rbeeError(
        "INVALID_REQUEST",
        "continue_final_message needs a last message of the assistant's, without calls",
        "End with the beginning of the answer, or leave the field out",
        { field: "continue_final_message" }
      )
    )
  if (offered.length > 0 && (dialect.tools === null || dialect.tools.told === false))
    return Either.left(
      rbeeError(
        "INVALID_REQUEST",
        `the model cannot be told of tools (${dialect.why ?? "its chat template leaves them out"})`,
        "Leave them out, or use a model that was made for tools",
        { field: "tools" }
      )
    )
  return Either.right({
    messages: messages.map((message) => templateMessage(message, dialect)),
    tools: offered.map(({ description = "", name, parameters = emptyObject }) => ({
      type: "function",
      function: { name, description, parameters }
    })),
    prompt: continue_final_message !== true,
    thinking: reasoning === undefined ? undefined : reasoning !== "off",
    args: { ...effortOf(reasoning), ...args }
  })
}

/** What the model is told that it may call. */
export const offeredTools = ({ tool_choice, tools = [] }: Pick<Conversation, "tool_choice" | "tools">) =>
  tool_choice === "none" ? [] : tools

/** Variables that hold the conversation itself. */
const reserved = new Set(["messages", "tools", "functions", "add_generation_prompt", "bos_token", "eos_token"])

const canGoOn = (last: ChatMessage | undefined): boolean =>
  last?.role === "assistant" && (last.tool_calls ?? []).length === 0

/** Of a tool that says nothing of its arguments. */
const emptyObject = { type: "object", properties: {} }

const effortOf = (reasoning: ReasoningWish | undefined): TemplateInput["args"] =>
  reasoning === undefined || reasoning === "off" || reasoning.effort === undefined
    ? {}
    : { reasoning_effort: reasoning.effort }

/** Where a template may look for reasoning that nobody learned of. */
const usualField = "reasoning_content"

const templateMessage = (message: ChatMessage, { manner, reasoning }: Dialect): TemplateMessage => {
  const { content: text, name, reasoning: thought, role, tool_call_id, tool_calls = [] } = message
  const calls = tool_calls.map((call) => ({
    id: call.id,
    type: "function" as const,
    function: {
      name: call.name,
      arguments: manner.arguments === "text" ? JSON.stringify(call.arguments) : call.arguments
    }
  }))
  const field = reasoning?.field ?? usualField
  const inParts = thought !== undefined && field === "parts"
  return {
    role,
    content: inParts ? contentParts(thought, text) : calls.length > 0 && text === "" ? silence(manner) : text,
    ...(name === undefined ? {} : { name }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...(tool_call_id === undefined ? {} : { tool_call_id }),
    ...(thought === undefined || inParts ? {} : { [field]: thought })
  }
}

/** Reasoning as a part of the content. */
export const contentParts = (thought: string, text: string) => [
  { type: "thinking", thinking: thought },
  { type: "text", text }
]

/** The content of a message that only calls. */
const silence = ({ content }: Manner): string | null => (content === "null" ? null : "")
