/** What becomes of every field of what is measured: three classes, and no fourth. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { EmbeddingsRequest, EmbedRequest } from "ollama"
import type OpenAI from "openai"
import { embeddingFields, sortEmbedding } from "../../../src/machines/vocabulary/openai/embeddings.ts"
import { sortBy } from "../../../src/machines/vocabulary/openai/fields.ts"
import { rerankFields, scoreFields } from "../../../src/machines/vocabulary/openai/rerank.ts"
import { edge as ollamaEdge } from "../../support/queen/ollama-edge.ts"
import { edge, layer, measureAll } from "../../support/queen/openai-edge.ts"

/** What a field becomes: refused, harmless, or this of an answer or a job. */
type Fate = "refused" | "harmless" | object
type Sorted<Field extends PropertyKey> = Readonly<Record<Field, readonly [value: unknown, fate: Fate]>>

const texts = ["one", "two"]
const model = "minillama"

/** One value of each field that asks for something; of OpenAI's and Ollama's the compiler knows all. */
const embeddings: Sorted<keyof OpenAI.EmbeddingCreateParams | "embd_normalize" | "content"> = {
  model: [model, { asked: { model } }],
  input: [["three"], { asked: { embed: ["three"] } }],
  dimensions: [1, { body: { data: [{ embedding: [1] }, { embedding: [1] }] } }],
  encoding_format: [
    "base64",
    { body: { data: [{ embedding: "mpkZP83MTD8AAAAA" }, { embedding: "mpkZP83MTD8AAAAA" }] } }
  ],
  user: ["me", "harmless"],
  // llama.cpp
  embd_normalize: [-1, { body: { data: [{ embedding: [3, 4, 0] }, { embedding: [6, 8, 0] }] } }],
  content: ["text", "refused"]
}
const rerank: Sorted<"model" | "query" | "documents" | "texts" | "top_n" | "return_documents" | "max_tokens_per_doc"> =
  {
    model: [model, { asked: { model } }],
    query: ["why?", { asked: { rerank: { query: "why?", documents: texts } } }],
    documents: [[{ text: "a" }, "b"], { asked: { rerank: { documents: ["a", "b"] } } }],
    texts: [["a"], { status: 400 }],
    top_n: [1, { body: { results: [{ index: 1, relevance_score: 0.25 }] } }],
    return_documents: [true, { body: { results: [{ document: { text: "two" } }, { document: { text: "one" } }] } }],
    max_tokens_per_doc: [9, "refused"]
  }
const score: Sorted<"model" | "text_1" | "text_2" | "activation"> = {
  model: [model, { asked: { model } }],
  text_1: ["why?", { asked: { rerank: { query: "why?", documents: texts } } }],
  text_2: ["a", { asked: { rerank: { query: "q", documents: ["a"] } } }],
  activation: [true, "refused"]
}
const ollamaEmbed: Sorted<keyof EmbedRequest> = {
  model: [model, { asked: { model } }],
  input: ["three", { asked: { embed: ["three"] } }],
  truncate: [false, "harmless"],
  keep_alive: [-1, { asked: { keep_warm: true } }],
  dimensions: [1, { body: { embeddings: [[1], [1]] } }],
  options: [{ num_ctx: 256 }, { asked: { context: 256 } }]
}
const ollamaOne: Sorted<keyof EmbeddingsRequest> = {
  model: [model, { asked: { model } }],
  prompt: ["three", { asked: { embed: ["three"] }, body: { embedding: [3, 4, 0] } }],
  keep_alive: [-1, { asked: { keep_warm: true } }],
  options: [{ num_ctx: 256 }, { asked: { context: 256 } }]
}

const each = (path: string, base: object, sorted: Sorted<string>) =>
  Object.entries(sorted).map(([field, [value, fate]]) => ({ path, field, body: { ...base, [field]: value }, fate }))
const ofV1 = [
  ...each("embeddings", { model, input: texts }, embeddings),
  ...each("rerank", { model, query: "q", documents: texts }, rerank),
  ...each("reranking", { model, query: "q", documents: texts }, rerank),
  ...each("score", { model, text_1: "q", text_2: texts }, score)
]
const ofOllama = [
  ...each("embed", { model, input: texts }, ollamaEmbed),
  ...each("embeddings", { model, prompt: "one" }, ollamaOne)
]

describe("a field of what is measured", () => {
  it.scopedLive.each(ofV1)("is served, harmless or refused by its name: $path, $field", ({ body, fate, field, path }) =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(measureAll)
      const got = yield* post(body, `/v1/${path}`)
      expect(got.headers.get("x-rbee-ignored")).toBeNull()
      if (fate !== "refused") {
        const found = { status: got.status, body: got.body, asked: asked[0] }
        return expect(found).toMatchObject({ status: 200, ...(fate === "harmless" ? {} : fate) })
      }
      expect([got.status, got.body]).toMatchObject([400, { error: { code: "unsupported_parameter", param: field } }])
      expect(asked).toEqual([])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive.each(ofOllama)("of Ollama's likewise: $path, $field", ({ body, fate, path }) =>
    Effect.gen(function* () {
      const { asked, post } = yield* ollamaEdge(measureAll)
      const got = yield* post(path, body)
      expect(got.headers.get("x-rbee-ignored")).toBeNull()
      const found = { status: got.status, body: got.body, asked: asked[0] }
      expect(found).toMatchObject({ status: 200, ...(fate === "harmless" ? {} : Object(fate)) })
    }).pipe(Effect.provide(layer))
  )

  it.each(Object.entries({ embeddingFields, rerankFields, scoreFields }))(
    "that is not served asks for nothing with its default, and with null: %s",
    (_, lists) => {
      for (const [field, nothings] of Object.entries(lists.unserved)) {
        for (const nothing of [null, undefined, ...nothings])
          expect(Either.getOrThrow(sortBy(lists)({ [field]: nothing }))).toEqual({ asked: {}, ignored: [] })
        expect(Either.isLeft(sortBy(lists)({ [field]: { asks: "for something" } }))).toBe(true)
      }
    }
  )

  it.scopedLive("that nobody has published is left out, named in a header and counted", () =>
    Effect.gen(function* () {
      const { counted, post } = yield* edge(measureAll)
      const got = yield* post({ model, input: "one", input_type: "query" }, "/v1/embeddings")
      expect([got.status, got.headers.get("x-rbee-ignored"), counted.ignored]).toEqual([200, "input_type", 1])
      expect(Either.getOrThrow(sortEmbedding({ input_type: "query" })).ignored).toEqual(["input_type"])
    }).pipe(Effect.provide(layer))
  )

  const wrong: ReadonlyArray<readonly [path: string, body: object, param: string]> = [
    ["embeddings", { input: [] }, "input"],
    ["embeddings", { input: [[1], []] }, "input"],
    ["embeddings", { input: [1.5] }, "input"],
    ["embeddings", { input: [1, "two"] }, "input"],
    ["embeddings", { input: { text: "a" } }, "input"],
    ["embeddings", { input: Array.from({ length: 2049 }, () => "a") }, "input"],
    ["embeddings", { input: "a", encoding_format: "int8" }, "encoding_format"],
    ["embeddings", { input: "a", dimensions: 0 }, "dimensions"],
    ["rerank", { query: "q", documents: [] }, "documents"],
    ["rerank", { query: "q", documents: [1, 2] }, "documents"],
    ["rerank", { query: "q", documents: 123 }, "documents"],
    ["rerank", { query: "q" }, "documents"],
    ["rerank", { documents: ["a"] }, "query"],
    ["rerank", { query: "q", documents: ["a"], top_n: 0 }, "top_n"],
    ["score", { text_1: [], text_2: "a" }, "text_1"],
    ["score", { text_1: ["a", "b"], text_2: ["c"] }, "text_2"]
  ]
  const named = wrong.map(([path, body, param], i) => ({ path, body, param, i }))
  it.scopedLive.each(named)("that is wrong is named, and asks no model: $i, $path, $param", ({ body, param, path }) =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(measureAll)
      const got = yield* post({ model, ...body }, `/v1/${path}`)
      expect([got.status, got.body.error.param?.split(/[.[]/)[0], asked]).toEqual([400, param, []])
    }).pipe(Effect.provide(layer))
  )
})
