/** Embeddings and rankings as jobs, vectors as they are wanted, and names of devices. */
import { assert, describe, it } from "@effect/vitest"
import { deviceLabel, describeDevices, runtimeOf } from "../../../src/machines/vocabulary/device.ts"
import { cpuDevice, DeviceId, deviceNamed, gpuDevice } from "../../../src/machines/vocabulary/ids.ts"
import { EmbeddingRequest, inputsOf, readUsage, shaped } from "../../../src/machines/vocabulary/openai/embeddings.ts"
import { tokenizedOf } from "../../../src/machines/vocabulary/openai/llama-server.ts"
import { rankingOf, rankingsOf, RerankRequest, ScoreRequest } from "../../../src/machines/vocabulary/openai/rerank.ts"
import { asked, refused, right } from "./told.ts"

const inputs = (input: unknown) => inputsOf(asked(EmbeddingRequest, { model: "m", input }))
const ranking = (more: object) => rankingOf(asked(RerankRequest, { model: "m", query: "q", ...more }))
const rankings = (more: object) => rankingsOf(asked(ScoreRequest, { model: "m", ...more }))
const texts = (count: number) => Array.from({ length: count }, () => "a")
const invalid = (details: object) => ["INVALID_REQUEST", details]

describe("what is measured", () => {
  it("is a text, its tokens, or several of either", () => {
    assert.deepStrictEqual(right(inputs("a")), ["a"])
    assert.deepStrictEqual(right(inputs([1, 2])), [[1, 2]])
    assert.deepStrictEqual(right(inputs(["a", [1]])), ["a", [1]])
    assert.deepStrictEqual(right(inputs([""])), [""])
  })

  it("is something: no list without a text, and no text without a token", () => {
    assert.deepStrictEqual(refused(inputs([])), invalid({ field: "input" }))
    assert.deepStrictEqual(refused(inputs([[1], []])), invalid({ field: "input" }))
  })

  it("is 2048 texts at most", () => {
    assert.strictEqual(right(inputs(texts(2048))).length, 2048)
    assert.deepStrictEqual(refused(inputs(texts(2049))), invalid({ field: "input", max: 2048 }))
  })

  it("has used the tokens that were read", () => {
    assert.deepStrictEqual(readUsage(3), { prompt_tokens: 3, total_tokens: 3 })
  })
})

describe("a vector", () => {
  const vector = new Float32Array([3, 4, 12])
  const shape = (more: object) => right(shaped(vector, more))

  it("is made one long, whole or cut", () => {
    assert.closeTo(Math.hypot(...shape({})), 1, 1e-6)
    assert.deepStrictEqual(
      [...shape({ dimensions: 2 })].map((x) => Math.round(x * 10)),
      [6, 8]
    )
    assert.strictEqual(shape({ dimensions: 3 }).length, 3)
  })

  it("is left as it is where that is asked for", () => {
    assert.deepStrictEqual([...shape({ embd_normalize: -1, dimensions: 2 })], [3, 4])
    assert.closeTo(Math.hypot(...shape({ embd_normalize: 2 })), 1, 1e-6)
  })

  it("has no more dimensions than the model gives", () => {
    assert.deepStrictEqual(refused(shaped(vector, { dimensions: 4 })), invalid({ field: "dimensions", max: 3 }))
  })
})

describe("a ranking", () => {
  it("is of documents or texts, and not of both", () => {
    assert.deepStrictEqual(right(ranking({ documents: ["a", { text: "b" }] })), { query: "q", documents: ["a", "b"] })
    assert.deepStrictEqual(right(ranking({ texts: ["a"] })), { query: "q", documents: ["a"] })
    assert.deepStrictEqual(refused(ranking({ documents: ["a"], texts: ["a"] })), invalid({ field: "texts" }))
  })

  it("is of one document or more, and 2048 at most", () => {
    assert.deepStrictEqual(refused(ranking({})), invalid({ field: "documents" }))
    assert.deepStrictEqual(refused(ranking({ documents: [] })), invalid({ field: "documents" }))
    assert.deepStrictEqual(refused(ranking({ texts: [] })), invalid({ field: "texts" }))
    assert.strictEqual(right(ranking({ texts: texts(2048) })).documents.length, 2048)
    assert.deepStrictEqual(refused(ranking({ texts: texts(2049) })), invalid({ field: "texts" }))
  })

  it("of scores is of one question against all, or of each against its own", () => {
    assert.deepStrictEqual(right(rankings({ text_1: "q", text_2: ["a", "b"] })), [
      { query: "q", documents: ["a", "b"] }
    ])
    assert.deepStrictEqual(right(rankings({ queries: ["q", "r"], documents: ["a", "b"] })), [
      { query: "q", documents: ["a"] },
      { query: "r", documents: ["b"] }
    ])
    assert.deepStrictEqual(right(rankings({ text_1: ["q"], text_2: "a", queries: "x", documents: "y" })), [
      { query: "q", documents: ["a"] }
    ])
  })

  it("of scores has as many of one side as of the other, where it has several, and some of both", () => {
    assert.deepStrictEqual(refused(rankings({ text_1: ["q", "r"], text_2: ["a"] })), invalid({ field: "text_2" }))
    assert.deepStrictEqual(refused(rankings({ text_2: "a" })), invalid({ field: "text_1" }))
    assert.deepStrictEqual(refused(rankings({ text_1: "a", text_2: [] })), invalid({ field: "text_2" }))
  })
})

it("tokens are told with their pieces where these were asked for", () => {
  assert.deepStrictEqual(tokenizedOf({ tokens: [1, 2] }), { tokens: [1, 2] })
  assert.deepStrictEqual(tokenizedOf({}), { tokens: [] })
  assert.deepStrictEqual(tokenizedOf({ tokens: [1, 2], pieces: ["a", [226]] }), {
    tokens: [
      { id: 1, piece: "a" },
      { id: 2, piece: [226] }
    ]
  })
  assert.deepStrictEqual(tokenizedOf({ tokens: [1], pieces: [] }), { tokens: [{ id: 1, piece: "" }] })
})

describe("a device", () => {
  const gpu = (more: object) => ({
    id: gpuDevice(0),
    name: "RTX 3060",
    backend: "cuda" as const,
    vram_mb: 1,
    vram_free_mb: 1,
    ...more
  })

  it("is known in lower case, however it is written, and told in upper case", () => {
    assert.strictEqual(deviceNamed(DeviceId.make("GPU1")), gpuDevice(1))
    assert.strictEqual(deviceLabel(cpuDevice), "CPU")
  })

  it("is told by its name, and marked where it is declared only", () => {
    const gpus = [gpu({}), gpu({ id: gpuDevice(1), declared: true }), gpu({ id: gpuDevice(2), declared: false })]
    assert.strictEqual(describeDevices({ gpus }, "*"), "CPU, GPU0 RTX 3060, GPU1 RTX 3060*, GPU2 RTX 3060")
    assert.strictEqual(describeDevices({ gpus: gpus.slice(1, 2) }), "CPU, GPU1 RTX 3060")
  })

  it("is served by its own runtime, and by the CPU's where it is declared only", () => {
    assert.strictEqual(runtimeOf(gpu({})), "cuda")
    assert.strictEqual(runtimeOf(gpu({ declared: true })), "cpu")
    assert.strictEqual(runtimeOf(undefined), "cpu")
  })
})
