/** Anthropic's wire format, as much of it as rbee serves; what becomes of the other fields stands in fields.ts. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoder } from "../../formats/json/decode.ts"
import { AskedModel } from "../common.ts"
import type { RbeeError } from "../../errors.ts"
import { type DoneEvent, isStoppedInCall, type JobRequest, maxTokensMax, samplingFields, type Usage } from "../job.ts"
import { maybe } from "../openai/messages.ts"
import { AnthropicMessage, chatMessages, System } from "./messages.ts"
import { wishesOf, wishFields } from "./wishes.ts"

export const MessagesRequest = Schema.Struct({
  model: AskedModel,
  messages: Schema.Array(AnthropicMessage).pipe(Schema.minItems(1)),
  system: maybe(System),
  max_tokens: maybe(Schema.Int.pipe(Schema.nonNegative())),
  stream: maybe(Schema.Boolean),
  stop_sequences: maybe(Schema.Array(Schema.String).pipe(Schema.maxItems(16))),
  temperature: maybe(samplingFields.temperature.from),
  top_p: maybe(samplingFields.top_p.from),
  top_k: maybe(samplingFields.top_k.from),
  ...wishFields
})
export type MessagesRequest = typeof MessagesRequest.Type

export const decodeMessages = decoder(MessagesRequest)

export interface AskedJob {
  readonly job: Omit<JobRequest, "model" | "stream">
  /** what was left out of it */
  readonly ignored: ReadonlyArray<string>
}

/** The job that is asked for. */
export const jobOf = (
  asked: MessagesRequest
): Either.Either<AskedJob, RbeeError<"INVALID_REQUEST" | "UNSUPPORTED_PARAMETER">> =>
  Either.gen(function* () {
    const { messages, ignored } = yield* chatMessages(asked.system, asked.messages)
    const { ignored: tools, wishes } = yield* wishesOf(asked)
    const last = messages.at(-1)
    // the last word is an assistant's: the answer goes on from there
    const begun = last?.role === "assistant" && last.tool_calls === undefined
    return {
      job: { messages, ...wishes, ...(begun ? { continue_final_message: true } : {}), ...samplingOf(asked) },
      ignored: [...ignored, ...tools]
    }
  })

const samplingOf = ({ max_tokens, stop_sequences, temperature, top_k, top_p }: MessagesRequest) => ({
  ...(max_tokens === undefined || max_tokens > maxTokensMax ? {} : { max_tokens }),
  ...(temperature === undefined ? {} : { temperature }),
  ...(top_p === undefined ? {} : { top_p }),
  ...(top_k === undefined ? {} : { top_k }),
  ...(stop_sequences === undefined || stop_sequences.length === 0 ? {} : { stop: stop_sequences })
})

export const StopReason = Schema.Literal("end_turn", "max_tokens", "stop_sequence", "tool_use")
export type StopReason = typeof StopReason.Type

type Stopped = Pick<DoneEvent, "finish_reason" | "stop_sequence" | "message">

/** Why it ended. An answer that was cut short says that, whatever it called. */
export const stopOf = (stopped: Stopped, calls: number) => {
  const { finish_reason, stop_sequence } = stopped
  const why =
    calls > 0 && !isStoppedInCall(stopped) ? "tool_use" : stop_sequence === undefined ? "end_turn" : "stop_sequence"
  const stop_reason: StopReason = finish_reason === "length" ? "max_tokens" : why
  return { stop_reason, stop_sequence: stop_reason === "stop_sequence" ? (stop_sequence ?? null) : null }
}

export const AnthropicUsage = Schema.Struct({
  /** of the prompt, without those that were read before */
  input_tokens: Schema.Number,
  cache_creation_input_tokens: Schema.Number,
  cache_read_input_tokens: Schema.Number,
  output_tokens: Schema.Number
})
export type AnthropicUsage = typeof AnthropicUsage.Type

export const usageOf = ({ cached_tokens, completion_tokens, prompt_tokens }: Usage): AnthropicUsage => ({
  input_tokens: prompt_tokens - cached_tokens,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: cached_tokens,
  output_tokens: completion_tokens
})

/** Anthropic seals what its models thought; here there is nothing to seal. */
export const signature = "cmJlZQ=="

const TextBlock = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })
const ThinkingBlock = Schema.Struct({
  type: Schema.Literal("thinking"),
  thinking: Schema.String,
  signature: Schema.String
})
const ToolUseBlock = Schema.Struct({
  type: Schema.Literal("tool_use"),
  id: Schema.String,
  name: Schema.String,
  input: Schema.Record({ key: Schema.String, value: Schema.Unknown })
})
export const AnswerBlock = Schema.Union(TextBlock, ThinkingBlock, ToolUseBlock)
export type AnswerBlock = typeof AnswerBlock.Type

export const Message = Schema.Struct({
  id: Schema.String,
  type: Schema.Literal("message"),
  role: Schema.Literal("assistant"),
  model: Schema.String,
  content: Schema.Array(AnswerBlock),
  stop_reason: Schema.NullOr(StopReason),
  stop_sequence: Schema.NullOr(Schema.String),
  usage: AnthropicUsage
})
export type Message = typeof Message.Type

const Delta = Schema.Union(
  Schema.Struct({ type: Schema.Literal("text_delta"), text: Schema.String }),
  Schema.Struct({ type: Schema.Literal("thinking_delta"), thinking: Schema.String }),
  Schema.Struct({ type: Schema.Literal("signature_delta"), signature: Schema.String }),
  Schema.Struct({ type: Schema.Literal("input_json_delta"), partial_json: Schema.String })
)
export type Delta = typeof Delta.Type

const indexed = { index: Schema.Number }
/** What a stream carries, by the names of its events, which are also their types. */
export const messageEvents = {
  message_start: Schema.Struct({ type: Schema.Literal("message_start"), message: Message }),
  content_block_start: Schema.Struct({
    type: Schema.Literal("content_block_start"),
    ...indexed,
    content_block: AnswerBlock
  }),
  content_block_delta: Schema.Struct({ type: Schema.Literal("content_block_delta"), ...indexed, delta: Delta }),
  content_block_stop: Schema.Struct({ type: Schema.Literal("content_block_stop"), ...indexed }),
  message_delta: Schema.Struct({
    type: Schema.Literal("message_delta"),
    delta: Schema.Struct({ stop_reason: StopReason, stop_sequence: Schema.NullOr(Schema.String) }),
    /** of the whole answer, and of its prompt */
    usage: AnthropicUsage
  }),
  message_stop: Schema.Struct({ type: Schema.Literal("message_stop") }),
  ping: Schema.Struct({ type: Schema.Literal("ping") })
} as const
/** An event of a stream but its type, which is its name. */
export type EventData<Name extends keyof typeof messageEvents> = Schema.Schema.Type<(typeof messageEvents)[Name]>

export const TokenCount = Schema.Struct({ input_tokens: Schema.Number })

export const AnthropicModel = Schema.Struct({
  type: Schema.Literal("model"),
  id: Schema.String,
  display_name: Schema.String,
  /** ISO 8601 */
  created_at: Schema.String
})
export type AnthropicModel = typeof AnthropicModel.Type

export const AnthropicModels = Schema.Struct({
  data: Schema.Array(AnthropicModel),
  has_more: Schema.Literal(false),
  first_id: Schema.NullOr(Schema.String),
  last_id: Schema.NullOr(Schema.String)
})
export type AnthropicModels = typeof AnthropicModels.Type
