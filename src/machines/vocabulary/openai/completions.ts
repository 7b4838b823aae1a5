/** OpenAI's completions: a text that goes on, without a chat template. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { type RbeeError, rbeeError } from "../../errors.ts"
import { FinishReason, samplingFields, TokenIds } from "../job.ts"
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
    add_generation_prompt: [true],
    continue_final_message: [false],
    response_format: [{ type: "text" }],
    top_logprobs: [0]
  }
}

export const sortCompletion = sortBy(completionFields)

/** A text, or its tokens; or several of them. */
const Prompt = Schema.Union(
  Schema.String,
  TokenIds,
  Schema.Array(Schema.Union(Schema.String, TokenIds)).pipe(Schema.minItems(1))
)

export const CompletionRequest = Schema.Struct({
  ...Struct.omit(ChatCompletionRequest.fields, "messages", "top_logprobs"),
  prompt: Prompt,
  echo: maybe(Schema.Boolean),
  /** what comes after the answer, which fills the middle; "" is none */
  suffix: maybe(Schema.String),
  logprobs: maybe(samplingFields.logprobs.from)
})
export type CompletionRequest = typeof CompletionRequest.Type

/** What is gone on with, one for each choice: a text, or tokens. */
export type Begun = string | typeof TokenIds.Type

const severalOf = (prompt: typeof Prompt.Type): ReadonlyArray<Begun> => {
  if (typeof prompt === "string") return [prompt]
  const texts = prompt.flatMap((one) => (typeof one === "number" ? [] : [one]))
  return texts.length > 0 ? texts : [prompt.flatMap((one) => (typeof one === "number" ? [one] : []))]
}

/** What to go on with, one for each choice; each comes `n` times. */
export const promptsOf = ({
  echo = false,
  n = 1,
  prompt,
  suffix = ""
}: CompletionRequest): Either.Either<ReadonlyArray<Begun>, RbeeError<"INVALID_REQUEST" | "UNSUPPORTED_PARAMETER">> => {
  const invalid = (what: string, more: object = {}) =>
    Either.left(rbeeError("INVALID_REQUEST", what, "", { field: "prompt", ...more }))
  const begun = severalOf(prompt)
  const hasTokens = begun.some((one) => typeof one !== "string")
  if (hasTokens && suffix !== "")
    return Either.left(unsupported("suffix", "a suffix is not supported where the prompt is tokens"))
  if (hasTokens && echo) return Either.left(unsupported("echo", "echo is not supported where the prompt is tokens"))
  if (suffix === "" && begun.includes("")) return invalid("prompt is empty")
  const count = begun.length * n
  if (count > choicesMost) return invalid(`${count} choices are asked for, over ${choicesMost}`, { max: choicesMost })
  return Either.right(begun.flatMap((one) => Array.from({ length: n }, () => one)))
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
