/** Ollama's requests as jobs, and models and answers as its clients read them. */
import { assert, describe, it } from "@effect/vitest"
import { endOf, movedEnd, nanoseconds } from "../../../src/machines/vocabulary/ollama/answers.ts"
import { ignoredInMessages } from "../../../src/machines/vocabulary/ollama/messages.ts"
import { type Known, psOf, shownOf, tagsOf } from "../../../src/machines/vocabulary/ollama/models.ts"
import {
  chatJob,
  contextOf,
  generateJob,
  keepingOf,
  modelOf,
  OllamaChatRequest,
  OllamaGenerateRequest,
  saysNothing
} from "../../../src/machines/vocabulary/ollama/requests.ts"
import { WorkerView } from "../../../src/machines/vocabulary/hive.ts"
import { ModelView } from "../../../src/machines/vocabulary/model.ts"
import { asked, refused, right } from "./told.ts"

const hello = { role: "user", content: "hello" } as const
const chatOf = (more: object) => chatJob(asked(OllamaChatRequest, { model: "m", ...more }))
const messagesOf = (...messages: ReadonlyArray<object>) => right(chatOf({ messages })).messages
const generated = (more: object) => generateJob(asked(OllamaGenerateRequest, { model: "m", ...more }))

describe("a chat", () => {
  it("is its messages and tools, and says nothing where it has none", () => {
    const tools = [{ type: "function", function: { name: "f" } }]
    assert.deepStrictEqual(right(chatOf({ messages: [hello], tools })), { messages: [hello], tools: [{ name: "f" }] })
    assert.deepStrictEqual(right(chatOf({})), { messages: [] })
    assert.isTrue(saysNothing(right(chatOf({}))))
    assert.isFalse(saysNothing(right(chatOf({ messages: [hello] }))))
    assert.isFalse(saysNothing({ prompt: "" }))
  })

  it("has images before its text", () => {
    const shown = { ...hello, images: [{ at: 0, data: "aGk=" }] }
    assert.deepStrictEqual(right(generated({ prompt: "hello", images: ["aGk="] })).messages, [shown])
    assert.deepStrictEqual(refused(generated({ prompt: "hello", raw: true, images: ["aGk="] })), [
      "UNSUPPORTED_PARAMETER",
      { field: "images" }
    ])
    assert.deepStrictEqual(messagesOf({ ...hello, images: ["aGk="] }), [
      { ...hello, images: [{ at: 0, data: "aGk=" }] }
    ])
    assert.deepStrictEqual(messagesOf({ ...hello, images: [] }), [hello])
  })

  it("has an empty text where a message has none, and thoughts where there are some", () => {
    assert.deepStrictEqual(messagesOf({ role: "assistant", thinking: "hm" }, { role: "assistant", thinking: "" }), [
      { role: "assistant", content: "", reasoning: "hm" },
      { role: "assistant", content: "" }
    ])
  })

  it("has calls by their ids, and one of our own where a call has none", () => {
    const called = (name: string, more: object = {}, id?: string) => ({
      function: { name, ...more },
      ...(id === undefined ? {} : { id })
    })
    const calls = [called("f"), called("g", { arguments: { a: 1 } }, "x"), called("h", {}, "")]
    assert.deepStrictEqual(messagesOf({ role: "assistant", tool_calls: calls })?.[0]?.tool_calls, [
      { id: "call00000", name: "f", arguments: {} },
      { id: "x", name: "g", arguments: { a: 1 } },
      { id: "call00001", name: "h", arguments: {} }
    ])
  })

  const calling = (...names: ReadonlyArray<string>) => ({
    role: "assistant",
    tool_calls: names.map((name) => ({ function: { name } }))
  })
  const answered = (calls: object, ...results: ReadonlyArray<object>) =>
    messagesOf(calls, ...results.map((result) => ({ role: "tool", ...result })))?.slice(1)

  it("has of results whose they are: by id, by name, or in the order of the calls", () => {
    assert.deepStrictEqual(answered(calling("f", "g"), { content: "1" }, { content: "2" }), [
      { role: "tool", content: "1", name: "f", tool_call_id: "call00000" },
      { role: "tool", content: "2", name: "g", tool_call_id: "call00001" }
    ])
    assert.deepStrictEqual(answered(calling("f", "g"), { tool_name: "g" }, {}), [
      { role: "tool", content: "", name: "g", tool_call_id: "call00001" },
      { role: "tool", content: "", name: "f", tool_call_id: "call00000" }
    ])
    assert.deepStrictEqual(answered(calling("f", "g"), { tool_call_id: "call00001" }), [
      { role: "tool", content: "", name: "g", tool_call_id: "call00001" }
    ])
  })

  it("has results that are nobody's as they are", () => {
    assert.deepStrictEqual(answered(calling("f"), { tool_name: "x" }, { tool_call_id: "y" }, {}, { content: "more" }), [
      { role: "tool", content: "", name: "x" },
      { role: "tool", content: "", tool_call_id: "y" },
      { role: "tool", content: "", name: "f", tool_call_id: "call00000" },
      { role: "tool", content: "more" }
    ])
  })

  it("tells fields of messages that nobody has published, once each", () => {
    assert.deepStrictEqual(ignoredInMessages([{ ...hello, name: "a" }, { name: "b", weight: 1 }, null, 7]), [
      "messages.name",
      "messages.weight"
    ])
    assert.deepStrictEqual(ignoredInMessages("x"), [])
  })
})

describe("a generation", () => {
  it("is a chat of what is said, after the system's word", () => {
    assert.deepStrictEqual(right(generated({ prompt: "hello" })), { messages: [hello] })
    assert.deepStrictEqual(right(generated({ prompt: "hello", system: "s" })), {
      messages: [{ role: "system", content: "s" }, hello]
    })
    assert.deepStrictEqual(right(generated({ system: "s" })), { messages: [] })
  })

  it("is a prompt as it stands where it is raw, or something comes after it", () => {
    assert.deepStrictEqual(right(generated({ prompt: "a", raw: true })), { prompt: "a", raw: true })
    assert.deepStrictEqual(right(generated({ prompt: "a", suffix: "b" })), { prompt: "a", raw: true, suffix: "b" })
    assert.deepStrictEqual(right(generated({ suffix: "b" })), { prompt: "", raw: true, suffix: "b" })
    assert.deepStrictEqual(right(generated({ raw: true })), { messages: [] })
    assert.deepStrictEqual(right(generated({ raw: false, prompt: "hello" })), { messages: [hello] })
  })

  it("has no system message where it is raw", () => {
    for (const more of [{ raw: true }, { suffix: "b" }])
      assert.deepStrictEqual(refused(generated({ prompt: "a", system: "s", ...more })), [
        "UNSUPPORTED_PARAMETER",
        { field: "system" }
      ])
    assert.isUndefined(refused(generated({ prompt: "a", raw: true, system: "" })))
  })
})

describe("what is wished", () => {
  const wish = (more: object) => {
    const { messages: _, ...rest } = right(chatOf(more))
    return rest
  }

  it("is a form of the answer", () => {
    assert.deepStrictEqual(wish({ format: "json" }), { response_format: { type: "json_object" } })
    assert.deepStrictEqual(wish({ format: "" }), {})
    assert.deepStrictEqual(wish({ format: { type: "array" } }), {
      response_format: { type: "json_schema", schema: { type: "array" } }
    })
  })

  it("is whether it thinks, and how much", () => {
    assert.deepStrictEqual(wish({ think: false }), { reasoning: "off" })
    assert.deepStrictEqual(wish({ think: true }), { reasoning: {} })
    assert.deepStrictEqual(wish({ think: "low" }), { reasoning: { effort: "low" } })
  })

  it("is how it is drawn, by the names of a job", () => {
    const own = {
      temperature: 0.5,
      top_p: 0.6,
      top_k: 7,
      min_p: 0.1,
      repeat_penalty: 1.1,
      presence_penalty: 0.4,
      frequency_penalty: 0.5,
      repeat_last_n: 9
    }
    assert.deepStrictEqual(wish({ options: { ...own, seed: 0, stop: ["x"], num_predict: 1, num_ctx: 64 } }), {
      ...own,
      seed: 0,
      stop: ["x"],
      max_tokens: 1,
      context: 64
    })
    assert.deepStrictEqual(wish({ options: { seed: -1, stop: [], num_predict: 0, num_ctx: 0 } }), {})
    assert.deepStrictEqual(wish({ options: { stop: "" } }), {})
    assert.deepStrictEqual(wish({ options: { num_predict: 1_048_577 } }), {})
    assert.deepStrictEqual(wish({ options: { num_predict: 1_048_576 } }), { max_tokens: 1_048_576 })
  })

  it("is a context of 16 tokens at the least", () => {
    assert.deepStrictEqual(contextOf({ num_ctx: 1 }), { context: 16 })
    assert.deepStrictEqual(contextOf({ num_ctx: 17 }), { context: 17 })
    assert.deepStrictEqual(contextOf({}), {})
  })

  it("is how long the model stays", () => {
    for (const now of [0, "0", "0s", "0h0m", "-0", "0.0s"]) assert.strictEqual(keepingOf(now), "unloaded", String(now))
    for (const ever of [-1, "-1", "-1m", "-0.5h"]) assert.strictEqual(keepingOf(ever), "pinned", ever.toString())
    for (const usual of [undefined, 300, "5m", "0.1s", "1h-"]) assert.strictEqual(keepingOf(usual), "usual")
    assert.deepStrictEqual(wish({ keep_alive: -1 }), { keep_warm: true })
    assert.deepStrictEqual(wish({ keep_alive: "5m" }), {})
  })

  it("is a time as Go writes it, or seconds", () => {
    for (const time of ["1h30m", "-1m", "+2s", "1.5h", "300", "10ns", "10us", "10µs", "10ms"])
      assert.strictEqual(asked(OllamaChatRequest, { model: "m", keep_alive: time }).keep_alive, time)
    for (const wrong of ["", "soon", "1d", "h", "1 h", "1h 30m", "x1m", "1mx", "--1m", "1."])
      assert.throws(() => asked(OllamaChatRequest, { model: "m", keep_alive: wrong }), undefined, undefined, wrong)
  })

  it("is of a model, by its newer name or its older one", () => {
    assert.strictEqual(right(modelOf({ model: "a", name: "b" })), "a")
    assert.strictEqual(right(modelOf({ model: "", name: "b" })), "b")
    assert.strictEqual(right(modelOf({ name: "b" })), "b")
    for (const none of [{}, { model: "", name: "" }])
      assert.deepStrictEqual(refused(modelOf(none)), ["INVALID_REQUEST", { field: "model" }])
  })
})

const model = (more: object): Known =>
  asked(ModelView, { model_ref: "m", file: "f", bytes: 5, pinned: false, owned: true, in_use: false, ...more })
const details = {
  parent_model: "",
  format: "gguf",
  family: "",
  families: [],
  parameter_size: "",
  quantization_level: ""
}

describe("a model", () => {
  it("is told by what is known of it, and by nothing that is not", () => {
    assert.deepStrictEqual(tagsOf([asked(ModelView, model({ added_at: 1000, sha256: "ab" }))]).models, [
      { name: "m", model: "m", size: 5, digest: "ab", details, modified_at: "1970-01-01T00:00:01.000Z" }
    ])
    assert.deepStrictEqual(tagsOf([{ model_ref: model({}).model_ref }]).models, [
      { name: "m", model: "m", size: 0, digest: "", details, modified_at: "1970-01-01T00:00:00.000Z" }
    ])
  })

  it("is told once, whichever hives have it, with when it was last used where that is all that is known", () => {
    const all = [model({ bytes: 1, last_used_at: 2000 }), model({ bytes: 2 }), model({ model_ref: "n" })]
    const told = tagsOf(all).models
    assert.deepStrictEqual(
      told.map(({ name, size }) => [name, size]),
      [
        ["m", 1],
        ["n", 5]
      ]
    )
    assert.strictEqual(told[0]?.modified_at, "1970-01-01T00:00:02.000Z")
  })

  it("has its architecture, its size in words and how it is rounded", () => {
    const shown = (parameters: number) =>
      shownOf(model({ parameters, architecture: "llama", quantization: "Q8_0" })).details
    assert.deepStrictEqual(shown(1.24e9), {
      ...details,
      family: "llama",
      families: ["llama"],
      parameter_size: "1.2B",
      quantization_level: "Q8_0"
    })
    const sizes = [1e9, 999_990_000, 137e6, 1e6, 999_990, 1000].map((count) => shown(count).parameter_size)
    assert.deepStrictEqual(sizes, ["1.0B", "999.99M", "137.00M", "1.00M", "999.99K", "1.00K"])
  })

  it("is shown with what its header says", () => {
    const { details: _, ...shown } = shownOf(
      model({ architecture: "llama", parameters: 7, context: 64, last_used_at: 3000 })
    )
    assert.deepStrictEqual(shown, {
      modelfile: "FROM m\n",
      parameters: "",
      template: "",
      model_info: { "general.architecture": "llama", "general.parameter_count": 7, "llama.context_length": 64 },
      capabilities: ["completion"],
      modified_at: "1970-01-01T00:00:03.000Z"
    })
    assert.deepStrictEqual(shownOf(model({ context: 64 })).model_info, {})
    assert.deepStrictEqual(shownOf(model({ architecture: "llama" })).model_info, { "general.architecture": "llama" })
    assert.strictEqual(shownOf(model({ added_at: 1000, last_used_at: 3000 })).modified_at, "1970-01-01T00:00:01.000Z")
  })

  it("can do what it is for, and what its template has words for", () => {
    const can = (more: object) => shownOf(model(more)).capabilities
    const dialect = (tools: unknown, reasoning: unknown) => ({
      content: {},
      reasoning,
      tools,
      manner: { arguments: "object", content: "empty" },
      end: [],
      source: "learned"
    })
    const thinking = {
      open: "<t>",
      close: "</t>",
      confirmed: "render",
      prompt: { on: "none", off: "none", default: "none" }
    }
    const calls = {
      open: ["<c>"],
      close: [["</c>"]],
      form: { _tag: "json", list: false, name: ["name"], args: ["arguments"] },
      carry: { on: "", off: "", default: "" },
      parallel: false,
      textBeside: true,
      needsSchema: false,
      lossy: []
    }
    assert.deepStrictEqual(can({ purpose: "embeddings" }), ["embedding"])
    assert.deepStrictEqual(can({ purpose: "reranking" }), ["reranking"])
    assert.deepStrictEqual(can({ purpose: "chat", dialect: dialect(null, null) }), ["completion"])
    assert.deepStrictEqual(can({ dialect: dialect(calls, null) }), ["completion", "tools"])
    assert.deepStrictEqual(can({ dialect: dialect(null, thinking) }), ["completion", "thinking"])
  })
})

describe("models that are loaded", () => {
  const worker = (more: object) =>
    asked(WorkerView, {
      hive: "h",
      id: "w",
      instance: "i",
      state: "idle",
      load_progress: 1,
      device: "gpu0",
      model: "m",
      context: 64,
      slots: 1,
      busy: 0,
      tokens_out: 0,
      restarts: 0,
      infers: [],
      ...more
    })
  const ps = (...workers: ReadonlyArray<object>) => psOf(workers.map(worker), [model({})], { now: 1000, idleMs: 500 })

  it("are those of workers that answer", () => {
    const states = ["waking", "loading", "idle", "busy", "draining", "degraded", "stopping", "stopped", "failed"]
    assert.strictEqual(ps(...states.map((state) => ({ state }))).models.length, 2)
  })

  it("have what they hold, where, and until when", () => {
    const told = (more: object) => {
      const [{ context_length, expires_at, name, size, size_vram } = ps({}).models[0] ?? assert.fail()] =
        ps(more).models
      return [name, size, size_vram, context_length, expires_at]
    }
    const soon = "1970-01-01T00:00:01.500Z"
    assert.deepStrictEqual(told({ memory_mb: 2.5 }), ["m", 2_500_000, 2_500_000, 64, soon])
    assert.deepStrictEqual(told({ memory_mb: 2.5, device: "cpu" }), ["m", 2_500_000, 0, 64, soon])
    assert.deepStrictEqual(told({}), ["m", 5, 0, 64, soon])
    assert.deepStrictEqual(told({ model: "n" }), ["n", 0, 0, 64, soon])
    assert.deepStrictEqual(told({ pinned: true }).at(-1), "2300-01-01T00:00:00.000Z")
  })
})

describe("the end of an answer", () => {
  const end = (timings: object) =>
    endOf({
      text_length: 1,
      tokens: 3,
      finish_reason: "length",
      timings,
      usage: { prompt_tokens: 5, completion_tokens: 3, cached_tokens: 0 }
    })

  it("has how long each part took", () => {
    assert.deepStrictEqual(end({ placed_ms: 1, started_ms: 2, first_token_ms: 5, total_ms: 9 }), {
      done: true,
      done_reason: "length",
      total_duration: 9e6,
      load_duration: 2e6,
      prompt_eval_count: 5,
      prompt_eval_duration: 3e6,
      eval_count: 3,
      eval_duration: 4e6
    })
  })

  it("has no time that is not known, and none that is less than nothing", () => {
    const lengths = (timings: object) => {
      const { eval_duration, load_duration, prompt_eval_duration, total_duration } = end(timings)
      return [total_duration, load_duration, prompt_eval_duration, eval_duration]
    }
    assert.deepStrictEqual(lengths({}), [0, 0, 0, 0])
    assert.deepStrictEqual(lengths({ placed_ms: 3 }), [3e6, 3e6, 0, 0])
    assert.deepStrictEqual(lengths({ started_ms: 2, total_ms: 6 }), [6e6, 2e6, 4e6, 0])
    assert.strictEqual(nanoseconds(-1), 0)
    assert.strictEqual(nanoseconds(0.0000014), 1)
  })

  it("of a model that was only loaded or unloaded says that", () => {
    assert.deepStrictEqual(movedEnd("load"), { done: true, done_reason: "load" })
    assert.deepStrictEqual(movedEnd("unload"), { done: true, done_reason: "unload" })
  })
})
