/** The calls of `/v1` whose jobs measure texts. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Handlers } from "../../../protocol/endpoint.ts"
import type { measuringApi } from "../../../protocol/surfaces/measuring.ts"
import { vectorLine } from "../../../machines/formats/vectors.ts"
import {
  EmbeddingRequest,
  inputsOf,
  readUsage,
  shaped,
  sortEmbedding
} from "../../../machines/vocabulary/openai/embeddings.ts"
import {
  rankingOf,
  rankingsOf,
  type RankedTexts,
  type Reranked,
  RerankRequest,
  ScoreRequest,
  sortRerank,
  sortScore
} from "../../../machines/vocabulary/openai/rerank.ts"
import { type Asking, naming } from "../asking.ts"
import { json, sorted } from "../sorted.ts"
import { type Measured, measured } from "./measured.ts"

type Fields = Readonly<Record<string, unknown>>

/** jobs of one request that run at once */
const atOnce = 4

const readEmbedding = sorted(sortEmbedding, EmbeddingRequest)
const readRerank = sorted(sortRerank, RerankRequest)
const readScore = sorted(sortScore, ScoreRequest)

const scoreOf = ([score = 0]: Float32Array): number => score

const embeddings = (jobs: Asking) => (body: Fields) =>
  Effect.gen(function* () {
    const { ignored, request } = yield* readEmbedding(body)
    const embed = yield* inputsOf(request)
    const { tokens, vectors } = yield* measured(jobs, { model: request.model, embed })
    const wanted = yield* Either.all(vectors.map((vector) => shaped(vector, request)))
    const data = wanted.map((vector, index) => ({
      object: "embedding" as const,
      index,
      embedding: request.encoding_format === "base64" ? vectorLine(vector).trimEnd() : Array.from(vector)
    }))
    const answer = { object: "list" as const, model: request.model, data, usage: readUsage(tokens) }
    return naming(jobs, ignored, json(answer))
  })

/** The best first; of equals the one that was asked for first. */
const ranked = ({ vectors }: Measured, top = vectors.length) =>
  vectors
    .map((vector, index) => ({ index, score: scoreOf(vector) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, top)

const rerank = (jobs: Asking) => (body: Fields) =>
  Effect.gen(function* () {
    const { ignored, request } = yield* readRerank(body)
    const ranking = yield* rankingOf(request)
    const { model, return_documents = false, return_text = false, texts, top_n } = request
    const found = yield* measured(jobs, { model, rerank: ranking })
    const best = ranked(found, top_n)
    const said = (index: number): string => ranking.documents[index] ?? ""
    const asTexts: RankedTexts = best.map((one) => ({ ...one, ...(return_text ? { text: said(one.index) } : {}) }))
    const asResults: Reranked["results"] = best.map(({ index, score }) => ({
      index,
      relevance_score: score,
      ...(return_documents ? { document: { text: said(index) } } : {})
    }))
    return naming(
      jobs,
      ignored,
      json(
        texts === undefined
          ? { object: "list" as const, model, results: asResults, usage: readUsage(found.tokens) }
          : asTexts
      )
    )
  })

const score = (jobs: Asking) => (body: Fields) =>
  Effect.gen(function* () {
    const { ignored, request } = yield* readScore(body)
    const { model } = request
    const rankings = yield* rankingsOf(request)
    const all = yield* Effect.forEach(rankings, (one) => measured(jobs, { model, rerank: one }), {
      concurrency: atOnce
    })
    const data = all
      .flatMap(({ vectors }) => vectors)
      .map((vector, index) => ({ object: "score" as const, index, score: scoreOf(vector) }))
    const answer = {
      id: `score-${all[0]?.jobId ?? ""}`,
      object: "list" as const,
      created: Math.floor((all[0]?.createdAt ?? 0) / 1000),
      model,
      data,
      usage: readUsage(all.reduce((sum, { tokens }) => sum + tokens, 0))
    }
    return naming(jobs, ignored, json(answer))
  })

export const measuring = (jobs: Asking): Handlers<typeof measuringApi> => ({
  v1Embeddings: embeddings(jobs),
  v1Rerank: rerank(jobs),
  v1Reranking: rerank(jobs),
  v1Score: score(jobs)
})
