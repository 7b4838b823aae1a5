/** What a scan finds in the folders of other programs, and what it says of the rest. */
import { execFileSync } from "node:child_process"
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { knownFolders } from "../../../src/layers/models/found/folders.ts"
import { scan } from "../../../src/layers/models/found/scan.ts"
import { judged } from "../../../src/layers/models/look.ts"
import { gguf } from "../../../src/machines/formats/model-format.ts"
import { container } from "../../support/gguf-container.ts"
import { splitModel, tiny, TINY } from "../../support/gguf.ts"
import { inHubCache, ollamaTree } from "../../support/left-models.ts"

let home: string
let model: string
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "rbee-found-"))
  model = await tiny()
})
afterEach(() => {
  execFileSync("chmod", ["-R", "u+rwX", home])
  rmSync(home, { recursive: true, force: true })
})

const at = (...path: ReadonlyArray<string>): string => {
  const file = join(home, ...path)
  mkdirSync(dirname(file), { recursive: true })
  return file
}
const never = new AbortController().signal
const look = (env: Readonly<Record<string, string>> = {}, ...named: ReadonlyArray<string>) =>
  scan(knownFolders({ HOME: home, ...env }), named, (file) => judged(file, gguf), never, never)
const skippedIn = async (...named: ReadonlyArray<string>) =>
  (await look({}, ...named)).skipped.map(({ name, reason }) => `${name.replace(home, "")}: ${reason}`)

describe("a scan", () => {
  it("finds nothing, and says nothing, where nobody has left anything", async () => {
    assert.deepStrictEqual(await look(), { folders: [], models: [], skipped: [] })
  })

  it("knows the folders of Hugging Face, Ollama, LM Studio and llama.cpp, wherever their settings put them", async () => {
    const other = (seed: number) => tiny({ seed })
    inHubCache(at(".cache", "huggingface", "hub"), "acme/poet", "poet-Q8_0.gguf", await other(2))
    ollamaTree(at("moved")).pull("poet", await other(3))
    copyFileSync(await other(4), at(".lmstudio", "models", "acme", "b", "lm.gguf"))
    copyFileSync(await other(5), at("chosen", "acme", "c", "chosen.gguf"))
    writeFileSync(at(".lmstudio", "settings.json"), JSON.stringify({ downloadsFolder: at("chosen") }))
    copyFileSync(await other(6), at(".cache", "llama.cpp", "acme_cpp.gguf"))
    const { folders, models, skipped } = await look({ OLLAMA_MODELS: at("moved") })
    assert.deepStrictEqual(
      models.map(({ ref }) => ref.replace(home, "")),
      [
        "HF:acme/poet:poet-Q8_0.gguf",
        "ollama:poet",
        "file:/chosen/acme/c/chosen.gguf",
        "file:/.lmstudio/models/acme/b/lm.gguf",
        "file:/.cache/llama.cpp/acme_cpp.gguf"
      ]
    )
    assert.deepStrictEqual(
      folders.map(({ kind, models: count, path }) => [kind, path.replace(home, ""), count]),
      [
        ["huggingface", "/.cache/huggingface/hub", 1],
        ["ollama", "/moved", 1],
        ["lmstudio", "/chosen", 1],
        ["lmstudio", "/.lmstudio/models", 1],
        ["llamacpp", "/.cache/llama.cpp", 1]
      ]
    )
    assert.deepStrictEqual(skipped, [])
  })

  it("reads a folder that is named by what lies in it: Ollama's, a cache of the hub, or files in any depth", async () => {
    ollamaTree(at("disk", "ollama")).pull("poet", model)
    inHubCache(at("disk", "hub"), "acme/poet", "deep/poet-Q8_0.gguf", await tiny({ seed: 2 }))
    copyFileSync(await tiny({ seed: 3 }), at("disk", "a", "b", "c", "UPPER.GGUF"))
    const { models } = await look({}, at("disk"))
    assert.deepStrictEqual(
      models.map(({ ref }) => ref.replace(home, "")),
      ["file:/disk/a/b/c/UPPER.GGUF", "HF:acme/poet:deep/poet-Q8_0.gguf", "ollama:poet"]
    )
    const [one] = (await look({}, at("disk", "a", "b", "c", "UPPER.GGUF"))).models
    assert.strictEqual(one?.ref.replace(home, ""), "file:/disk/a/b/c/UPPER.GGUF")
  })

  it("has Ollama's names as Ollama writes them, also of other places than its own library", async () => {
    const tree = ollamaTree(at(".ollama", "models"))
    const names = ["llama3.2", "llama3.2:3b", "ann/poet", "hf.co/acme/Poet-GGUF:Q4_K_M", "host/x/poet:1"]
    for (const [seed, name] of names.entries()) tree.pull(name, await tiny({ seed }))
    const { models } = await look()
    assert.sameMembers(
      models.map(({ ref }) => ref),
      [
        "ollama:llama3.2",
        "ollama:llama3.2:3b",
        "ollama:ann/poet",
        "ollama:hf.co/acme/Poet-GGUF:Q4_K_M",
        "ollama:host/x/poet:1"
      ]
    )
    // what is of the hub is what the hub would give
    assert.deepStrictEqual(
      models.flatMap(({ names: others }) => others),
      ["HF:acme/Poet-GGUF:Q4_K_M"]
    )
  })

  it("has a file once: by its hash, as one file with several links, and as a copy", async () => {
    const tree = ollamaTree(at(".ollama", "models"))
    const blob = tree.pull("poet:3b", model)
    tree.pull("poet", model)
    inHubCache(at(".cache", "huggingface", "hub"), "acme/poet", "poet-F32.gguf", model)
    linkSync(blob, at("named", "hard.gguf"))
    symlinkSync(blob, at("named", "soft.gguf"))
    copyFileSync(model, at("named", "copy.gguf"))
    symlinkSync(at("named"), at("named", "again"))
    // of the same size, and another model
    copyFileSync(await tiny({ seed: 7 }), at("named", "other.gguf"))
    const { models } = await look({}, at("named"))
    assert.lengthOf(models, 2)
    assert.deepStrictEqual(
      [models[0]?.ref, ...(models[0]?.names ?? [])].map((name) => name?.replace(home, "")),
      [
        "HF:acme/poet:poet-F32.gguf",
        "HF:acme/poet:F32",
        "ollama:poet",
        "ollama:poet:3b",
        "file:/named/copy.gguf",
        "file:/named/hard.gguf",
        "file:/named/soft.gguf"
      ]
    )
    assert.strictEqual(models[1]?.ref.replace(home, ""), "file:/named/other.gguf")
  })

  it("a model in several files is one, where all of them are there", async () => {
    const [first, second] = [1, 2].map((part) => `poet-0000${part}-of-00002.gguf`)
    const split = await splitModel({ ...TINY, layers: 2 }, 2)
    for (const name of [first ?? "", second ?? ""]) {
      const part = split.replace("-00001-of-", name.slice(4, 14))
      copyFileSync(part, at("named", "whole", name))
      copyFileSync(part, at("named", name === first ? "head" : "tail", name))
    }
    const { models } = await look({}, at("named"))
    assert.deepStrictEqual(
      models.map(({ ref }) => ref.replace(home, "")),
      [`file:/named/whole/${first}`]
    )
    assert.deepStrictEqual(await skippedIn(at("named")), [
      `/named/head/${first}: 1 of its 2 parts are missing`,
      `/named/tail/${second}: its first part is missing`
    ])
  })

  it("that takes too long ends with what it has found, and says what it has not come to", async () => {
    for (const name of ["a/one.gguf", "b/two.gguf", "b/c/three.gguf", "d/four.gguf"])
      copyFileSync(await tiny({ seed: name.length }), at("models", name))
    const over = new AbortController()
    let looks = 0
    const inspect = (file: string) => {
      if (++looks === 2) over.abort()
      return judged(file, gguf)
    }
    const late = await scan([], [at("models")], inspect, never, over.signal)
    assert.deepStrictEqual(
      late.models.map(({ file }) => file),
      [at("models", "a", "one.gguf"), at("models", "b", "c", "three.gguf")]
    )
    assert.lengthOf(late.skipped, 2)
    for (const { reason } of late.skipped) assert.match(reason, /scan took too long/)
    over.abort()
    const none = await scan([], [at("models")], inspect, never, over.signal)
    assert.deepStrictEqual([none.models, none.skipped.map(({ name }) => name)], [[], [at("models")]])
  })

  it("says what is no model, not whole, or leads nowhere, by name, and goes on", async () => {
    const tree = ollamaTree(at(".ollama", "models"))
    tree.pull("good", model)
    const missing = "b".repeat(64)
    tree.name("gone", [["model", missing]])
    const half = "e".repeat(64)
    tree.name("half", [["model", half]])
    writeFileSync(at(".ollama", "models", "blobs", `sha256-${half}-partial`), "GGUF")
    tree.name("tuned", [
      ["model", missing],
      ["adapter", missing]
    ])
    tree.name("elsewhere", [["tensor", missing]])
    writeFileSync(tree.name("torn", []), "{")
    const { models } = await look()
    assert.deepStrictEqual(
      models.map(({ ref }) => ref),
      ["ollama:good"]
    )
    assert.deepStrictEqual(await skippedIn(), [
      "ollama:elsewhere: it has no GGUF file: it runs elsewhere, or is in another format",
      "ollama:gone: its blob is missing",
      "ollama:half: it is half downloaded: `ollama pull` goes on with it",
      "ollama:torn: its manifest is damaged",
      "ollama:tuned: it is a model with a LoRA adapter, which is not served"
    ])
  })

  it("says of files what they are: projectors, adapters, half downloads, links that lead nowhere, no files at all", async () => {
    const typed = (architecture: string, type: string) =>
      container(
        [
          ["general.architecture", { text: architecture }],
          ["general.type", { text: type }]
        ],
        []
      )
    writeFileSync(at("named", "mmproj-F16.gguf"), typed("clip", "mmproj"))
    writeFileSync(at("named", "lora.gguf"), typed("llama", "adapter"))
    writeFileSync(at("named", "page.gguf"), "<!doctype html>")
    symlinkSync("/nowhere/at/all", at("named", "link.gguf"))
    writeFileSync(at("named", "poet.gguf.part"), "GGUF")
    writeFileSync(at("named", "downloading_poet.gguf.part"), "GGUF")
    writeFileSync(at("named", "notes.part"), "of no interest")
    copyFileSync(model, at("named", "torn.gguf"))
    truncateSync(at("named", "torn.gguf"), 200_000)
    execFileSync("mkfifo", [at("named", "pipe.gguf")])
    inHubCache(at(".cache", "huggingface", "hub"), "acme/text", "model.safetensors", model)
    const link = inHubCache(at(".cache", "huggingface", "hub"), "acme/gone", "gone.gguf", model)
    rmSync(join(dirname(link), readlinkSync(link)))
    const skipped = (await skippedIn(at("named"))).toSorted()
    const expected = [
      /^\/named\/downloading_poet\.gguf\.part: it is half downloaded/,
      /^\/named\/link\.gguf: its link leads nowhere/,
      /^\/named\/lora\.gguf: it is a LoRA adapter/,
      /^\/named\/mmproj-F16\.gguf: it is a projector/,
      /^\/named\/page\.gguf: it is not a GGUF file: it is a web page/,
      /^\/named\/poet\.gguf\.part: it is half downloaded/,
      /^\/named\/torn\.gguf: it is truncated/,
      /^HF:acme\/gone:gone\.gguf: its link leads nowhere/,
      /^HF:acme\/text: it has no GGUF file in the cache/
    ]
    assert.lengthOf(skipped, expected.length, skipped.join("\n"))
    for (const [i, pattern] of expected.entries()) assert.match(skipped[i] ?? "", pattern)
  })

  it.runIf(process.getuid?.() === 0)(
    "folders and files that may not be read are said, and the others are found",
    async () => {
      copyFileSync(model, at("named", "good.gguf"))
      copyFileSync(model, at("named", "secret.gguf"))
      copyFileSync(model, at("named", "shut", "poet.gguf"))
      copyFileSync(model, at(".ollama", "models", "x"))
      chmodSync(home, 0o755)
      for (const path of [at("named", "secret.gguf"), at("named", "shut"), at(".ollama", "models")]) chmodSync(path, 0)
      process.seteuid?.(65_534)
      try {
        const { folders, models, skipped } = await look({}, join(home, "named"))
        assert.deepStrictEqual(
          models.map(({ ref }) => ref.replace(home, "")),
          ["file:/named/good.gguf"]
        )
        const reason = "it may not be read by the hive's user"
        assert.deepStrictEqual(
          [...skipped.map((each) => [each.name, each.reason]), ...folders.map(({ path, problem }) => [path, problem])],
          [
            [join(home, "named", "shut"), reason],
            [join(home, "named", "secret.gguf"), reason],
            [join(home, ".ollama", "models"), reason],
            [join(home, "named"), undefined]
          ]
        )
      } finally {
        process.seteuid?.(0)
      }
    }
  )

  it("of the hub's cache an older commit is asked for with that commit", async () => {
    const cache = at(".cache", "huggingface", "hub")
    inHubCache(cache, "acme/poet", "poet-Q8_0.gguf", model)
    const old = "b".repeat(40)
    inHubCache(cache, "acme/poet", "poet-Q8_0.gguf", await tiny({ seed: 2 }), old)
    assert.deepStrictEqual(
      (await look()).models.map(({ names, ref }) => [ref, ...names]),
      [
        ["HF:acme/poet:poet-Q8_0.gguf", "HF:acme/poet:Q8_0"],
        [`HF:acme/poet:poet-Q8_0.gguf@${old}`, `HF:acme/poet:Q8_0@${old}`]
      ]
    )
  })
})
