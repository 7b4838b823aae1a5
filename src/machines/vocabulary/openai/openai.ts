/** OpenAI's wire format, as much of it as rbee serves; what becomes of the other fields stands in openai-fields.ts. */
import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { decoder } from "../../formats/json/decode.ts"
import { AskedModel } from "../common.ts"
import * as Struct from "effect/Struct"
import {
  anySeed,
  FinishReason,
  type JobRequest,
  LogitBias,
  maxTokensMax,
  samplingFields,
  topLogprobsMax,
  type Usage
} from "../job.ts"
import { type RbeeError, rbeeError } from "../../errors.ts"
import { ChatLogprobs } from "./logprobs.ts"
import { Purpose } from "../model.ts"
import { isPlain, maybe, OpenAiMessage } from "./messages.ts"
import { openAiToolFields } from "./tools.ts"

/** -1: what there is room for */
const MaxTokens = Schema.Number.pipe(
  Schema.filter((value) => Number.isInteger(value) && value >= -1, {
    description: "a whole number, or -1 for what there is room for",
    jsonSchema: { type: "integer", minimum: -1 },
    arbitrary: () => (random) => random.integer({ min: -1 })
  })
)

/** As llama.cpp's users write it. */
const BiasPairs = Schema.Array(
  Schema.Tuple(Schema.Int.pipe(Schema.between(0, 999_999_999)), Schema.Number.pipe(Schema.between(-100, 100)))
).pipe(Schema.maxItems(1024))
const AnyBias = Schema.Union(LogitBias, BiasPairs)

/** Answers to one request. */
export const choicesMost = 128

export const ChatCompletionRequest = Schema.Struct({
  model: AskedModel,
  messages: Schema.Array(OpenAiMessage).pipe(Schema.minItems(1)),
  stream: maybe(Schema.Boolean),
  stream_options: maybe(
    Schema.Struct({ include_usage: maybe(Schema.Boolean), include_obfuscation: maybe(Schema.Boolean) })
  ),
  max_completion_tokens: maybe(MaxTokens),
  max_tokens: maybe(MaxTokens),
  temperature: maybe(samplingFields.temperature.from),
  top_p: maybe(samplingFields.top_p.from),
  top_k: maybe(samplingFields.top_k.from),
  min_p: maybe(samplingFields.min_p.from),
  xtc_probability: maybe(samplingFields.xtc_probability.from),
  xtc_threshold: maybe(samplingFields.xtc_threshold.from),
  repeat_penalty: maybe(samplingFields.repeat_penalty.from),
  presence_penalty: maybe(samplingFields.presence_penalty.from),
  frequency_penalty: maybe(samplingFields.frequency_penalty.from),
  repeat_last_n: maybe(samplingFields.repeat_last_n.from),
  dry_multiplier: maybe(samplingFields.dry_multiplier.from),
  dry_base: maybe(samplingFields.dry_base.from),
  dry_allowed_length: maybe(samplingFields.dry_allowed_length.from),
  dry_penalty_last_n: maybe(samplingFields.dry_penalty_last_n.from),
  dry_sequence_breakers: maybe(samplingFields.dry_sequence_breakers.from),
  logit_bias: maybe(AnyBias),
  seed: maybe(samplingFields.seed.from),
  stop: maybe(samplingFields.stop.from),
  ignore_eos: maybe(samplingFields.ignore_eos.from),
  logprobs: maybe(Schema.Boolean),
  top_logprobs: maybe(Schema.Int.pipe(Schema.between(0, topLogprobsMax))),
  /** llama.cpp's word for both */
  n_probs: maybe(Schema.Int.pipe(Schema.between(0, topLogprobsMax))),
  n: maybe(Schema.Int.pipe(Schema.between(1, choicesMost))),
  ...openAiToolFields
})
export type ChatCompletionRequest = typeof ChatCompletionRequest.Type

const decode = decoder(ChatCompletionRequest)

/** As the schema has it; plain messages are taken as they are, so that a chat of thousands holds nobody up. */
export const decodeChat = (
  asked: Readonly<Record<string, unknown>>
): Either.Either<ChatCompletionRequest, ParseResult.ParseError> => {
  const { messages } = asked
  if (!Array.isArray(messages)) return decode(asked)
  const others = messages.filter((message) => !isPlain(message))
  const some = decode({ ...asked, messages: others.length > 0 ? others : messages.slice(0, 1) })
  // what is wrong is told with its place among all of them
  if (Either.isLeft(some)) return decode(asked)
  let at = 0
  const whole = messages.flatMap((message) => (isPlain(message) ? [message] : some.right.messages.slice(at, ++at)))
  return Either.right({ ...some.right, messages: whole })
}

/** What is asked of the choices themselves. */
type OfChoices = "logprobs" | "top_logprobs" | "n_probs" | "n"

type Sampled = Omit<JobRequest, "model" | "messages" | "stream">

/** What a job calls as OpenAI's clients and llama.cpp's do. */
const alike = [
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "xtc_probability",
  "xtc_threshold",
  "repeat_penalty",
  "presence_penalty",
  "frequency_penalty",
  "repeat_last_n",
  "dry_multiplier",
  "dry_base",
  "dry_allowed_length",
  "dry_penalty_last_n",
  "dry_sequence_breakers",
  "stop",
  "ignore_eos"
] as const

/** Whether a chat's tokens come with their logprobs, and with how many of the likeliest ones. */
export const logprobsOf = ({
  logprobs = false,
  n_probs: n = 0,
  top_logprobs: top = 0
}: Pick<ChatCompletionRequest, "logprobs" | "n_probs" | "top_logprobs">): Either.Either<
  Pick<Sampled, "logprobs">,
  RbeeError<"INVALID_REQUEST">
> => {
  const isAsked = logprobs || n > 0
  if (!isAsked && top > 0)
    return Either.left(
      rbeeError("INVALID_REQUEST", "top_logprobs are asked for without logprobs", "Ask for logprobs too", {
        field: "top_logprobs"
      })
    )
  return Either.right(isAsked ? { logprobs: Math.max(top, n) } : {})
}

/** How the answer is drawn, as a job has it. */
export const samplingOf = (chat: Omit<ChatCompletionRequest, "messages" | OfChoices>): Sampled => {
  const { logit_bias: bias, max_completion_tokens, max_tokens, seed } = chat
  const tokens = max_completion_tokens ?? max_tokens
  return {
    ...(tokens === undefined || tokens < 0 || tokens > maxTokensMax ? {} : { max_tokens: tokens }),
    ...Struct.pick(chat, ...alike),
    ...(seed === undefined || seed === anySeed ? {} : { seed }),
    ...(bias === undefined ? {} : { logit_bias: isPairs(bias) ? Object.fromEntries(bias) : bias })
  }
}

const isPairs = (bias: typeof AnyBias.Type): bias is typeof BiasPairs.Type => Array.isArray(bias)

export const CompletionUsage = Schema.Struct({
  prompt_tokens: Schema.Number,
  completion_tokens: Schema.Number,
  total_tokens: Schema.Number,
  prompt_tokens_details: Schema.Struct({ cached_tokens: Schema.Number })
})
export type CompletionUsage = typeof CompletionUsage.Type

export const completionUsage = (usage: Usage): CompletionUsage => ({
  prompt_tokens: usage.prompt_tokens,
  completion_tokens: usage.completion_tokens,
  total_tokens: usage.prompt_tokens + usage.completion_tokens,
  prompt_tokens_details: { cached_tokens: usage.cached_tokens }
})

export const headFields = {
  id: Schema.String,
  /** seconds since 1970 */
  created: Schema.Number,
  model: Schema.String
}
/** An answer that ends with a call of a tool says so. */
export const ChatFinish = Schema.Union(FinishReason, Schema.Literal("tool_calls"))
export type ChatFinish = typeof ChatFinish.Type

/** What every object of one answer repeats. */
export interface CompletionHead extends Schema.Struct.Type<typeof headFields> {}

export const ChatCompletion = Schema.Struct({
  ...headFields,
  object: Schema.Literal("chat.completion"),
  choices: Schema.Array(
    Schema.Struct({
      index: Schema.Number,
      message: Schema.Struct({
        role: Schema.Literal("assistant"),
        /** null where it only calls */
        content: Schema.NullOr(Schema.String),
        refusal: Schema.Null,
        reasoning_content: Schema.optionalWith(Schema.String, { exact: true }),
        tool_calls: Schema.optionalWith(
          Schema.mutable(
            Schema.Array(
              Schema.Struct({
                id: Schema.String,
                type: Schema.Literal("function"),
                function: Schema.Struct({ name: Schema.String, arguments: Schema.String })
              })
            )
          ),
          { exact: true }
        )
      }),
      logprobs: Schema.NullOr(ChatLogprobs),
      finish_reason: ChatFinish
    })
  ),
  usage: CompletionUsage
})
export type ChatCompletion = typeof ChatCompletion.Type

export const ChatCompletionChunk = Schema.Struct({
  ...headFields,
  object: Schema.Literal("chat.completion.chunk"),
  choices: Schema.Array(
    Schema.Struct({
      index: Schema.Number,
      delta: Schema.Struct({
        role: Schema.optionalWith(Schema.Literal("assistant"), { exact: true }),
        content: Schema.optionalWith(Schema.NullOr(Schema.String), { exact: true }),
        reasoning_content: Schema.optionalWith(Schema.String, { exact: true }),
        /** a call's first has its id, type and name; those after it more of its arguments */
        tool_calls: Schema.optionalWith(
          Schema.mutable(
            Schema.Array(
              Schema.Struct({
                index: Schema.Number,
                id: Schema.optionalWith(Schema.String, { exact: true }),
                type: Schema.optionalWith(Schema.Literal("function"), { exact: true }),
                function: Schema.Struct({
                  name: Schema.optionalWith(Schema.String, { exact: true }),
                  arguments: Schema.String
                })
              })
            )
          ),
          { exact: true }
        )
      }),
      logprobs: Schema.NullOr(ChatLogprobs),
      finish_reason: Schema.NullOr(ChatFinish)
    })
  ),
  /** with `include_usage` null on all chunks but the last, which has no choices */
  usage: Schema.optionalWith(Schema.NullOr(CompletionUsage), { exact: true })
})
export type ChatCompletionChunk = typeof ChatCompletionChunk.Type

export const ModelCard = Schema.Struct({
  id: Schema.String,
  object: Schema.Literal("model"),
  created: Schema.Number,
  owned_by: Schema.String,
  /** tokens that it was trained on at once, where that is known */
  context_length: Schema.optionalWith(Schema.Number, { exact: true }),
  /** what it is for, where that is known */
  purpose: Schema.optionalWith(Purpose, { exact: true }),
  /** a name of the user's own: of this model */
  stands_for: Schema.optionalWith(Schema.String, { exact: true })
})
export type ModelCard = typeof ModelCard.Type

export const ModelList = Schema.Struct({ object: Schema.Literal("list"), data: Schema.Array(ModelCard) })
export type ModelList = typeof ModelList.Type
