/** What is said to a model, whatever surface it came by: each surface decodes into it, and the worker renders it. */
import * as Schema from "effect/Schema"
import { Count } from "./common.ts"
import { ChatMessage } from "./job.ts"

/** A piece of a message's content. Images and sound are to come; until then each surface refuses them by name. */
export const ContentPart = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })
export type ContentPart = typeof ContentPart.Type

/** A message of a job is one whose content is text. */
export const ConversationMessage = Schema.Struct({
  ...ChatMessage.fields,
  content: Schema.Union(Schema.String, Schema.Array(ContentPart))
})
export type ConversationMessage = typeof ConversationMessage.Type

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

export const Conversation = Schema.Struct({
  messages: Schema.Array(ConversationMessage).pipe(Schema.minItems(1)),
  tools: Schema.optional(Schema.Array(Tool)),
  tool_choice: Schema.optional(ToolChoice),
  /** false: one call at most */
  parallel_tool_calls: Schema.optional(Schema.Boolean),
  response_format: Schema.optional(ResponseFormat),
  reasoning: Schema.optional(ReasoningWish),
  /** for the model's chat template, as it knows them */
  template_args: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
})
export type Conversation = typeof Conversation.Type

/** Parts as one text: some templates drop a list of them without a word. */
export const textOf = (content: ConversationMessage["content"]): string =>
  typeof content === "string" ? content : content.map(({ text }) => text).join("")
