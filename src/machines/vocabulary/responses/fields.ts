/**
 * Every field of a response's request that OpenAI has published (the types of its client, `ResponseCreateParamsBase`),
 * sorted as those of a chat are.
 */
import { sortBy } from "../openai/fields.ts"

export const served: ReadonlyArray<string> = [
  "model",
  "input",
  "instructions",
  "previous_response_id",
  "background",
  "store",
  "stream",
  "max_output_tokens",
  "temperature",
  "top_p",
  "top_logprobs",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "reasoning",
  "text",
  "include",
  "metadata"
]

/** Whatever stands in them, the answer is the same. */
export const harmless: ReadonlyArray<string> = [
  "user",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "service_tier",
  "stream_options",
  // of tools that are not here
  "max_tool_calls",
  // what does not fit is refused, as `disabled` has it: nothing is cut in silence
  "truncation"
]

/** What is not served, with the values that ask for nothing; null does so everywhere. */
export const unserved: Readonly<Record<string, ReadonlyArray<unknown>>> = {
  context_management: [[]],
  conversation: [],
  prompt: []
}

export const sortFields = sortBy({ served, harmless, unserved })
