/** What llama.cpp's own server has beside OpenAI's calls: a model's tokens, and what is known of it. */
import * as Schema from "effect/Schema"
import {
  Detokenized,
  DetokenizeRequest,
  PropsAnswer,
  Tokenized,
  TokenizeRequest
} from "../../machines/vocabulary/openai/llama-server.ts"
import { endpoint } from "../endpoint.ts"
import { ofAnswering } from "../failures.ts"
import { openAi } from "./openai-surface.ts"
import { ignoredHeader } from "./surface.ts"

const ofVocabulary = {
  surface: openAi,
  scope: "infer",
  // handlers decode it themselves: fields are sorted first
  input: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  errors: ofAnswering,
  tells: [ignoredHeader],
  maxBytes: 32 * 1024 * 1024
} as const

export const llamaServerApi = {
  v1Tokenize: endpoint("POST", "/v1/tokenize", {
    ...ofVocabulary,
    summary: "llama.cpp: a text's tokens",
    documented: TokenizeRequest,
    answers: { json: { 200: Tokenized }, headed: true }
  }),
  v1Detokenize: endpoint("POST", "/v1/detokenize", {
    ...ofVocabulary,
    summary: "llama.cpp: tokens' text",
    documented: DetokenizeRequest,
    answers: { json: { 200: Detokenized }, headed: true }
  }),
  v1Props: endpoint("GET", "/v1/props", {
    surface: openAi,
    scope: "infer",
    summary: "llama.cpp: what is known of a model, and how its answers are drawn where nobody says",
    input: Schema.Struct({ model: Schema.optional(Schema.String) }),
    answers: { json: { 200: PropsAnswer } },
    errors: ofAnswering
  })
} as const
