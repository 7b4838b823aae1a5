/** Which model is asked for its tokens, and how one comes that no hive has. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { llamaServer, type TextPorts } from "../../../src/actors/surfaces/llama-server.ts"
import { ignoredHeader } from "../../../src/protocol/surfaces/surface.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import { tokenizeFields } from "../../../src/machines/vocabulary/openai/llama-server.ts"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"
import type { JobRequest } from "../../../src/machines/vocabulary/job.ts"
import type { TextQuestion } from "../../../src/machines/vocabulary/model.ts"

/** A cluster whose hives have models, of which workers have loaded some. */
const cluster = (models: ReadonlyArray<string>, loaded: ReadonlyArray<string> = []) => {
  const submitted: Array<JobRequest> = []
  const asked: Array<readonly [model: string, question: TextQuestion]> = []
  const here = new Set(models)
  const usage = { prompt_tokens: 1, completion_tokens: 0, cached_tokens: 0 }
  const ports: TextPorts = {
    named: (name) =>
      name === ""
        ? rbeeError("INVALID_REQUEST", "no model is named, and there is no default_model", "", { field: "model" })
        : name === "nobody"
          ? rbeeError("MODEL_NOT_FOUND", "there is no model nobody")
          : Effect.succeed(name.toLowerCase()),
    models: () => Effect.succeed(models.map((id) => ({ id }))),
    loaded: Effect.succeed(loaded),
    known: () => Effect.succeed({ file: "a.gguf", context: 512, slots: 4 }),
    read: (model, question) => {
      asked.push([model, question])
      if (!here.has(model)) return Effect.succeed(undefined)
      return Effect.succeed({ tokens: [7, 8], pieces: ["a", [0xf0]], content: "text", about: undefined })
    },
    submit: (request) => {
      submitted.push(request)
      here.add(request.model)
      return Effect.succeed({
        jobId: JobId.make("job-1"),
        createdAt: 0,
        promptTokens: () => undefined,
        begun: Effect.never,
        read: ({ done }) =>
          Effect.sync(() => done({ text_length: 0, tokens: 0, finish_reason: "length", timings: {}, usage }))
      })
    },
    cancel: () => Effect.void,
    ignored: () => {},
    version: "1.2.3"
  }
  return { asked, calls: llamaServer(ports), submitted }
}

describe("llama-server's calls", () => {
  it.effect("ask the model that is named, or the one that there is: a loaded one before others", () =>
    Effect.gen(function* () {
      const whom = (models: ReadonlyArray<string>, loaded: ReadonlyArray<string>, model?: string) => {
        const { asked, calls } = cluster(models, loaded)
        return Effect.as(calls.v1Tokenize({ content: "a", model }), asked)
      }
      const question = expect.objectContaining({ ask: "tokenize", content: "a" })
      expect(yield* whom(["a", "b"], ["a"], "B")).toEqual([["b", question]])
      expect(yield* whom(["a", "b"], ["b"])).toEqual([["b", question]])
      expect(yield* whom(["a"], [])).toEqual([["a", question]])
    })
  )

  it.effect("say that a model is missing where there are several, and that a named one is unknown", () =>
    Effect.gen(function* () {
      const { calls } = cluster(["a", "b"])
      expect(yield* Effect.flip(calls.v1Tokenize({ content: "a", model: undefined }))).toMatchObject({
        code: "INVALID_REQUEST",
        details: { field: "model", models: 2 }
      })
      expect((yield* Effect.flip(calls.v1Props({ model: "nobody" }))).code).toBe("MODEL_NOT_FOUND")
    })
  )

  it.effect("have a model brought that no hive has, by a job that says nothing", () =>
    Effect.gen(function* () {
      const { calls, submitted } = cluster([])
      expect(yield* calls.v1Detokenize({ model: "a", tokens: [1] })).toMatchObject({ body: { content: "text" } })
      expect(submitted).toEqual([{ model: "a", prompt: "\n", raw: true, stream: false, max_tokens: 0 }])
    })
  )

  it.effect("give tokens alone, or with their pieces", () =>
    Effect.gen(function* () {
      const { calls } = cluster(["a"])
      expect(yield* calls.v1Tokenize({ content: "a", model: "a", with_pieces: true })).toMatchObject({
        body: {
          tokens: [
            { id: 7, piece: "a" },
            { id: 8, piece: [0xf0] }
          ]
        }
      })
    })
  )

  it.effect("name fields that nobody has published, and refuse those of vLLM's call by their names", () =>
    Effect.gen(function* () {
      const { asked, calls } = cluster(["a"])
      const odd = { headers: { [ignoredHeader]: "foo" } }
      expect(yield* calls.v1Tokenize({ model: "a", content: "a", foo: 1 })).toMatchObject(odd)
      expect(yield* calls.v1Detokenize({ model: "a", tokens: [1], foo: 1 })).toMatchObject(odd)
      asked.length = 0
      for (const field of Object.keys(tokenizeFields.unserved)) {
        const error = yield* Effect.flip(calls.v1Tokenize({ model: "a", content: "a", [field]: "x" }))
        expect(error).toMatchObject({ code: "UNSUPPORTED_PARAMETER", details: { field } })
      }
      const wrong = yield* Effect.flip(calls.v1Detokenize({ model: "a", tokens: ["x"] }))
      expect(wrong).toMatchObject({ code: "INVALID_REQUEST", details: { field: "tokens[0]" } })
      expect(asked).toEqual([])
    })
  )

  it.effect("tell nothing of a model but what is known", () =>
    Effect.gen(function* () {
      const { calls } = cluster(["a"])
      expect(yield* calls.v1Props({ model: "a" })).toEqual({
        default_generation_settings: {
          n_ctx: 512,
          params: expect.objectContaining({ temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0, repeat_last_n: 64 })
        },
        total_slots: 4,
        model_alias: "a",
        model_path: "a.gguf",
        modalities: { vision: false, audio: false },
        chat_template: "",
        bos_token: "",
        eos_token: "",
        build_info: "rbee-1.2.3"
      })
    })
  )
})
