/** OpenAI's interface, as its clients call it. */
import * as Schema from "effect/Schema"
import { ChatCompletionRequest } from "../../machines/vocabulary/openai/openai.ts"
import { reply } from "../endpoint.ts"
import { none } from "../inputs.ts"

export const openAiApi = {
  v1Models: reply("GET", "/v1/models", { scope: "infer", summary: "OpenAI: models", input: none }),
  v1Model: reply("GET", "/v1/models/:ref", {
    scope: "infer",
    summary: "OpenAI: one model",
    input: Schema.Struct({ ref: Schema.String })
  }),
  v1Chat: reply("POST", "/v1/chat/completions", {
    scope: "infer",
    summary: "OpenAI: chat completion",
    input: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    documented: ChatCompletionRequest,
    maxBytes: 32 * 1024 * 1024
  })
} as const
