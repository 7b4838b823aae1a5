/**
 * The surfaces over which texts are measured. What is heard of them is what the journal has: a line for each text, in
 * the order in which they were asked for.
 */
import { vectorLine } from "../../machines/formats/vectors.ts"
import { type Heard, say } from "./heard.ts"
import type { Asked, Surface } from "./surfaces.ts"

interface Measured {
  /** the place of its text in what was asked */
  readonly index: number
  readonly line: string
}

const hear = (heard: Heard, all: ReadonlyArray<Measured>): void => {
  for (const { line } of all.toSorted((a, b) => a.index - b.index)) say(heard, "content", line)
  heard.ends++
}

const scored = (index: number, score: number): Measured => ({ index, line: vectorLine(Float32Array.of(score)) })

const embeddings: Surface = {
  name: "embeddings",
  path: "/v1/embeddings",
  // as the model gives them: the very bits
  body: ({ model, texts }) => ({ model, input: texts, encoding_format: "base64", embd_normalize: -1 }),
  take: (heard, { data: body }) => {
    const { data } = JSON.parse(body) as { readonly data: ReadonlyArray<{ index: number; embedding: string }> }
    hear(
      heard,
      data.map(({ embedding, index }) => ({ index, line: `${embedding}\n` }))
    )
  }
}

const rerank: Surface = {
  name: "rerank",
  path: "/v1/rerank",
  body: ({ model, text, texts }) => ({ model, query: text, documents: texts }),
  take: (heard, { data: body }) => {
    const { results } = JSON.parse(body) as {
      readonly results: ReadonlyArray<{ index: number; relevance_score: number }>
    }
    hear(
      heard,
      results.map(({ index, relevance_score }) => scored(index, relevance_score))
    )
  }
}

const score: Surface = {
  name: "score",
  path: "/v1/score",
  body: ({ model, text, texts }) => ({ model, text_1: text, text_2: texts }),
  take: (heard, { data: body }) => {
    const { data } = JSON.parse(body) as { readonly data: ReadonlyArray<{ index: number; score: number }> }
    hear(
      heard,
      data.map((one) => scored(one.index, one.score))
    )
  }
}

export const measuringSurfaces = { embeddings, rerank, score } as const
export type MeasuringName = keyof typeof measuringSurfaces

/** The texts of a request, of which no two are alike: the first is `text` itself. */
export const textsOf = ({ text }: Pick<Asked, "text">, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => (i === 0 ? text : `${text} ${i}`))
