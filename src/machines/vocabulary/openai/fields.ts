/**
 * Every field of a chat completion that somebody has published, sorted (three classes, and no fourth): what is served,
 * what is harmless, and what is neither, which is refused by its name unless it asks for nothing. A field that nobody
 * has published is left out, and said so.
 *
 * Where the lists are from: OpenAI's from the types of its client, `ChatCompletionCreateParamsBase`; llama.cpp's from
 * the documentation of its server; vLLM's from that of its `ChatCompletionRequest`.
 */
import * as Either from "effect/Either"
import { type RbeeError, rbeeError } from "../../errors.ts"

export const served: ReadonlyArray<string> = [
  "model",
  "messages",
  "stream",
  "stream_options",
  "max_tokens",
  "max_completion_tokens",
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
  "logit_bias",
  "seed",
  "stop",
  "ignore_eos",
  "logprobs",
  "top_logprobs",
  "n_probs",
  "n",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "response_format",
  "reasoning_effort",
  "chat_template_kwargs",
  "continue_final_message",
  "add_generation_prompt"
]

/** Whatever stands in them, the answer is the same. */
export const harmless: ReadonlyArray<string> = [
  "user",
  "safety_identifier",
  "metadata",
  "store",
  "prompt_cache_key",
  "verbosity",
  "service_tier",
  "cache_prompt",
  "timings_per_token"
]

/** What is not served, with the values that ask for nothing; null does so everywhere. */
export const unserved: Readonly<Record<string, ReadonlyArray<unknown>>> = {
  // OpenAI
  audio: [],
  function_call: ["none", "auto"],
  functions: [[]],
  modalities: [["text"]],
  prediction: [],
  prompt_cache_retention: ["in-memory", "in_memory"],
  web_search_options: [],
  // llama.cpp
  dynatemp_exponent: [1],
  dynatemp_range: [0],
  grammar: [""],
  id_slot: [-1],
  json_schema: [],
  lora: [[]],
  min_keep: [0],
  mirostat: [0],
  mirostat_eta: [0.1],
  mirostat_tau: [5],
  n_discard: [0],
  n_indent: [0],
  n_keep: [0],
  n_predict: [-1],
  post_sampling_probs: [false],
  reasoning_format: ["auto", "none"],
  response_fields: [[]],
  return_progress: [false],
  return_tokens: [false],
  samplers: [],
  t_max_predict_ms: [0],
  thinking_budget_tokens: [-1],
  thinking_forced_open: [false],
  top_n_sigma: [-1],
  typical_p: [1],
  // vLLM
  add_special_tokens: [false],
  allowed_token_ids: [[]],
  bad_words: [[]],
  best_of: [1],
  chat_template: [],
  documents: [[]],
  echo: [false],
  guided_choice: [],
  guided_grammar: [],
  guided_json: [],
  guided_regex: [],
  include_stop_str_in_output: [false],
  length_penalty: [1],
  min_tokens: [0],
  mm_processor_kwargs: [{}],
  priority: [0],
  prompt_logprobs: [0],
  repetition_penalty: [1],
  return_token_ids: [false],
  return_tokens_as_token_ids: [false],
  skip_special_tokens: [true],
  spaces_between_special_tokens: [true],
  stop_token_ids: [[]],
  structured_outputs: [],
  truncate_prompt_tokens: [],
  use_beam_search: [false]
}

type Fields = Readonly<Record<string, unknown>>

export interface Sorted {
  /** what is served, of what was asked */
  readonly asked: Fields
  /** names of fields that nobody has published */
  readonly ignored: ReadonlyArray<string>
}

export const unsupported = (param: string, what = `${param} is not supported`): RbeeError<"UNSUPPORTED_PARAMETER"> =>
  rbeeError("UNSUPPORTED_PARAMETER", what, "Leave it out", { field: param })

/** The published fields of one kind of request. */
export interface FieldLists {
  readonly served: ReadonlyArray<string>
  readonly harmless: ReadonlyArray<string>
  readonly unserved: Readonly<Record<string, ReadonlyArray<unknown>>>
}

/** `within`: what stands before a name where the fields are not the body's own. */
export const sortBy =
  ({ harmless, served, unserved }: FieldLists, within = "") =>
  (body: Fields): Either.Either<Sorted, RbeeError<"UNSUPPORTED_PARAMETER">> => {
    const asked: Record<string, unknown> = {}
    const ignored: Array<string> = []
    for (const [name, value] of Object.entries(body)) {
      if (served.includes(name)) asked[name] = value
      else if (Object.hasOwn(unserved, name)) {
        if (!asksNothing(value, unserved[name] ?? [])) return Either.left(unsupported(`${within}${name}`))
      } else if (!harmless.includes(name)) ignored.push(`${within}${name}`)
    }
    return Either.right({ asked, ignored })
  }

export const sortFields = sortBy({ served, harmless, unserved })

const asksNothing = (value: unknown, nothings: ReadonlyArray<unknown>): boolean =>
  value === null || value === undefined || nothings.some((nothing) => isEqual(value, nothing))

/** The nothings are small and flat; what a client sends may be of any depth, and is not walked further. */
const isEqual = (value: unknown, nothing: unknown): boolean => {
  if (typeof nothing !== "object" || nothing === null) return value === nothing
  if (typeof value !== "object" || value === null || Array.isArray(value) !== Array.isArray(nothing)) return false
  const wanted = Object.entries(nothing)
  return (
    Object.keys(value).length === wanted.length &&
    wanted.every(([key, one]) => Object.getOwnPropertyDescriptor(value, key)?.value === one)
  )
}
