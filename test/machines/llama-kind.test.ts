/** What llama.cpp is, as a kind of worker: data that others go by. */
import { describe, expect, it } from "vitest"
import { gguf } from "../../src/machines/formats/model-format.ts"
import { anyRows, rowsOf, splitsAttention } from "../../src/machines/kinds/llama/exact-types.ts"
import { formatOf, isModelFile, kindFor, kindOf, runtimeName, runtimeNamed } from "../../src/machines/kinds/kind.ts"
import { llama } from "../../src/machines/kinds/llama/llama.ts"
import { KindId } from "../../src/machines/vocabulary/kind.ts"
import { saysMemory } from "../../src/machines/kinds/llama/words.ts"
import { ggmlTypes } from "../support/ggml-types.ts"

const number = ggmlTypes

const rowsOfTypes = (...types: ReadonlyArray<keyof typeof number>) =>
  rowsOf({ matrices: new Set(types.map((type) => number[type])) })

describe("The types of a file's tensors", () => {
  it.each(["F16", "BF16"] as const)("have one token in a batch: %s, beside whatever else", (type) => {
    expect(rowsOfTypes(type)).toEqual({ step: 1, most: 1, padFrom: 16 })
    expect(rowsOfTypes("Q8_0", "Q4_K", type, "F32")).toEqual({ step: 4, most: 1, padFrom: 16 })
  })

  it.each(["Q2_K", "Q4_K"] as const)("are computed by fours or in threes: %s", (type) => {
    expect(rowsOfTypes(type, "Q6_K", "F32")).toEqual({ step: 4, most: 3, padFrom: 48 })
    expect(rowsOfTypes(type, "IQ4_XS")).toEqual({ step: 4, most: 3, padFrom: 48 })
  })

  it("have at most seven tokens in a batch: IQ4_XS", () => {
    expect(rowsOfTypes("IQ4_XS", "Q6_K", "F32")).toEqual({ step: 1, most: 7, padFrom: 112 })
  })

  it.each(["Q4_0", "Q5_0", "Q8_0", "Q5_K", "Q6_K", "IQ4_NL"] as const)("have any number: %s", (type) => {
    expect(rowsOfTypes(type)).toEqual(anyRows)
    // what is never quantised has full precision beside it
    expect(rowsOfTypes("F32", type)).toEqual(anyRows)
  })

  it("of full precision have one token in a batch where there is nothing else", () => {
    expect(rowsOfTypes("F32")).toEqual({ step: 1, most: 1, padFrom: 16 })
    expect(rowsOfTypes()).toEqual(anyRows)
  })

  it("are read beyond a short prompt's end only where a memory can be cut", () => {
    expect(rowsOf({ matrices: new Set([number.F16]), hasState: true }).padFrom).toBe(Infinity)
    expect(rowsOf({ matrices: new Set([number.Q8_0]) }).padFrom).toBe(Infinity)
  })

  it("of which none goes by rows have one token in a batch where attention is split over threads", () => {
    expect(rowsOf({ matrices: new Set([number.Q8_0]), splits: true })).toEqual({ step: 1, most: 1, padFrom: 16 })
  })
})

describe("Attention", () => {
  it.each([
    ["with two threads and many cells", 2, 512, "f16", true],
    ["with one thread", 1, 512, "f16", false],
    ["over few cells", 2, 256, "f16", false],
    ["over a rounded cache", 2, 512, "q8_0", false]
  ] as const)("%s is split: %s %s %s %s", (_, threads, cells, kvType, splits) =>
    expect(splitsAttention(threads, cells, kvType)).toBe(splits)
  )
})

describe("Kinds of workers", () => {
  it("are found by how a file's name ends, and their runtimes by their names", () => {
    const other = {
      ...llama,
      id: KindId.make("other"),
      formats: [{ ...gguf, ending: ".other" }] as const,
      backends: {}
    }
    const kinds = [llama, other] as const
    expect(kindFor(kinds, "HF:a/b:C.OTHER").id).toBe("other")
    expect(kindFor(kinds, "minillama").id).toBe("llama")
    expect(formatOf(kinds, "x.other").ending).toBe(".other")
    expect(formatOf(kinds, "x").ending).toBe(".gguf")
    expect([isModelFile(kinds, "a.GGUF"), isModelFile(kinds, "a.gguf.part")]).toEqual([true, false])
    expect(kindOf(kinds, other.id)).toBe(other)
    expect(kindOf(kinds, KindId.make("none"))).toBeUndefined()
    expect(runtimeName(llama, "metal")).toBe("metal-llm-worker-rbee")
    expect(runtimeName(other, "metal")).toBe("other")
    expect(runtimeNamed(kinds, "cuda-llm-worker-rbee")).toEqual({ kind: "llama", backend: "cuda" })
    expect(runtimeNamed(kinds, "tpu-worker")).toMatchObject({
      code: "INVALID_REQUEST",
      what: "there is no worker tpu-worker here",
      todo: expect.stringMatching(/^There are (\w+-llm-worker-rbee, ){3}\w+-llm-worker-rbee$/)
    })
  })
})

describe("Workers of llama.cpp", () => {
  it("have a runtime a backend, and a variable that says which devices it sees", () => {
    expect(llama.id).toBe("llama")
    expect(llama.formats).toEqual([gguf])
    expect(llama.backends).toEqual({
      cpu: { runtime: "cpu-llm-worker-rbee" },
      cuda: { runtime: "cuda-llm-worker-rbee", visible: "CUDA_VISIBLE_DEVICES" },
      vulkan: { runtime: "vulkan-llm-worker-rbee", visible: "GGML_VK_VISIBLE_DEVICES" },
      metal: { runtime: "metal-llm-worker-rbee" }
    })
  })

  it.each([
    "CUDA error: out of memory",
    "out of device memory",
    "std::bad_alloc",
    "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer",
    "unable to allocate CUDA0 buffer",
    "alloc_tensor_range: failed",
    "cudaMalloc failed",
    "vk::Device::allocateMemory: ErrorOutOfDeviceMemory",
    "mmap failed: Cannot allocate memory"
  ])("say that memory is exhausted by: %s", (words) => expect(saysMemory(words)).toBe(true))

  it("say something else by other words, of CUDA too, and nothing at all where memory is full", () => {
    for (const words of ["CUDA error: an illegal memory access was encountered", "GGML_ASSERT(n > 0) failed", ""])
      expect(saysMemory(words), words).toBe(false)
    expect(llama.failures.other.test("CUDA error: an illegal memory access")).toBe(true)
    expect(llama.failures.other.test("CUDA error: out of memory")).toBe(false)
    expect(llama.failures.isMuteWhenFull).toBe(true)
  })
})
