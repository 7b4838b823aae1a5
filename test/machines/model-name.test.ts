/** Names of models as people write them. */
import * as Either from "effect/Either"
import { describe, expect, it } from "vitest"
import { modelNamed } from "../../src/machines/model-name.ts"
import { parseModelRef } from "../../src/machines/model-ref.ts"

const known = [
  { model_ref: "HF:Author/Foo-7B-GGUF:Q4_K_M", file: "/cache/Foo-7B-Q4_K_M.gguf" },
  { model_ref: "HF:Author/Foo-7B-GGUF:Q8_0", file: "/cache/Foo-7B-Q8_0-00001-of-00002.gguf" },
  { model_ref: "file:/models/My Bar.gguf", file: "/models/My Bar.gguf" }
]

describe("a model's name", () => {
  it.each([
    ["Foo-7B-Q4_K_M.gguf", known[0]?.model_ref],
    ["foo-7b-q4_k_m", known[0]?.model_ref],
    ["foo-7b-q4_k_m:latest", known[0]?.model_ref],
    ["FOO-7B-GGUF:q4_k_m", known[0]?.model_ref],
    ["foo-7b-q8_0", known[1]?.model_ref],
    ["my bar", known[2]?.model_ref],
    ["My Bar.gguf", known[2]?.model_ref],
    ["gpt-4", undefined],
    ["foo", undefined]
  ])("is that of its file or repository, in any case: %s", (name, ref) => {
    expect(modelNamed(name, known)).toEqual(Either.right(ref))
  })

  it("that fits several is refused with all of them", () => {
    const error = Either.getOrThrow(Either.flip(modelNamed("foo-7b-gguf", known)))
    expect(error.message).toContain("HF:Author/Foo-7B-GGUF:Q4_K_M, HF:Author/Foo-7B-GGUF:Q8_0")
  })
})

describe("a reference", () => {
  it.each([
    ["MiniLlama", "minillama"],
    ["minillama:latest", "minillama"],
    ["hf.co/a/b:Q4_K_M", "HF:a/b:Q4_K_M"],
    ["hf.co/a/b", "HF:a/b"],
    ["HF.CO/a/b:latest", "HF:a/b"],
    ["huggingface.co/a/b:q8_0", "HF:a/b:Q8_0"],
    ["https://huggingface.co/a/b", "HF:a/b"],
    ["https://huggingface.co/a/b/", "HF:a/b"],
    ["https://huggingface.co/a/b/blob/main/x-Q4_0.gguf", "HF:a/b:x-Q4_0.gguf@main"],
    ["https://huggingface.co/a/b/resolve/v1/sub/x.gguf?download=true", "HF:a/b:sub/x.gguf@v1"],
    ["https://huggingface.co/a/b/tree/main", "HF:a/b@main"],
    ["a/b", "HF:a/b"],
    ["a/b:Q4_K_M", "HF:a/b:Q4_K_M"],
    ["a/b:latest", "HF:a/b"],
    ["a/b:Q4_K_M@main", "HF:a/b:Q4_K_M@main"],
    ["hf:a/b:latest", "HF:a/b"]
  ])("is written as other makers' users do: %s", (text, ref) => {
    expect(Either.map(parseModelRef(text), (parsed) => parsed.ref)).toEqual(Either.right(ref))
  })

  it.each([
    "gpt-4",
    "a//b",
    "a/b/c",
    "/etc/passwd",
    "../a",
    "http://evil.example/a/b",
    "ftp://a/b",
    "hf.co/",
    "hf.co/a"
  ])("is none: %s", (text) => {
    expect(Either.isLeft(parseModelRef(text))).toBe(true)
  })
})
