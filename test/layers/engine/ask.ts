/** Asking an engine, and keeping everything that it said. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import {
  type AnswerFailure,
  type ChatMessage,
  Engine,
  type GenerateRequest,
  type GenerateResult,
  type LoadedModel,
  type LoadOptions
} from "../../../src/layers/engine/index.ts"
import type { RbeeError } from "../../../src/machines/errors.ts"
import type { Exactness } from "../../../src/machines/vocabulary/worker.ts"

export const MINILLAMA = new URL("../../../models/minillama/minillama-q8_0.gguf", import.meta.url).pathname

export interface Answered extends GenerateResult {
  readonly text: string
  readonly parts: ReadonlyArray<string>
  readonly ids: ReadonlyArray<number>
  /** of each token, where they were asked for */
  readonly logprobs: ReadonlyArray<number>
}

export const user = (content: string): GenerateRequest["input"] => ({
  _tag: "Messages",
  messages: [{ role: "user", content }]
})
export const chat = (...messages: ReadonlyArray<ChatMessage>): GenerateRequest["input"] => ({
  _tag: "Messages",
  messages
})
export const plain = (prompt: string): GenerateRequest["input"] => ({ _tag: "Prompt", prompt })

export const GREEDY = { temperature: 0, topP: 1, topK: 0 } as const

export type Question = Partial<GenerateRequest> & { readonly input: GenerateRequest["input"] }

/** A request with everything that a test does not care about left at its plainest. */
export const request = (question: Question): GenerateRequest => ({
  sampling: GREEDY,
  stop: [],
  ignoreEos: false,
  onToken: () => undefined,
  ...question
})

export const ask = (model: LoadedModel, question: Question): Effect.Effect<Answered, AnswerFailure> =>
  Effect.suspend(() => {
    const parts: Array<string> = []
    const ids: Array<number> = []
    const logprobs: Array<number> = []
    const asked = request({
      ...question,
      onToken: (text, id, logprob) => {
        parts.push(text)
        ids.push(id)
        if (logprob !== undefined) logprobs.push(logprob.logprob)
        question.onToken?.(text, id, logprob)
      }
    })
    return Effect.map(model.generate(asked), (result) => ({ ...result, text: parts.join(""), parts, ids, logprobs }))
  })

export const loadWith = (
  layer: Layer.Layer<Engine>,
  options: Partial<LoadOptions> = {}
): Effect.Effect<LoadedModel, RbeeError<"MODEL_INVALID" | "VRAM_EXHAUSTED" | "BACKEND_UNAVAILABLE">, Scope.Scope> =>
  Effect.provide(
    Effect.flatMap(Engine, (engine) =>
      engine.load({ modelPath: MINILLAMA, slots: 1, onProgress: () => undefined, ...options })
    ),
    layer
  )

/** Loads it, and waits until the engine has found out whether it is exact. */
export const loadAndTest = (layer: Layer.Layer<Engine>, options: Partial<LoadOptions> = {}) =>
  Effect.gen(function* () {
    const told = yield* Deferred.make<Exactness>()
    const loaded = yield* loadWith(layer, {
      slots: 3,
      threads: 1,
      ...options,
      onExact: (exactness) => Deferred.unsafeDone(told, Effect.succeed(exactness))
    })
    const exactness = loaded.exactness() ?? (yield* Deferred.await(told))
    return { loaded, exactness }
  })
