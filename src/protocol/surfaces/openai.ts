/** OpenAI's interface, as its clients call it. */
import * as Schema from "effect/Schema"
import { Completion, CompletionRequest } from "../../machines/vocabulary/openai/completions.ts"
import {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ModelCard,
  ModelList
} from "../../machines/vocabulary/openai/openai.ts"
import { AnthropicModel, AnthropicModels } from "../../machines/vocabulary/anthropic/anthropic.ts"
import { endpoint } from "../endpoint.ts"
import { ofAnswering } from "../failures.ts"
import { openAi } from "./openai-surface.ts"
import { ignoredHeader, versionHeader } from "./surface.ts"

/** What has the same path on Anthropic's interface is answered as its clients read it. */
const spoken = {
  fields: { anthropic_version: Schema.optional(Schema.String) },
  headers: { [versionHeader]: "anthropic_version" }
} as const

export const openAiApi = {
  v1Models: endpoint("GET", "/v1/models", {
    surface: openAi,
    scope: "infer",
    summary: "OpenAI, Anthropic: models",
    input: Schema.Struct(spoken.fields),
    headers: spoken.headers,
    answers: { json: { 200: Schema.Union(ModelList, AnthropicModels) } }
  }),
  v1Model: endpoint("GET", "/v1/models/:ref", {
    surface: openAi,
    scope: "infer",
    summary: "OpenAI, Anthropic: one model",
    input: Schema.Struct({ ref: Schema.String, ...spoken.fields }),
    headers: spoken.headers,
    answers: { json: { 200: Schema.Union(ModelCard, AnthropicModel) } },
    errors: ["MODEL_NOT_FOUND"]
  }),
  v1Completions: endpoint("POST", "/v1/completions", {
    surface: openAi,
    scope: "infer",
    summary: "OpenAI: a text goes on, as it is",
    input: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    documented: CompletionRequest,
    answers: { json: { 200: Completion }, events: { message: Completion } },
    errors: ofAnswering,
    tells: [ignoredHeader],
    maxBytes: 32 * 1024 * 1024
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
