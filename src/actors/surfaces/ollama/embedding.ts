/** Vectors as Ollama's clients ask for them. */
import * as Effect from "effect/Effect"
import { nanoseconds } from "../../../machines/vocabulary/ollama/answers.ts"
import {
  embedWishes,
  type OllamaEmbedded,
  type OllamaEmbeddingRequest,
  type OllamaEmbedRequest
} from "../../../machines/vocabulary/ollama/embeddings.ts"
import { filled } from "../../../machines/entries/fill.ts"
import { keepingOf } from "../../../machines/vocabulary/ollama/requests.ts"
import { shaped } from "../../../machines/vocabulary/openai/embeddings.ts"
import { type Measured, measured } from "../measuring/measured.ts"
import type { OllamaPorts } from "./ports.ts"

type Asked = Pick<OllamaEmbedRequest, "keep_alive" | "model" | "options">

/** `model` is its reference. The model goes afterwards where that is wanted; where nothing is asked, that is all. */
const vectorsOf = (ports: OllamaPorts, model: string, asked: Asked, embed: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const found: Pick<Measured, "timings" | "tokens" | "vectors"> =
      embed.length === 0
        ? { vectors: [], tokens: 0, timings: {} }
        : yield* measured(ports, {
            ...filled(yield* ports.entry(asked.model), { embed, ...embedWishes(asked) }),
            model
          })
    if (keepingOf(asked.keep_alive) === "unloaded") yield* ports.unload(model)
    return found
  })

export const embed = (ports: OllamaPorts, model: string, asked: OllamaEmbedRequest) =>
  Effect.gen(function* () {
    const { dimensions = 0, input = [] } = asked
    const texts = typeof input === "string" ? [input] : input
    const { timings, tokens, vectors } = yield* vectorsOf(ports, model, asked, texts)
    const wanted = dimensions === 0 ? {} : { dimensions }
    const embeddings = yield* Effect.forEach(vectors, (vector) => shaped(vector, wanted))
    const { started_ms = 0, total_ms = started_ms } = timings
    const body: typeof OllamaEmbedded.Type = {
      model: asked.model,
      embeddings: embeddings.map((vector) => [...vector]),
      total_duration: nanoseconds(total_ms),
      load_duration: nanoseconds(started_ms),
      prompt_eval_count: tokens
    }
    return { _tag: "Json" as const, status: 200 as const, body }
  })

export const embedOne = (ports: OllamaPorts, model: string, asked: OllamaEmbeddingRequest) =>
  Effect.gen(function* () {
    const { prompt = "" } = asked
    const { vectors } = yield* vectorsOf(ports, model, asked, prompt === "" ? [] : [prompt])
    const body = { embedding: [...(vectors[0] ?? [])] }
    return { _tag: "Json" as const, status: 200 as const, body }
  })
