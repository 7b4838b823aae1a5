/** OpenAI's completions: a text that goes on, without a chat template. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { type RbeeError, rbeeError } from "../../errors.ts"
import { FinishReason, samplingFields } from "../job.ts"
import { type FieldLists, harmless, served, sortBy, unserved, unsupported } from "./fields.ts"
import { maybe } from "./messages.ts"
import { ChatCompletionRequest, choicesMost, CompletionUsage, headFields } from "./openai.ts"
import { TextLogprobs } from "./logprobs.ts"
import { openAiToolFields } from "./tools.ts"

/** What has no meaning without a chat. */
const ofChats = new Set(["messages", "top_logprobs", ...Object.keys(openAiToolFields)])

/** Published as those of a chat are (fields.ts), by the same makers. */
export const completionFields: FieldLists = {
  served: [...served.filter((field) => !ofChats.has(field)), "echo", "prompt", "suffix"],
  harmless,
  unserved: {
    ...Object.fromEntries(Object.entries(unserved).filter(([field]) => field !== "echo")),
    response_format: [{ type: "text" }],
    top_logprobs: [0]
  }
}

export const sortCompletion = sortBy(completionFields)

/** Tokens in place of texts are refused by name. */
const Prompt = Schema.Union(
  Schema.String,
  Schema.Array(Schema.Union(Schema.String, Schema.Number, Schema.Array(Schema.Number)))
)

const { messages: _, top_logprobs: __, ...fields } = ChatCompletionRequest.fields

export const CompletionRequest = Schema.Struct({
  ...fields,
  prompt: Prompt,
  echo: maybe(Schema.Boolean),
  /** what comes after the answer, which fills the middle; "" is none */
  suffix: maybe(Schema.String),
  logprobs: maybe(samplingFields.logprobs.from)
})
export type CompletionRequest = typeof CompletionRequest.Type

/** The texts to go on with, one for each choice; each comes `n` times. */
export const promptsOf = ({
  n = 1,
  prompt,
  suffix = ""
}: CompletionRequest): Either.Either<ReadonlyArray<string>, RbeeError<"INVALID_REQUEST" | "UNSUPPORTED_PARAMETER">> => {
  const invalid = (what: string, more: object = {}) =>
    Either.left(rbeeError("INVALID_REQUEST", what, "", { field: "prompt", ...more }))
  const texts = typeof prompt === "string" ? [prompt] : prompt
  if (!texts.every((text) => typeof text === "string"))
    return Either.left(unsupported("prompt", "prompt has ids of tokens; only text is supported"))
  if (texts.length === 0 || (suffix === "" && texts.includes(""))) return invalid("prompt is empty")
  const count = texts.length * n
  if (count > choicesMost) return invalid(`${count} choices are asked for, over ${choicesMost}`, { max: choicesMost })
  return Either.right(texts.flatMap((text) => Array.from({ length: n }, () => text)))
}

/** Of a completion, and of each chunk of one; one chunk of `include_usage` has no choices. */
export const Completion = Schema.Struct({
  ...headFields,
  object: Schema.Literal("text_completion"),
  choices: Schema.Array(
    Schema.Struct({
      text: Schema.String,
      index: Schema.Number,
      logprobs: Schema.NullOr(TextLogprobs),
      finish_reason: Schema.NullOr(FinishReason)
    })
  ),
  usage: Schema.optionalWith(Schema.NullOr(CompletionUsage), { exact: true })
})
export type Completion = typeof Completion.Type
