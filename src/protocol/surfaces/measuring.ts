/** Texts that are measured: OpenAI's embeddings, Jina's rerank, vLLM's score. */
import * as Schema from "effect/Schema"
import { EmbeddingList, EmbeddingRequest } from "../../machines/vocabulary/openai/embeddings.ts"
import { RankedTexts, Reranked, RerankRequest, Scored, ScoreRequest } from "../../machines/vocabulary/openai/rerank.ts"
import { endpoint } from "../endpoint.ts"
import { ofAnswering } from "../failures.ts"
import { openAi } from "./openai-surface.ts"
import { ignoredHeader } from "./surface.ts"

/** Handlers decode it themselves: fields are sorted first. */
const asked = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const usual = {
  surface: openAi,
  scope: "infer",
  input: asked,
  errors: ofAnswering,
  tells: [ignoredHeader],
  maxBytes: 32 * 1024 * 1024
} as const

const rerank = {
  ...usual,
  documented: RerankRequest,
  answers: { json: { 200: Schema.Union(Reranked, RankedTexts) }, headed: true }
} as const

export const measuringApi = {
  v1Embeddings: endpoint("POST", "/v1/embeddings", {
    ...usual,
    summary: "OpenAI: a vector for each text",
    documented: EmbeddingRequest,
    answers: { json: { 200: EmbeddingList }, headed: true }
  }),
  v1Rerank: endpoint("POST", "/v1/rerank", { ...rerank, summary: "Jina: texts by how well they answer a question" }),
  v1Reranking: endpoint("POST", "/v1/reranking", { ...rerank, summary: "llama.cpp: the same" }),
  v1Score: endpoint("POST", "/v1/score", {
    ...usual,
    summary: "vLLM: how well texts answer a question, in their order",
    documented: ScoreRequest,
    answers: { json: { 200: Scored }, headed: true }
  })
} as const
