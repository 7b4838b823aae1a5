/** The last words of a process that died. */
import { describe, expect, it } from "vitest"
import { makeLastWords } from "../../../src/layers/process/last-words.ts"

describe("last words", () => {
  it("are the last lines, without empty ones", () => {
    const words = makeLastWords()
    words.push("one\n\ntw")
    words.push("o\r\nthree\n")
    expect(words.read()).toBe("one\ntwo\nthree")
  })

  it("leave out a native backtrace: what was said before it matters", () => {
    const words = makeLastWords()
    words.push("CUDA error: no kernel image is available for execution on the device\n")
    for (let i = 0; i < 50; i++)
      words.push(`/a/libggml-base.so(ggml_abort+0x152)[0x7fb9542b4f${10 + i}]\n/b/node[0x18a7b40]\n`)
    expect(words.read()).toBe("CUDA error: no kernel image is available for execution on the device")
  })
})
