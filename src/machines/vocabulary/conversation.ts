/** What is said to a model, whatever surface it came by: each surface decodes into it, and the worker renders it. */
import * as Schema from "effect/Schema"
import { isObject } from "../formats/json/is-object.ts"
import { Count } from "./common.ts"
import { Image } from "../formats/images.ts"

/** A tool's call in an assistant's message. */
export const ToolCall = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  arguments: Schema.Record({ key: Schema.String, value: Schema.Unknown })
})
export type ToolCall = typeof ToolCall.Type

/**
 * What a text of arguments says. A model may write what is no JSON object, or be cut off in the middle, and its client
 * gives that back with what came of it: it is kept as it is, under Anthropic's word for it.
 */
export const argumentsIn = (text: string): ToolCall["arguments"] => {
  if (text.trim() === "") return {}
  try {
    const given: unknown = JSON.parse(text)
    if (given === null) return {}
    if (isObject(given)) return given
  } catch {
    // no JSON
  }
  return { INVALID_JSON: text }
}

export const ChatMessage = Schema.Struct({
  /** `tool`: what a call gave */
  role: Schema.Literal("system", "user", "assistant", "tool"),
  content: Schema.String,
  /** in the order in which they stand in it */
  images: Schema.optional(Schema.Array(Image)),
  name: Schema.optional(Schema.String),
  /** what an assistant thought before it answered; templates that know it leave it out or write it */
  reasoning: Schema.optional(Schema.String),
  tool_calls: Schema.optional(Schema.Array(ToolCall)),
  /** of a tool's message: the call that it answers */
  tool_call_id: Schema.optional(Schema.String)
})
export type ChatMessage = typeof ChatMessage.Type

/** What the model may call. */
export const Tool = Schema.Struct({
  name: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(256)),
  description: Schema.optional(Schema.String),
  /** a JSON schema of the arguments; absent: anything */
  parameters: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  /** the arguments must fit the schema */
  strict: Schema.optional(Schema.Boolean)
})
export type Tool = typeof Tool.Type

/** Whether it has to: `{ name }`: that one. */
export const ToolChoice = Schema.Union(
  Schema.Literal("auto", "none", "required"),
  Schema.Struct({ name: Schema.String })
)
export type ToolChoice = typeof ToolChoice.Type

export const ResponseFormat = Schema.Union(
  Schema.Struct({ type: Schema.Literal("text", "json_object") }),
  Schema.Struct({
    type: Schema.Literal("json_schema"),
    name: Schema.optional(Schema.String),
    schema: Schema.Record({ key: Schema.String, value: Schema.Unknown })
  })
)
export type ResponseFormat = typeof ResponseFormat.Type

/** How much the model is to think before it answers; absent: as it likes. */
export const ReasoningWish = Schema.Union(
  Schema.Literal("off"),
  Schema.Struct({
    effort: Schema.optional(Schema.Literal("minimal", "low", "medium", "high")),
    /** tokens at most */
    budget: Schema.optional(Count)
  })
)
export type ReasoningWish = typeof ReasoningWish.Type

/** What a conversation is beside its messages: of a job, and of what a worker is asked. */
export const conversationFields = {
  tools: Schema.optional(Schema.Array(Tool).pipe(Schema.maxItems(512))),
  tool_choice: Schema.optional(ToolChoice),
  /** false: one call at most */
  parallel_tool_calls: Schema.optional(Schema.Boolean),
  response_format: Schema.optional(ResponseFormat),
  reasoning: Schema.optional(ReasoningWish),
  /** for the model's chat template, as it knows them */
  template_args: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  /** the last message, an assistant's, is the beginning of the answer, which goes on from there */
  continue_final_message: Schema.optional(Schema.Boolean)
} as const

export const Conversation = Schema.Struct({
  messages: Schema.Array(ChatMessage).pipe(Schema.minItems(1)),
  ...conversationFields
})
export type Conversation = typeof Conversation.Type

/** A call as an answer has it: what the model wrote may be no JSON, and is not lost for it. */
export const AnsweredCall = Schema.Struct({
  /** 9 letters and digits, the same for every reader; surfaces put a word of theirs before it */
  id: Schema.String,
  name: Schema.String,
  /** JSON, as text */
  arguments: Schema.String
})
export type AnsweredCall = typeof AnsweredCall.Type

/** What the model said, by what it means. */
export const AnswerMessage = Schema.Struct({
  content: Schema.String,
  reasoning: Schema.optional(Schema.String),
  tool_calls: Schema.optional(Schema.Array(AnsweredCall))
})
export type AnswerMessage = typeof AnswerMessage.Type
