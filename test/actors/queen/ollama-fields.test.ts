/** What becomes of every field of Ollama's requests: three classes, and no fourth. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { ChatRequest, GenerateRequest, Options, PullRequest, ShowRequest } from "ollama"
import * as fields from "../../../src/machines/vocabulary/ollama/fields.ts"
import { sortBy } from "../../../src/machines/vocabulary/openai/fields.ts"
import { layer, sayAll } from "../../support/queen/openai-edge.ts"
import { edge, hello } from "../../support/queen/ollama-edge.ts"

/** What a field becomes: refused, harmless, or this of a job. */
type Fate = "refused" | "harmless" | object
type Sorted<Request> = Readonly<Record<keyof Request, readonly [value: unknown, fate: Fate]>>

const schema = { type: "object", properties: { a: { type: "string" } } }
const answering = {
  model: ["minillama", {}],
  stream: [true, { stream: true }],
  format: [schema, { response_format: { type: "json_schema", schema } }],
  keep_alive: [-1, { keep_warm: true }],
  think: ["high", { reasoning: { effort: "high" } }],
  logprobs: [true, { logprobs: 0 }],
  top_logprobs: [2, { logprobs: 2 }],
  options: [{ seed: 7 }, { seed: 7 }]
} as const

/** One value of each that asks for something; the compiler knows all. */
const chat: Sorted<ChatRequest> = {
  ...answering,
  messages: [hello.messages, {}],
  tools: [[{ type: "function", function: { name: "f" } }], { tools: [{ name: "f" }] }]
}
const generate: Sorted<GenerateRequest> = {
  ...answering,
  prompt: ["hello", {}],
  suffix: ["and so on", { prompt: "hello", raw: true, suffix: "and so on" }],
  system: ["short", {}],
  template: ["{{ .Prompt }}", "refused"],
  context: [[1, 2], "refused"],
  raw: [true, { prompt: "hello", raw: true }],
  images: [["aGk="], {}],
  width: [512, "refused"],
  height: [512, "refused"],
  steps: [4, "refused"]
}
const options: Sorted<Options> = {
  numa: [true, "harmless"],
  num_ctx: [256, { context: 256 }],
  num_batch: [64, "harmless"],
  num_gpu: [99, "harmless"],
  main_gpu: [1, "harmless"],
  low_vram: [true, "harmless"],
  f16_kv: [true, "harmless"],
  logits_all: [true, "harmless"],
  vocab_only: [true, "harmless"],
  use_mmap: [false, "harmless"],
  use_mlock: [true, "harmless"],
  embedding_only: [true, "harmless"],
  num_thread: [2, "harmless"],
  num_keep: [5, "harmless"],
  seed: [42, { seed: 42 }],
  num_predict: [9, { max_tokens: 9 }],
  top_k: [20, { top_k: 20 }],
  top_p: [0.5, { top_p: 0.5 }],
  min_p: [0.1, { min_p: 0.1 }],
  tfs_z: [0.5, "refused"],
  typical_p: [0.5, "refused"],
  repeat_last_n: [32, { repeat_last_n: 32 }],
  temperature: [0.5, { temperature: 0.5 }],
  repeat_penalty: [1.3, { repeat_penalty: 1.3 }],
  presence_penalty: [1, { presence_penalty: 1 }],
  frequency_penalty: [1, { frequency_penalty: 1 }],
  mirostat: [2, "refused"],
  mirostat_tau: [1, "refused"],
  mirostat_eta: [0.5, "refused"],
  penalize_newline: [false, "refused"],
  stop: [["\n"], { stop: ["\n"] }]
}
const show: Sorted<Omit<ShowRequest, "model">> = {
  system: ["short", "refused"],
  template: ["{{ .Prompt }}", "refused"],
  options: [{ seed: 7 }, "refused"]
}
const pull: Sorted<PullRequest> = {
  model: ["HF:a/b", "harmless"],
  stream: [false, "harmless"],
  insecure: [true, "refused"]
}

const each = (path: string, base: object, sorted: Readonly<Record<string, readonly [unknown, Fate]>>, within = "") =>
  Object.entries(sorted).map(([field, [value, fate]]) => ({
    path,
    field: `${within}${field}`,
    body: { ...base, ...(within === "" ? { [field]: value } : { options: { [field]: value } }) },
    fate
  }))
const prompt = { model: "minillama", prompt: "hello", stream: false }
const all = [
  ...each("chat", { ...hello, stream: false }, chat),
  ...each("chat", { ...hello, stream: false }, options, "options."),
  ...each("generate", prompt, generate),
  ...each("show", { model: "minillama" }, show),
  ...each("pull", { model: "HF:a/b" }, pull)
]

describe("a field of Ollama's", () => {
  it.scopedLive.each(all)("is served, harmless or refused by its name: $path, $field", ({ body, fate, field, path }) =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      const got = yield* post(path, body)
      expect(got.headers.get("x-rbee-ignored")).toBeNull()
      if (fate === "refused") {
        expect([got.status, got.body]).toMatchObject([400, { code: "UNSUPPORTED_PARAMETER", details: { field } }])
        return expect(asked).toEqual([])
      }
      expect(got.status).toBe(200)
      if (path !== "chat" && path !== "generate") return
      const { messages: _, model: __, stream: ___, ...job } = asked[0] ?? { model: "" }
      expect({ ...job, ...("stream" in Object(fate) ? { stream: asked[0]?.stream } : {}) }).toEqual(
        fate === "harmless" ? {} : fate
      )
    }).pipe(Effect.provide(layer))
  )

  it.each(Object.entries(fields))(
    "that is not served asks for nothing with its default, and with null: %s",
    (_, lists) => {
      for (const [field, nothings] of Object.entries(lists.unserved)) {
        for (const nothing of [null, undefined, ...nothings])
          expect(Either.getOrThrow(sortBy(lists)({ [field]: nothing }))).toEqual({ asked: {}, ignored: [] })
        expect(Either.isLeft(sortBy(lists)({ [field]: { asks: "for something" } }))).toBe(true)
      }
    }
  )

  it.scopedLive("in no published type is taken, named in a header and counted, streaming or not", () =>
    Effect.gen(function* () {
      const { counted, post } = yield* edge(sayAll)
      const odd = { ...hello, foo: 1, options: { bar: 2 }, messages: [{ ...hello.messages[0], cache_control: {} }] }
      for (const stream of [true, false]) {
        const { headers, status } = yield* post("chat", { ...odd, stream })
        expect([status, headers.get("x-rbee-ignored")]).toEqual([200, "foo, options.bar, messages.cache_control"])
      }
      expect(counted.ignored).toBe(6)
    }).pipe(Effect.provide(layer))
  )
})

describe("a value as Ollama's clients write it", () => {
  it.scopedLive("becomes what a job has, or is refused with its place", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      const becomes = (own: object) =>
        Effect.map(post("generate", { ...prompt, ...own }), ({ body, status }) => {
          if (status !== 200) return `${status} ${String(Object(body["details"])["field"])}`
          const { messages: _, model: __, stream: ___, ...job } = asked.at(-1) ?? { model: "" }
          return job
        })
      for (const none of [
        { format: "" },
        { keep_alive: "5m" },
        { keep_alive: 0 },
        { keep_alive: "1h30m" },
        { think: null }
      ])
        expect([none, yield* becomes(none)]).toEqual([none, {}])
      expect(yield* becomes({ format: "json" })).toEqual({ response_format: { type: "json_object" } })
      expect(yield* becomes({ think: false })).toEqual({ reasoning: "off" })
      expect(yield* becomes({ think: true })).toEqual({ reasoning: {} })
      for (const pins of [-1, "-1", "-1m", "-5s"])
        expect(yield* becomes({ keep_alive: pins })).toEqual({ keep_warm: true })
      for (const option of [
        { num_predict: -1 },
        { num_predict: -2 },
        { num_predict: 0 },
        { num_ctx: 0 },
        { seed: -1 },
        { stop: [] }
      ])
        expect([option, yield* becomes({ options: option })]).toEqual([option, {}])
      expect(yield* becomes({ options: { num_ctx: 1, stop: "." } })).toEqual({ context: 16, stop: "." })
      expect(yield* becomes({ think: "max" })).toBe("400 think")
      expect(yield* becomes({ keep_alive: "soon" })).toBe("400 keep_alive")
      expect(yield* becomes({ format: "yaml" })).toBe("400 format")
      expect(yield* becomes({ options: { temperature: "hot" } })).toBe("400 options.temperature")
      expect(yield* becomes({ options: [] })).toBe("400 options")
      const image = [{ role: "user", content: "what is it?", images: [7] }]
      const { body, status } = yield* post("chat", { ...hello, messages: image })
      expect([status, body]).toMatchObject([400, { details: { field: "messages[0].images[0]" } }])
    }).pipe(Effect.provide(layer))
  )
})
