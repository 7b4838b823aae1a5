/** How well texts answer a question: Jina's rerank with llama.cpp's second form of it (TEI's), and vLLM's score. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { AskedModel } from "../common.ts"
import { type RbeeError, rbeeError } from "../../errors.ts"
import { type JobRequest, textsMax } from "../job.ts"
import { ReadUsage } from "./embeddings.ts"
import { type FieldLists, sortBy } from "./fields.ts"
import { maybe } from "./messages.ts"

const ofVllm = {
  activation: [],
  additional_data: [],
  mm_processor_kwargs: [{}],
  priority: [0],
  truncate_prompt_tokens: [],
  use_activation: []
}

/** From Jina's and Cohere's documentation, and that of the servers of llama.cpp, TEI and vLLM. */
export const rerankFields: FieldLists = {
  served: ["model", "query", "documents", "texts", "top_n", "return_documents", "return_text"],
  harmless: ["user"],
  unserved: {
    // Cohere
    max_chunks_per_doc: [],
    max_tokens_per_doc: [],
    rank_fields: [["text"]],
    // TEI: scores are the model's own
    raw_scores: [true],
    truncate: [false],
    truncation_direction: [],
    // Jina
    truncation: [false],
    ...ofVllm
  }
}

export const scoreFields: FieldLists = {
  served: ["model", "text_1", "text_2", "queries", "documents"],
  harmless: ["user"],
  unserved: ofVllm
}

export const sortRerank = sortBy(rerankFields)
export const sortScore = sortBy(scoreFields)

const Document = Schema.Union(Schema.String, Schema.Struct({ text: Schema.String }))
const Documents = Schema.Array(Document)

export const RerankRequest = Schema.Struct({
  model: AskedModel,
  query: Schema.String,
  documents: maybe(Documents),
  /** in place of `documents`: the answer is a list of scores, as TEI gives it */
  texts: maybe(Schema.Array(Schema.String)),
  /** so many of the best; absent: all */
  top_n: maybe(Schema.Int.pipe(Schema.positive())),
  return_documents: maybe(Schema.Boolean),
  return_text: maybe(Schema.Boolean)
})
export type RerankRequest = typeof RerankRequest.Type

const OneOrMore = Schema.Union(Schema.String, Schema.Array(Schema.String))

/** One text against many, or as many against as many. */
export const ScoreRequest = Schema.Struct({
  model: AskedModel,
  text_1: maybe(OneOrMore),
  text_2: maybe(OneOrMore),
  /** newer names of the two */
  queries: maybe(OneOrMore),
  documents: maybe(OneOrMore)
})
export type ScoreRequest = typeof ScoreRequest.Type

type Ranking = NonNullable<JobRequest["rerank"]>
type Invalid = RbeeError<"INVALID_REQUEST">

const invalid = (what: string, field: string): Either.Either<never, Invalid> =>
  Either.left(rbeeError("INVALID_REQUEST", what, "", { field }))

const bounded = (texts: ReadonlyArray<string>, field: string): Either.Either<ReadonlyArray<string>, Invalid> => {
  if (texts.length === 0) return invalid(`${field} is empty`, field)
  return texts.length > textsMax
    ? invalid(`${field} has ${texts.length} texts, over ${textsMax}`, field)
    : Either.right(texts)
}

/** Exactly one of `documents` and `texts` is there. */
export const rankingOf = ({ documents, query, texts }: RerankRequest): Either.Either<Ranking, Invalid> => {
  if (documents !== undefined && texts !== undefined) return invalid("both documents and texts are given", "texts")
  const given = documents?.map((one) => (typeof one === "string" ? one : one.text)) ?? texts ?? []
  return Either.map(bounded(given, texts === undefined ? "documents" : "texts"), (all) => ({ query, documents: all }))
}

const listOf = (given: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  typeof given === "string" ? [given] : (given ?? [])

/** The questions, each with its texts, in the order of their scores. */
export const rankingsOf = (request: ScoreRequest): Either.Either<ReadonlyArray<Ranking>, Invalid> =>
  Either.gen(function* () {
    const queries = yield* bounded(listOf(request.text_1 ?? request.queries), "text_1")
    const documents = yield* bounded(listOf(request.text_2 ?? request.documents), "text_2")
    const [query = ""] = queries
    if (queries.length === 1) return [{ query, documents }]
    if (queries.length !== documents.length)
      return yield* invalid(`text_1 has ${queries.length} texts and text_2 ${documents.length}`, "text_2")
    return queries.map((one, i) => ({ query: one, documents: documents.slice(i, i + 1) }))
  })

export const Reranked = Schema.Struct({
  object: Schema.Literal("list"),
  model: Schema.String,
  /** the best first; `index` is the place in what was asked */
  results: Schema.Array(
    Schema.Struct({
      index: Schema.Number,
      relevance_score: Schema.Number,
      document: Schema.optionalWith(Schema.Struct({ text: Schema.String }), { exact: true })
    })
  ),
  usage: ReadUsage
})
export type Reranked = typeof Reranked.Type

/** As TEI gives it. */
export const RankedTexts = Schema.Array(
  Schema.Struct({
    index: Schema.Number,
    score: Schema.Number,
    text: Schema.optionalWith(Schema.String, { exact: true })
  })
)
export type RankedTexts = typeof RankedTexts.Type

export const Scored = Schema.Struct({
  id: Schema.String,
  object: Schema.Literal("list"),
  created: Schema.Number,
  model: Schema.String,
  data: Schema.Array(Schema.Struct({ object: Schema.Literal("score"), index: Schema.Number, score: Schema.Number })),
  usage: ReadUsage
})
export type Scored = typeof Scored.Type
