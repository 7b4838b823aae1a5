/**
 * Every field of a message's request that Anthropic has published (the types of its client, `MessageCreateParams`),
 * sorted as those of OpenAI's are: what is served, what is harmless, what is refused unless it asks for nothing. Fields
 * of its betas are left out, and said so: its clients send them to whoever answers.
 */
import { sortBy } from "../openai/fields.ts"

export const served: ReadonlyArray<string> = [
  "model",
  "messages",
  "max_tokens",
  "system",
  "stream",
  "stop_sequences",
  "temperature",
  "top_p",
  "top_k",
  "tools",
  "tool_choice",
  "thinking",
  "output_config",
  "output_format"
]

/** Whatever stands in them, the answer is the same. */
export const harmless: ReadonlyArray<string> = [
  "cache_control",
  "diagnostics",
  "inference_geo",
  "metadata",
  "service_tier",
  "speed",
  "user_profile_id",
  "workspace_id"
]

/** What is not served, with the values that ask for nothing; null does so everywhere. */
export const unserved: Readonly<Record<string, ReadonlyArray<unknown>>> = {
  container: [],
  // of betas: without them the answer would be to another question
  mcp_servers: [[]],
  thread: []
}

export const sortFields = sortBy({ served, harmless, unserved })
