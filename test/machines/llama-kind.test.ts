/** What llama.cpp is, as a kind of worker: data that others go by. */
import { describe, expect, it } from "vitest"
import { gguf } from "../../src/machines/formats/model-format.ts"
import { anyRows, rowsOf } from "../../src/machines/kinds/llama/exact-types.ts"
import { formatOf, isModelFile, kindFor, kindOf, runtimeName, runtimeNamed } from "../../src/machines/kinds/kind.ts"
import { llama } from "../../src/machines/kinds/llama/llama.ts"
import { KindId } from "../../src/machines/vocabulary/kind.ts"
import { saysMemory } from "../../src/machines/kinds/llama/words.ts"

const number = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q5_0: 6,
  Q8_0: 8,
  Q2_K: 10,
  Q4_K: 12,
  Q5_K: 13,
  Q6_K: 14,
  IQ4_NL: 20,
  IQ4_XS: 23
}

describe("The types of a file's tensors", () => {
  it.each(["F16", "IQ4_XS"] as const)("whose kernel goes by the rows: %s, beside whatever else", (type) => {
    expect(rowsOf(new Set([number[type]]), 1)).toBeUndefined()
    expect(rowsOf(new Set([number.Q8_0, number.Q4_K, number[type], number.F32]), 1)).toBeUndefined()
  })

  it.each(["Q2_K", "Q4_K"] as const)(
    "whose rows are computed by fours or in threes: %s, where few slots are",
    (type) => {
      expect(rowsOf(new Set([number[type], number.Q6_K, number.F32]), 4)).toEqual({ step: 4, most: 3 })
      expect(rowsOf(new Set([number[type]]), 5)).toBeUndefined()
    }
  )

  it.each(["Q4_0", "Q5_0", "Q8_0", "Q5_K", "Q6_K", "IQ4_NL"] as const)("whose kernel does not: %s", (type) => {
    expect(rowsOf(new Set([number[type]]), 16)).toBe(anyRows)
    // what is never quantised has full precision beside it
    expect(rowsOf(new Set([number.F32, number[type]]), 16)).toBe(anyRows)
  })

  it("of full precision do so where there is nothing else", () => {
    expect(rowsOf(new Set([number.F32]), 1)).toBeUndefined()
    expect(rowsOf(new Set(), 1)).toBe(anyRows)
  })
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
