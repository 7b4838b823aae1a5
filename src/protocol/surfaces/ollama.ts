/** Ollama's interface, as its clients call it. */
import * as Schema from "effect/Schema"
import { OllamaChatAnswer, OllamaGenerateAnswer, OllamaProgress } from "../../machines/vocabulary/ollama/answers.ts"
import {
  OllamaEmbedded,
  OllamaEmbedding,
  OllamaEmbeddingRequest,
  OllamaEmbedRequest
} from "../../machines/vocabulary/ollama/embeddings.ts"
import { OllamaPs, OllamaShown, OllamaTags } from "../../machines/vocabulary/ollama/models.ts"
import {
  OllamaChatRequest,
  OllamaCopyRequest,
  OllamaGenerateRequest,
  OllamaModelRequest,
  OllamaPullRequest
} from "../../machines/vocabulary/ollama/requests.ts"
import { Nothing } from "../../machines/vocabulary/common.ts"
import { endpoint } from "../endpoint.ts"
import { ofAnswering, ofFetching, ofOwnedHive, ofStarting, ofStore, ofWaking } from "../failures.ts"
import { none } from "../inputs.ts"
import { ollama, running } from "./ollama-surface.ts"
import { ignoredHeader } from "./surface.ts"

/** Of a port that is for Ollama's clients. */
export const ollamaHomeApi = {
  ollamaHome: endpoint("GET", "/", {
    surface: ollama,
    scope: "open",
    summary: "Ollama: somebody is there",
    input: none,
    answers: { text: { 200: running.type } }
  })
} as const

/** Handlers decode it themselves: fields are sorted first. */
const asked = Schema.Record({ key: Schema.String, value: Schema.Unknown })
/** A prompt of any length that some model takes. */
const longBody = 32 * 1024 * 1024

const answeringApi = {
  ollamaChat: endpoint("POST", "/api/chat", {
    surface: ollama,
    scope: "infer",
    summary: "Ollama: chat; without messages a model is loaded, or unloaded",
    input: asked,
    documented: OllamaChatRequest,
    answers: { json: { 200: OllamaChatAnswer }, events: { message: OllamaChatAnswer } },
    errors: ofAnswering,
    tells: [ignoredHeader],
    maxBytes: longBody
  }),
  ollamaGenerate: endpoint("POST", "/api/generate", {
    surface: ollama,
    scope: "infer",
    summary: "Ollama: an answer to a prompt; without one a model is loaded, or unloaded",
    input: asked,
    documented: OllamaGenerateRequest,
    answers: { json: { 200: OllamaGenerateAnswer }, events: { message: OllamaGenerateAnswer } },
    errors: ofAnswering,
    tells: [ignoredHeader],
    maxBytes: longBody
  }),
  ollamaEmbed: endpoint("POST", "/api/embed", {
    surface: ollama,
    scope: "infer",
    summary: "Ollama: a vector for each text",
    input: asked,
    documented: OllamaEmbedRequest,
    answers: { json: { 200: OllamaEmbedded }, headed: true },
    errors: ofAnswering,
    tells: [ignoredHeader],
    maxBytes: longBody
  }),
  ollamaEmbeddings: endpoint("POST", "/api/embeddings", {
    surface: ollama,
    scope: "infer",
    summary: "Ollama: the vector of one text, as older clients ask for it",
    input: asked,
    documented: OllamaEmbeddingRequest,
    answers: { json: { 200: OllamaEmbedding }, headed: true },
    errors: ofAnswering,
    tells: [ignoredHeader],
    maxBytes: longBody
  })
} as const

const modelsApi = {
  ollamaTags: endpoint("GET", "/api/tags", {
    surface: ollama,
    scope: "infer",
    summary: "Ollama: models",
    input: none,
    answers: { json: { 200: OllamaTags } }
  }),
  ollamaPs: endpoint("GET", "/api/ps", {
    surface: ollama,
    scope: "infer",
    summary: "Ollama: models that are loaded",
    input: none,
    answers: { json: { 200: OllamaPs } }
  }),
  ollamaShow: endpoint("POST", "/api/show", {
    surface: ollama,
    scope: "infer",
    summary: "Ollama: one model",
    input: asked,
    documented: OllamaModelRequest,
    answers: { json: { 200: OllamaShown } },
    errors: ["MODEL_NOT_FOUND", "UNSUPPORTED_PARAMETER"]
  }),
  ollamaPull: endpoint("POST", "/api/pull", {
    surface: ollama,
    scope: "manage",
    summary: "Ollama: fetch a model",
    input: asked,
    documented: OllamaPullRequest,
    answers: { json: { 200: OllamaProgress }, events: { message: OllamaProgress } },
    errors: [...ofWaking, ...ofFetching, ...ofStarting, "UNSUPPORTED_PARAMETER"],
    tells: [ignoredHeader]
  }),
  ollamaDelete: endpoint("DELETE", "/api/delete", {
    surface: ollama,
    scope: "manage",
    summary: "Ollama: remove a model",
    input: OllamaModelRequest,
    bodied: true,
    answers: { json: { 200: Nothing } },
    errors: [...ofOwnedHive, ...ofStore, "HIVE_NOT_FOUND", "MODEL_NOT_FOUND", "CONFLICT"]
  }),
  ollamaCopy: endpoint("POST", "/api/copy", {
    surface: ollama,
    scope: "manage",
    summary: "Ollama: a second name of a model, which is refused: there are none here",
    input: OllamaCopyRequest,
    answers: { json: { 200: Nothing } },
    errors: ["UNSUPPORTED_PARAMETER"]
  })
} as const

export const ollamaApi = {
  ollamaVersion: endpoint("GET", "/api/version", {
    surface: ollama,
    scope: "infer",
    summary: "Ollama: the version whose interface this is",
    input: none,
    answers: { json: { 200: Schema.Struct({ version: Schema.String }) } }
  }),
  ...answeringApi,
  ...modelsApi
} as const
