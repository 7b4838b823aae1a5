/** Engines by name: what a request asks for, and which workers are told apart by it. */
import { describe, expect, it } from "vitest"
import { filled } from "../../src/machines/entries/fill.ts"
import { entriesOf } from "../../src/machines/entries/entries.ts"
import { workerKinds } from "../../src/machines/kinds/index.ts"
import { engineIn, kindFor } from "../../src/machines/kinds/kind.ts"
import { otherSetup, setupOf } from "../../src/machines/policy/memory/setup.ts"
import { KindId } from "../../src/machines/vocabulary/kind.ts"
import * as Either from "effect/Either"

const server = KindId.make("llama-server")
const usual = KindId.make("llama")

describe("The engine of a request", () => {
  it("decides the kind of its worker; without one the file does", () => {
    expect(kindFor(workerKinds, "HF:a/b:C.gguf", server).id).toBe("llama-server")
    expect(kindFor(workerKinds, "HF:a/b:C.gguf").id).toBe("llama")
  })

  it("is refused by name where there is none, with those that there are", () => {
    expect(engineIn(workerKinds, { model: "minillama", engine: KindId.make("vllm") })).toMatchObject({
      code: "INVALID_REQUEST",
      what: "there is no engine vllm",
      todo: "There are llama, llama-server"
    })
  })

  it("need not be said where the model has it anyway", () => {
    expect(engineIn(workerKinds, { model: "minillama", engine: usual })).toEqual({ model: "minillama" })
    expect(engineIn(workerKinds, { model: "minillama", engine: server })).toMatchObject({ engine: server })
  })

  it("comes from the model's entry", () => {
    const entries = Either.getOrThrow(entriesOf(new Map([["fox", { ref: "minillama", engine: server }]])))
    expect(filled(entries.named.get("fox"), { prompt: "a" })).toMatchObject({ engine: server })
  })

  it("tells workers apart: none serves who asks for another, nor who asks for none", () => {
    const wanted = setupOf({ engine: server }) ?? {}
    expect(otherSetup(wanted, { asked: wanted })).toBeUndefined()
    expect(otherSetup({}, {})).toBeUndefined()
    expect(otherSetup(wanted, {})).toBe("its engine: the usual one, llama-server asked for")
    expect(otherSetup({}, { asked: wanted })).toBe("its engine: llama-server, the usual one asked for")
  })
})

describe("llama-server as a kind", () => {
  it("takes more than the same model in the worker's own process", () => {
    const facts = {
      fileBytes: 1e8,
      architecture: "llama",
      parameters: 1e8,
      trainedContext: 4096,
      quantization: "Q8_0",
      kvElementsPerToken: 1024,
      headLengths: [64],
      stateBytes: 0,
      embedding: 512,
      feedForward: 2048,
      heads: 8,
      layers: 8,
      vocabulary: 32_000,
      template: true,
      merges: 0
    }
    const [own, beside] = [usual, server].map((engine) => {
      const { memory } = kindFor(workerKinds, "a.gguf", engine)
      return memory.bytes(facts, { context: 2048, slots: 4 }, { backend: "cpu", kvType: "f16" })
    })
    // the program, and a step of cells for each slot
    expect(Number(beside) - Number(own)).toBeGreaterThan(20e6 + 4 * 256 * 1024 * 2)
  })
})
