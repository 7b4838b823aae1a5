import * as Either from "effect/Either"
import { describe, expect, it } from "vitest"
import { acceptedForms, parseModelRef } from "../../src/machines/formats/model-ref.ts"

const ref = (text: string) => Either.map(parseModelRef(text), (parsed) => parsed.ref)

describe("A model reference", () => {
  it.each([
    ["minillama", "minillama"],
    ["HF:author/repo", "HF:author/repo"],
    ["hf:author/repo:Q8_0", "HF:author/repo:Q8_0"],
    ["Hf:author/repo:q4_k_m", "HF:author/repo:Q4_K_M"],
    ["HF:author/repo:file.gguf", "HF:author/repo:file.gguf"],
    ["HF:author/repo:sub/dir/file-00001-of-00002.gguf", "HF:author/repo:sub/dir/file-00001-of-00002.gguf"],
    ["HF:author/repo@main", "HF:author/repo@main"],
    ["HF:a.b-c_d/r.e-p_o:Q8_0@refs/pr/1", "HF:a.b-c_d/r.e-p_o:Q8_0@refs/pr/1"],
    ["HF:a/b:two words [x] 100%+#1?.gguf", "HF:a/b:two words [x] 100%+#1?.gguf"],
    ["HF:a/b:x@y.gguf@v1.0", "HF:a/b:x@y.gguf@v1.0"],
    ["HF:a/b:模型 é.GGUF@main", "HF:a/b:模型 é.GGUF@main"],
    ["file:/models/a.gguf", "file:/models/a.gguf"],
    ["file:///models/a.gguf", "file:/models/a.gguf"],
    ["ollama:llama3.2", "ollama:llama3.2"],
    ["Ollama:llama3.2:latest", "ollama:llama3.2"],
    ["ollama:library/llama3.2:3b", "ollama:llama3.2:3b"],
    ["ollama:registry.ollama.ai/ann/poet", "ollama:ann/poet"],
    ["ollama:hf.co/acme/Poet-GGUF:Q4_K_M", "ollama:hf.co/acme/Poet-GGUF:Q4_K_M"],
    ["ollama:localhost:5000/ann/poet:1", "ollama:localhost:5000/ann/poet:1"],
    ["FILE:/my models/./a b.gguf", "file:/my models/a b.gguf"]
  ])("%s is %s", (text, canonical) => expect(ref(text)).toEqual(Either.right(canonical)))

  it("is the same again when its canonical form is read", () => {
    for (const text of ["hf:a/b:q8_0@v1.0", "file:///x//y.gguf", "minillama", "ollama:a/b:latest"]) {
      const once = Either.getOrThrow(ref(text))
      expect(ref(once)).toEqual(Either.right(once))
    }
  })

  const bad: ReadonlyArray<readonly [what: string, text: string]> = [
    ["is empty", ""],
    ["has no known prefix", "author-of-nothing"],
    ["has no repo", "HF:"],
    ["has no author", "HF:/repo"],
    ["has three parts", "HF:a/b/c"],
    ["climbs in the repo", "HF:author/.."],
    ["climbs in the file", "HF:author/repo:../x.gguf"],
    ["climbs in the path", "file:/models/../etc/passwd"],
    ["climbs in the revision", "HF:author/repo@../.."],
    ["has a space", "HF:author/re po"],
    ["begins with a space", " minillama"],
    ["has a newline", "HF:author/repo\nX-Evil: 1"],
    ["has a NUL", "file:/models/a\u0000.gguf"],
    ["has an escape sequence", "HF:author/\u001b[31mrepo"],
    ["has a C1 control", "HF:author/\u009b31mrepo"],
    ["is relative", "file:models/a.gguf"],
    ["is on another host", "file://host/models/a.gguf"],
    ["is a folder", "file:/models/"],
    ["has half of a character", "HF:author/repo:\ud800.gguf"],
    ["writes backwards", "HF:author/repo:\u202efugg.gguf"],
    ["has no name of Ollama's", "ollama:/"],
    ["climbs in Ollama's name", "ollama:../../etc/passwd"],
    ["climbs in Ollama's tag", "ollama:poet:.."],
    ["has more than Ollama's names have", "ollama:a/b/c/d"],
    ["has a file that climbs within", "HF:author/repo:a/../x.gguf"],
    ["has an empty quantisation", "HF:author/repo:"],
    ["has an empty revision", "HF:author/repo@"],
    ["is 600 characters long", `HF:author/${"x".repeat(600)}`]
  ]
  it.each(bad)("that %s is refused with the accepted forms, and never repeated", (_, text) => {
    const error = Either.getOrThrow(Either.flip(parseModelRef(text)))
    expect(error.code).toBe("INVALID_REQUEST")
    expect(error.message).toContain(acceptedForms)
    if (text.length > 3) expect(error.what).not.toContain(text)
  })
})
