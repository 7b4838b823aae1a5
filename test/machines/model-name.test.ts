/** Names of models as people write them. */
import * as Either from "effect/Either"
import { describe, expect, it } from "vitest"
import { isName, knownAs, modelNamed, resolveName } from "../../src/machines/formats/model-name.ts"
import { parseModelRef } from "../../src/machines/formats/model-ref.ts"
import { ModelRef } from "../../src/machines/vocabulary/ids.ts"

const known = [
  { model_ref: ModelRef.make("HF:Author/Foo-7B-GGUF:Q4_K_M"), file: "/cache/Foo-7B-Q4_K_M.gguf" },
  { model_ref: ModelRef.make("HF:Author/Foo-7B-GGUF:Q8_0"), file: "/cache/Foo-7B-Q8_0-00001-of-00002.gguf" },
  { model_ref: ModelRef.make("file:/models/My Bar.gguf"), file: "/models/My Bar.gguf" },
  { model_ref: ModelRef.make("HF:Else/TinyLlama-1.1B-GGUF"), file: "/cache/tinyllama.Q4_K_M.gguf" }
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
    ["my-bar", known[2]?.model_ref],
    ["tinyllama-q4_k_m", known[3]?.model_ref],
    ["TinyLlama", known[3]?.model_ref],
    ["TinyLlama-1.1B", known[3]?.model_ref],
    ["tinyllama-1.1b:q4_k_m", known[3]?.model_ref],
    ["tinyllama-1.1b-gguf:latest", known[3]?.model_ref],
    ["tinyllama-q8_0", undefined],
    ["tinyllama:q8_0", undefined],
    ["", undefined],
    ["gpt-4", undefined],
    ["foo", undefined]
  ])("is that of its file or repository, in any case: %s", (name, ref) => {
    expect(modelNamed(name, known)).toEqual(Either.right(ref))
  })

  it.each(["foo-7b-gguf", "Foo-7B", "foo_7b"])("that fits several is refused with all of them: %s", (name) => {
    const error = Either.getOrThrow(Either.flip(modelNamed(name, known)))
    expect(error.message).toContain("HF:Author/Foo-7B-GGUF:Q4_K_M, HF:Author/Foo-7B-GGUF:Q8_0")
  })

  it("that fits one file under several references is that file's", () => {
    const twice = [
      { model_ref: ModelRef.make("HF:a/b:Q8_0"), file: "/one/b-Q8_0.gguf", sha256: "same" },
      { model_ref: ModelRef.make("HF:a/b:b-Q8_0.gguf"), file: "/other/b-Q8_0.gguf", sha256: "same" }
    ]
    expect(modelNamed("b-q8_0", twice)).toEqual(Either.right("HF:a/b:Q8_0"))
  })

  it("that is written as a file is called is that one's, though another fits without its quantisation", () => {
    const both = [
      { model_ref: ModelRef.make("file:/a/foo-q4_0.gguf"), file: "/a/foo-q4_0.gguf" },
      { model_ref: ModelRef.make("file:/a/foo.gguf"), file: "/a/foo.gguf" }
    ]
    expect(modelNamed("Foo", both)).toEqual(Either.right("file:/a/foo.gguf"))
  })

  it.each([
    ["llama3.2", "ollama:llama3.2"],
    ["Llama3.2:latest", "ollama:llama3.2"],
    ["ollama:LLAMA3.2", "ollama:llama3.2"],
    ["llama3.2:3b", "ollama:llama3.2"],
    ["ollama:llama3.2:3b", "ollama:llama3.2"],
    ["copied", "ollama:llama3.2"],
    ["file:/models/copied.gguf", "ollama:llama3.2"],
    ["hf:acme/llama:q8_0", "ollama:llama3.2"],
    ["ann/poet", "ollama:ann/poet"],
    ["ann/poet:latest", "ollama:ann/poet"],
    ["ann/other", "HF:ann/other"],
    ["ollama:other", "ollama:other"],
    ["file:/models/other.gguf", "file:/models/other.gguf"]
  ])("of a file that has several is that file's, as Ollama and the others call it: %s", (name, ref) => {
    const found = [
      {
        model_ref: ModelRef.make("ollama:llama3.2"),
        file: "/blobs/sha256-1",
        names: ["ollama:llama3.2:3b", "file:/models/copied.gguf", "HF:acme/llama:Q8_0"]
      },
      { model_ref: ModelRef.make("ollama:ann/poet"), file: "/blobs/sha256-2" }
    ]
    expect(resolveName(name, found)).toEqual(Either.right(ref))
  })

  it.each(["HF:../x", "hf:a", "ollama:..", "file:x", "a/b/c", "", "a\nb", "x".repeat(300)])("is none: %j", (text) => {
    expect(isName(text)).toBe(false)
  })
})

describe("a reference of the hub", () => {
  it("is the same in any case of its letters, but for its revision", () => {
    const here = ["HF:Author/Model:Q8_0", "HF:Author/Model:Q8_0@Main"].map((ref) => ModelRef.make(ref))
    expect(knownAs(ModelRef.make("HF:author/model:Q8_0"), here)).toBe("HF:Author/Model:Q8_0")
    expect(knownAs(ModelRef.make("HF:author/model:Q8_0@Main"), here)).toBe("HF:Author/Model:Q8_0@Main")
    expect(knownAs(ModelRef.make("HF:author/model:Q8_0@main"), here)).toBe("HF:author/model:Q8_0@main")
    expect(knownAs(ModelRef.make("HF:author/other:Q8_0"), here)).toBe("HF:author/other:Q8_0")
  })

  it("stays as it is written where both are here", () => {
    const both = ["HF:Author/Model", "HF:author/model"].map((ref) => ModelRef.make(ref))
    expect(both.map((ref) => knownAs(ref, both))).toEqual(both)
  })

  it("is no file's, whose name may differ by its case alone", () => {
    const here = [{ model_ref: ModelRef.make("file:/A.gguf"), file: "/A.gguf" }]
    expect(resolveName("file:/a.gguf", here)).toEqual(Either.right("file:/a.gguf"))
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
