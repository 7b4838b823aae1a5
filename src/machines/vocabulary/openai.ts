/** OpenAI's wire format, as much of it as rbee serves: the fields not named here are ignored. */
import * as Schema from "effect/Schema"
import { type ChatMessage, type FinishReason, samplingFields, type Usage } from "./job.ts"

/** Absent and null mean the same. */
const maybe = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { nullable: true })

const TextPart = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })

export const ChatCompletionRequest = Schema.Struct({
  model: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(512)),
  messages: Schema.Array(
    Schema.Struct({
      role: Schema.Literal("system", "developer", "user", "assistant"),
      content: Schema.Union(Schema.String, Schema.Array(TextPart))
    })
  ).pipe(Schema.minItems(1)),
  stream: maybe(Schema.Boolean),
  stream_options: maybe(Schema.Struct({ include_usage: maybe(Schema.Boolean) })),
  /** one answer a request */
  n: maybe(Schema.Literal(1)),
  max_completion_tokens: maybe(Schema.Int.pipe(Schema.between(1, 1_048_576))),
  max_tokens: maybe(Schema.Int.pipe(Schema.between(1, 1_048_576))),
  temperature: maybe(Schema.Number.pipe(Schema.between(0, 2))),
  top_p: maybe(Schema.Number.pipe(Schema.greaterThan(0), Schema.lessThanOrEqualTo(1))),
  seed: maybe(Schema.Int.pipe(Schema.between(0, 4_294_967_295))),
  stop: maybe(samplingFields.stop.from)
})
export type ChatCompletionRequest = typeof ChatCompletionRequest.Type

/** The messages as a job has them: parts joined, `developer` by its older name. */
export const chatMessages = (request: ChatCompletionRequest): ReadonlyArray<typeof ChatMessage.Type> =>
  request.messages.map(({ role, content }) => ({
    role: role === "developer" ? "system" : role,
    content: typeof content === "string" ? content : content.map(({ text }) => text).join("")
  }))

export interface CompletionUsage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
}
export const completionUsage = (usage: Usage): CompletionUsage => ({
  prompt_tokens: usage.prompt_tokens,
  completion_tokens: usage.completion_tokens,
  total_tokens: usage.prompt_tokens + usage.completion_tokens,
  prompt_tokens_details: { cached_tokens: usage.cached_tokens }
})

/** What every object of one answer repeats. */
export interface CompletionHead {
  readonly id: string
  /** seconds since 1970 */
  readonly created: number
  readonly model: string
}

export interface ChatCompletion extends CompletionHead {
  readonly object: "chat.completion"
  readonly choices: ReadonlyArray<{
    readonly index: 0
    readonly message: { readonly role: "assistant"; readonly content: string; readonly refusal: null }
    readonly logprobs: null
    readonly finish_reason: FinishReason
  }>
  readonly usage: CompletionUsage
}

export interface ChatCompletionChunk extends CompletionHead {
  readonly object: "chat.completion.chunk"
  readonly choices: ReadonlyArray<{
    readonly index: 0
    readonly delta: { readonly role?: "assistant"; readonly content?: string }
    readonly logprobs: null
    readonly finish_reason: FinishReason | null
  }>
  /** with `include_usage` null on all chunks but the last, which has no choices */
  readonly usage?: CompletionUsage | null
}

export interface ModelList {
  readonly object: "list"
  readonly data: ReadonlyArray<{
    readonly id: string
    readonly object: "model"
    readonly created: number
    readonly owned_by: string
  }>
}
