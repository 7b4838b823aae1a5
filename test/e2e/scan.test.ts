/** `rbee models scan` through the real programs: what others have left on this machine, asked for by name. */
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type ollamaTree as Tree, inHubCache, minillamaFile, ollamaTree } from "../support/left-models.ts"
import type { Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines(afterAll)
let on: Machine
let user: string
let ollama: ReturnType<typeof Tree>
let blob: string
let named: string

beforeAll(async () => {
  user = mkdtempSync(join(tmpdir(), "rbee-user-"))
  ollama = ollamaTree(join(user, ".ollama", "models"))
  blob = ollama.pull("llama3.2", minillamaFile)
  ollama.pull("llama3.2:3b", minillamaFile)
  named = join(user, "named")
  mkdirSync(named)
  linkSync(blob, join(named, "Poet-3B-Q8_0.gguf"))
  copyFileSync(minillamaFile, join(named, "copied.gguf"))
  on = await machine({ env: { HOME: user } })
})
afterAll(() => rmSync(user, { recursive: true, force: true }))

const models = async (...args: ReadonlyArray<string>) => {
  const done = await on.rbee(["models", ...args])
  assert.strictEqual(done.code, 0, `${args.join(" ")}: ${done.stdout}${done.stderr}`)
  return done.stdout
}
const hello = (model: string) =>
  on.rbee(["infer", "hello", "--model", model, "--temperature", "0", "--max-tokens", "4"])

describe("rbee models scan", () => {
  it("what Ollama has is asked for by Ollama's name before any scan, from nothing running", async () => {
    const done = await hello("ollama:llama3.2:3b")
    assert.strictEqual(done.code, 0, done.stderr)
    assert.match(done.stdout, /^Hello! I am/)
    const unknown = await hello("ollama:nope")
    assert.deepEqual([unknown.code, unknown.stderr.includes("Ollama has no nope on the hive's machine")], [1, true])
    assert.strictEqual((await on.rbee(["down"])).code, 0)
  })

  it("finds the models of Ollama and of a folder that is named, one line for one file whatever its names", async () => {
    const text = await models("scan", named)
    assert.match(text, /^MODEL +SIZE +QUANT +CONTEXT +FOR +ALSO CALLED\nollama:llama3\.2:3b /)
    assert.include(text, " llama3.2:3b, llama3.2, copied.gguf, Poet-3B-Q8_0.gguf\n")
    assert.include(text, "1 model on hive localhost")
    const { models: found } = JSON.parse(await models("scan", "--json", named))
    assert.lengthOf(found, 1)
    assert.include(found[0], { file: blob, owned: false, is_new: false, hive: "localhost" })
  })

  it("every name leads to the one worker of that file, and nothing was copied", async () => {
    for (const name of [
      "llama3.2",
      "llama3.2:3b",
      "LLAMA3.2:latest",
      "poet-3b",
      `file:${join(named, "copied.gguf")}`
    ]) {
      const done = await hello(name)
      assert.strictEqual(done.code, 0, `${name}: ${done.stderr}`)
    }
    const workers = JSON.parse((await on.rbee(["workers", "ls", "--json"])).stdout)
    assert.lengthOf(workers, 1)
    assert.lengthOf(JSON.parse(await models("ls", "--json")), 1)
    const shown = await models("show", "llama3.2")
    assert.match(shown, /^model: +ollama:llama3\.2:3b\nalso called: +ollama:llama3\.2, file:\/.*copied\.gguf, /)
    assert.include(shown, "others: it is used where it lies")
  })

  it("a folder that is not there is said and does not stop the scan; where there is no other it fails", async () => {
    assert.include(await models("scan", named, "/nowhere/models"), "not looked at: /nowhere/models: it is not there\n")
    const alone = await on.rbee(["models", "scan", "/nowhere/models"])
    assert.strictEqual(alone.code, 1)
    writeFileSync(join(user, "notes.txt"), "no model")
    const file = await on.rbee(["models", "scan", join(user, "notes.txt")])
    assert.strictEqual(file.code, 1)
    assert.match(file.stdout, /not looked at: .*notes\.txt: it is a file, and no GGUF/)
  })

  it("what is gone from the disk is forgotten by the next scan", async () => {
    assert.strictEqual((await on.rbee(["workers", "stop", "--all"])).code, 0)
    for (const file of [ollama.folder, named]) rmSync(file, { recursive: true })
    assert.include(await models("scan"), "0 models on hive localhost")
    assert.strictEqual(await models("ls", "--json"), "[]\n")
  })

  it("what Hugging Face's cache has is asked for at once, and LM Studio's folder is found, where there is no network", async () => {
    assert.strictEqual((await on.rbee(["down"])).code, 0)
    Object.assign(on.env, { HF_ENDPOINT: "http://127.0.0.1:1" })
    inHubCache(join(user, ".cache/huggingface/hub"), "acme/tiny", "tiny-Q8_0.gguf", minillamaFile)
    const cached = await hello("HF:acme/tiny:Q8_0")
    assert.strictEqual(cached.code, 0, cached.stderr)
    assert.match(cached.stdout, /^Hello! I am/)
    const studio = join(user, ".lmstudio", "models", "acme", "poet")
    mkdirSync(studio, { recursive: true })
    copyFileSync(minillamaFile, join(studio, "lm-poet-Q8_0.gguf"))
    assert.match(await models("scan"), /^HF:acme\/tiny:Q8_0 .* lm-poet-Q8_0\.gguf/m)
    assert.strictEqual((await hello("lm-poet")).code, 0)
  })
})
