/** `rbee models search` and `fit` through the real programs, against a hub on loopback. */
import { copyFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { testHub, type TestHub } from "../support/hub.ts"
import type { Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines(afterAll)
let hub: TestHub
let on: Machine
beforeAll(async () => {
  hub = await testHub()
  const [from, to] = ["acme/tiny/tiny-Q8_0.gguf", "acme/tiny/tiny-Q4_K_M.gguf"].map((path) => join(hub.folder, path))
  copyFileSync(from ?? "", to ?? "")
  mkdirSync(join(hub.folder, "acme", "other"))
  copyFileSync(from ?? "", join(hub.folder, "acme", "other", "other-F16.gguf"))
  const gpus = [{ id: "gpu0", name: "RTX 1", backend: "cuda", vram_mb: 10 }]
  on = await machine({ env: { HF_ENDPOINT: hub.url, RBEE_HIVE_GPUS: JSON.stringify(gpus) } })
  on.env["HF_HOME"] = join(on.home, "hf")
  // a toy's whole answer may come at once where the queen had to wait, which would tell nothing of the device's pace
  on.env["RBEE_WORKER_MAX_TOKENS_PER_S"] = "200"
})
afterAll(() => hub.close())

const models = (...args: ReadonlyArray<string>) => on.rbee(["models", ...args])

describe("rbee models search", () => {
  it("tells repositories with their quantisations and sizes, and wakes nobody", async () => {
    const found = await models("search", "tiny", "acme")
    assert.strictEqual(found.code, 0, found.stderr)
    assert.match(
      found.stdout,
      /^REPOSITORY +DOWNLOADS +LIKES +MODELS\nHF:acme\/tiny +- +- +Q4_K_M 3\.3 MB, Q8_0 3\.3 MB\n$/
    )
    const [repo, ...others] = JSON.parse((await models("search", "acme", "--limit", "1", "--json")).stdout)
    assert.lengthOf(others, 0)
    assert.hasAllKeys(repo.models[0], ["ref", "quantization", "file", "files", "bytes"])
    assert.strictEqual((await on.rbee(["status"])).code, 3)
  })

  it("nothing found is 1, no words are wrong usage, and a hub that is not there is said at once", async () => {
    const none = await models("search", "nothing-like-it")
    assert.deepEqual([none.code, none.stdout], [1, ""])
    assert.strictEqual((await models("search")).code, 2)
    assert.strictEqual((await models("search", " ")).code, 2)
    const off = await on.rbee(["models", "search", "tiny"], { env: { HF_ENDPOINT: "http://127.0.0.1:1" } })
    assert.strictEqual(off.code, 1)
    assert.include(off.stderr, "127.0.0.1:1 cannot be reached (ECONNREFUSED). Check the network and HF_ENDPOINT")
  })
})

describe("rbee models fit", () => {
  it("tells of every quantisation and device whether it fits, with context, MB and tokens/s where they are known", async () => {
    const before = await models("fit", "acme/tiny")
    assert.strictEqual(before.code, 0, before.stderr)
    assert.match(before.stdout, /^MODEL +SIZE +DEVICE +FITS +CONTEXT +MEMORY +AT MOST +TOKENS\/S\n/)
    assert.match(before.stdout, /\nQ4_K_M +3\.3 MB +GPU0 of localhost \(RTX 1\) +no: \d+ MB of 9 MB +- +- +- +-\n/)
    assert.match(
      before.stdout,
      /\nQ8_0 +3\.3 MB +CPU of localhost \(\d+ cores\) +yes +4 × 512 +\d+ MB +1 × 512 +not known\n/
    )
    assert.include(before.stdout, 'take: rbee infer --model HF:acme/tiny:Q4_K_M "hello"\n')
    assert.lengthOf(JSON.parse((await models("ls", "--json")).stdout), 0, "nothing was fetched")
    const run = await on.rbee(["infer", "hello", "--model", "HF:acme/tiny:Q8_0", "--ignore-eos", "--max-tokens", "40"])
    assert.strictEqual(run.code, 0, run.stderr)
    const rows: ReadonlyArray<Record<string, unknown>> = JSON.parse((await models("fit", "acme/tiny", "--json")).stdout)
    assert.deepStrictEqual(
      rows.map(({ device, fits, quantization }) => [quantization, device, fits]),
      [
        ["Q4_K_M", "gpu0", "no"],
        ["Q4_K_M", "cpu", "yes"],
        ["Q8_0", "gpu0", "no"],
        ["Q8_0", "cpu", "yes"]
      ]
    )
    assert.isAbove(Number(rows[3]?.["tokens_per_s"]), 0)
    assert.notProperty(rows[0], "tokens_per_s")
  })

  it("a model that is here is judged by its name or its path; what nobody has is said", async () => {
    const here = await models("fit", "HF:acme/tiny:Q8_0")
    assert.strictEqual(here.code, 0, here.stderr)
    const file = await models("fit", `file:${join(hub.folder, "acme/other/other-F16.gguf")}`)
    assert.strictEqual(file.code, 0, file.stderr)
    const nowhere = await models("fit", "acme/nowhere")
    assert.deepEqual([nowhere.code, nowhere.stderr.includes("there is no acme/nowhere on 127.0.0.1")], [1, true])
  })
})
