/** How the end of a worker's process is read. */
import { describe, expect, it } from "vitest"
import { isOutOfMemory } from "../../../src/actors/hive/worker-life.ts"

const aborted = { code: undefined, signal: "SIGABRT" } as const

describe("a worker's end", () => {
  it("is for want of memory where it says so, or where llama.cpp aborts without naming another error", () => {
    expect(isOutOfMemory({ code: 78, signal: undefined }, "VRAM_EXHAUSTED", "")).toBe(true)
    expect(isOutOfMemory(aborted, undefined, "")).toBe(true)
    expect(isOutOfMemory({ code: 134, signal: undefined }, undefined, "")).toBe(true)
    expect(isOutOfMemory(aborted, undefined, "CUDA error: out of memory\nggml-cuda.cu:108: CUDA error")).toBe(true)
  })

  it("is not, where CUDA names another error or it ended otherwise: a smaller context would not cure it", () => {
    const toolchain =
      "CUDA error: the provided PTX was compiled with an unsupported toolchain.\nggml-cuda.cu:108: CUDA error"
    expect(isOutOfMemory(aborted, undefined, toolchain)).toBe(false)
    expect(isOutOfMemory({ code: undefined, signal: "SIGKILL" }, undefined, "")).toBe(false)
  })
})
