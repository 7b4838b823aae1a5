/** OpenAI's interface, as its clients call it. */
import * as Schema from "effect/Schema"
import {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ModelCard,
  ModelList
} from "../../machines/vocabulary/openai/openai.ts"
import { endpoint } from "../endpoint.ts"
import { ofAnswering } from "../failures.ts"
import { none } from "../inputs.ts"
import { doneFrame, keepAliveComment } from "../sse.ts"
import { openAiEnvelope } from "./openai-error.ts"
import { bearer, ignoredHeader, type Surface } from "./surface.ts"

export const openAi: Surface = {
  name: "openai",
  prefix: "/v1",
  isPrefixNeeded: false,
  framing: { type: "text/event-stream", ends: "\n\n", opens: "", keepAlive: keepAliveComment, closes: doneFrame },
  authorization: bearer,
  envelope: openAiEnvelope
}

export const openAiApi = {
  v1Models: endpoint("GET", "/v1/models", {
    surface: openAi,
    scope: "infer",
    summary: "OpenAI: models",
    input: none,
    answers: { json: { 200: ModelList } }
  }),
  v1Model: endpoint("GET", "/v1/models/:ref", {
    surface: openAi,
    scope: "infer",
    summary: "OpenAI: one model",
    input: Schema.Struct({ ref: Schema.String }),
    answers: { json: { 200: ModelCard } },
    errors: ["MODEL_NOT_FOUND"]
  }),
  v1Chat: endpoint("POST", "/v1/chat/completions", {
    surface: openAi,
    scope: "infer",
    summary: "OpenAI: chat completion",
    input: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    documented: ChatCompletionRequest,
    answers: { json: { 200: ChatCompletion }, events: { message: ChatCompletionChunk } },
    errors: ofAnswering,
    tells: [ignoredHeader],
    maxBytes: 32 * 1024 * 1024
  })
} as const
