/** A response and its events, as OpenAI's clients read them. */
import * as Schema from "effect/Schema"
import { ChatLogprobs } from "../openai/logprobs.ts"
import type { Usage } from "../job.ts"

const Json = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const ItemStatus = Schema.Literal("in_progress", "completed", "incomplete")

export const TextPart = Schema.Struct({
  type: Schema.Literal("output_text"),
  text: Schema.String,
  annotations: Schema.Tuple(),
  logprobs: ChatLogprobs.fields.content
})
const ReasoningPart = Schema.Struct({ type: Schema.Literal("reasoning_text"), text: Schema.String })
const SummaryPart = Schema.Struct({ type: Schema.Literal("summary_text"), text: Schema.String })

const MessageItem = Schema.Struct({
  type: Schema.Literal("message"),
  id: Schema.String,
  status: ItemStatus,
  role: Schema.Literal("assistant"),
  content: Schema.Array(TextPart)
})
const ReasoningItem = Schema.Struct({
  type: Schema.Literal("reasoning"),
  id: Schema.String,
  status: ItemStatus,
  summary: Schema.Array(SummaryPart),
  content: Schema.optionalWith(Schema.Array(ReasoningPart), { exact: true }),
  encrypted_content: Schema.optionalWith(Schema.String, { exact: true })
})
const CallItem = Schema.Struct({
  type: Schema.Literal("function_call"),
  id: Schema.String,
  status: ItemStatus,
  call_id: Schema.String,
  name: Schema.String,
  arguments: Schema.String
})
export const OutputItem = Schema.Union(MessageItem, ReasoningItem, CallItem)
export type OutputItem = typeof OutputItem.Type

export const ResponseUsage = Schema.Struct({
  input_tokens: Schema.Number,
  input_tokens_details: Schema.Struct({ cached_tokens: Schema.Number }),
  output_tokens: Schema.Number,
  output_tokens_details: Schema.Struct({ reasoning_tokens: Schema.Number }),
  total_tokens: Schema.Number
})
export type ResponseUsage = typeof ResponseUsage.Type

export const usageOf = ({ cached_tokens, completion_tokens, prompt_tokens }: Usage): ResponseUsage => ({
  input_tokens: prompt_tokens,
  input_tokens_details: { cached_tokens },
  output_tokens: completion_tokens,
  // tokens are not counted by what they mean
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: prompt_tokens + completion_tokens
})

export const ResponseStatus = Schema.Literal("queued", "in_progress", "completed", "incomplete", "failed", "cancelled")
export type ResponseStatus = typeof ResponseStatus.Type

export const Response = Schema.Struct({
  id: Schema.String,
  object: Schema.Literal("response"),
  /** seconds since 1970 */
  created_at: Schema.Number,
  completed_at: Schema.NullOr(Schema.Number),
  status: ResponseStatus,
  background: Schema.Boolean,
  store: Schema.Boolean,
  error: Schema.NullOr(Schema.Struct({ code: Schema.String, message: Schema.String })),
  incomplete_details: Schema.NullOr(Schema.Struct({ reason: Schema.Literal("max_output_tokens") })),
  model: Schema.String,
  output: Schema.Array(OutputItem),
  previous_response_id: Schema.NullOr(Schema.String),
  usage: Schema.NullOr(ResponseUsage),
  // as they were asked for
  instructions: Schema.NullOr(Schema.String),
  max_output_tokens: Schema.NullOr(Schema.Number),
  metadata: Json,
  parallel_tool_calls: Schema.Boolean,
  reasoning: Json,
  temperature: Schema.NullOr(Schema.Number),
  text: Json,
  tool_choice: Schema.Unknown,
  tools: Schema.Array(Json),
  top_p: Schema.NullOr(Schema.Number),
  truncation: Schema.String
}).pipe(Schema.extend(Schema.Record({ key: Schema.String, value: Schema.Unknown })))
export type Response = typeof Response.Type

const sequenced = { sequence_number: Schema.Number }
const ofResponse = <const Type extends string>(type: Type) =>
  Schema.Struct({ type: Schema.Literal(type), ...sequenced, response: Response })
const ofItem = <const Type extends string>(type: Type) =>
  Schema.Struct({ type: Schema.Literal(type), ...sequenced, output_index: Schema.Number, item: OutputItem })
const within = <const Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({
    type: Schema.Literal(type),
    ...sequenced,
    item_id: Schema.String,
    output_index: Schema.Number,
    ...fields
  })
const content = { content_index: Schema.Number }
const summary = { summary_index: Schema.Number }
const logprobs = { logprobs: ChatLogprobs.fields.content }
const part = Schema.Union(TextPart, ReasoningPart)

/** What a stream carries, by the names of its events, which are also their types. */
export const responseEvents = {
  "response.created": ofResponse("response.created"),
  "response.queued": ofResponse("response.queued"),
  "response.in_progress": ofResponse("response.in_progress"),
  "response.output_item.added": ofItem("response.output_item.added"),
  "response.output_item.done": ofItem("response.output_item.done"),
  "response.content_part.added": within("response.content_part.added", { ...content, part }),
  "response.content_part.done": within("response.content_part.done", { ...content, part }),
  "response.output_text.delta": within("response.output_text.delta", { ...content, ...logprobs, delta: Schema.String }),
  "response.output_text.done": within("response.output_text.done", { ...content, ...logprobs, text: Schema.String }),
  "response.reasoning_text.delta": within("response.reasoning_text.delta", { ...content, delta: Schema.String }),
  "response.reasoning_text.done": within("response.reasoning_text.done", { ...content, text: Schema.String }),
  "response.reasoning_summary_part.added": within("response.reasoning_summary_part.added", {
    ...summary,
    part: SummaryPart
  }),
  "response.reasoning_summary_part.done": within("response.reasoning_summary_part.done", {
    ...summary,
    part: SummaryPart
  }),
  "response.reasoning_summary_text.delta": within("response.reasoning_summary_text.delta", {
    ...summary,
    delta: Schema.String
  }),
  "response.reasoning_summary_text.done": within("response.reasoning_summary_text.done", {
    ...summary,
    text: Schema.String
  }),
  "response.function_call_arguments.delta": within("response.function_call_arguments.delta", { delta: Schema.String }),
  "response.function_call_arguments.done": within("response.function_call_arguments.done", {
    name: Schema.String,
    arguments: Schema.String
  }),
  "response.completed": ofResponse("response.completed"),
  "response.incomplete": ofResponse("response.incomplete"),
  "response.failed": ofResponse("response.failed")
} as const
export type ResponseEvent = {
  [K in keyof typeof responseEvents]: Schema.Schema.Type<(typeof responseEvents)[K]>
}[keyof typeof responseEvents]

/** Items that were asked with, as they were given. */
export const InputItems = Schema.Struct({
  object: Schema.Literal("list"),
  data: Schema.Array(Json),
  first_id: Schema.NullOr(Schema.String),
  last_id: Schema.NullOr(Schema.String),
  has_more: Schema.Boolean
})

export const DeletedResponse = Schema.Struct({
  id: Schema.String,
  object: Schema.Literal("response"),
  deleted: Schema.Literal(true)
})
