/** `rbee models …` through the real programs: fetching, showing, keeping and removing models of a hub on loopback. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { invalid } from "../support/gguf.ts"
import { stallAt, testHub, type TestHub } from "../support/hub.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const hubs: Array<TestHub> = []
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.close()
})

const withHub = async (files: Readonly<Record<string, Uint8Array>> = {}) => {
  const hub = await testHub(files)
  hubs.push(hub)
  const on = await machine({ env: { HF_ENDPOINT: hub.url } })
  // known only now
  on.env["HF_HOME"] = join(on.home, "hf")
  const says = async (args: ReadonlyArray<string>, code = 0) => {
    const done = await on.rbee(["models", ...args])
    assert.strictEqual(done.code, code, `${args.join(" ")}: ${done.stdout}${done.stderr}`)
    return done
  }
  return { hub, on, says }
}
const model = "HF:acme/tiny:Q8_0"

describe("rbee models", () => {
  it("shows why a model is tried no more, with the words that try it again, and does so", async () => {
    const { on, says } = await withHub()
    const ref = `file:${await invalid("unknown-architecture")}`
    const failed = await on.rbee(["infer", "--model", ref, "hello"])
    assert.strictEqual(failed.code, 1)
    assert.include(failed.stderr, "MODEL_INVALID")
    const shown = async () => (await says(["show", ref])).stdout
    assert.match(await shown(), /unknown model architecture.*`rbee models retry` tries it again/)
    await says(["retry", ref])
    assert.notInclude(await shown(), "models retry")
    assert.include((await says(["retry", "HF:acme/nobody"], 1)).stderr, "MODEL_NOT_FOUND")
  })

  it("pulls a model from nothing running, shows it, keeps a pinned one, and removes what is not in use", async () => {
    const { on, says } = await withHub()
    await says(["ls"], 3)
    const pulled = await says(["pull", "hf:acme/tiny:q8_0"])
    assert.match(pulled.stdout, /^model HF:acme\/tiny:Q8_0 is on hive localhost \(3\.3 MB, .*tiny-Q8_0\.gguf\)\n$/)
    assert.include(pulled.stderr, "hive: model size = 3.3 MB; starting download\n")
    assert.include((await says(["ls"])).stdout, model)
    const [shown] = JSON.parse((await says(["show", model, "--json"])).stdout)
    assert.include(shown, {
      model_ref: model,
      architecture: "llama",
      quantization: "Q8_0",
      template: true,
      owned: true
    })
    assert.isTrue(existsSync(shown.file))
    await says(["pin", model])
    assert.include((await says(["gc", "--max-mb", "0", "--last-copies"])).stdout, "it is pinned")
    await says(["unpin", model])
    assert.strictEqual((await on.rbee(["infer", "hello", "--model", model, "--max-tokens", "4"])).code, 0)
    const refused = await says(["rm", model], 1)
    assert.include(refused.stderr, "CONFLICT")
    assert.include((await says(["gc", "--max-mb", "0", "--last-copies"])).stdout, "a worker uses it")
    assert.strictEqual((await on.rbee(["workers", "stop", "--all"])).code, 0)
    assert.include((await says(["gc", "--max-mb", "0"])).stdout, "it is the last copy in the cluster")
    assert.include((await says(["gc", "--max-mb", "0", "--last-copies"])).stdout, `removed ${model}`)
    assert.isFalse(existsSync(shown.file))
    assert.include((await says(["show", model], 1)).stderr, "MODEL_NOT_FOUND")
    assert.include((await says(["pull", "HF:../x"], 1)).stderr, "Accepted: minillama")
  })

  it("a reference that leaves a choice gets what fits the device, and the reason can be read", async () => {
    const { hub, on, says } = await withHub()
    mkdirSync(join(hub.folder, "acme", "many"))
    const [small, large] = ["Q2_K", "Q4_K_M"].map((quant) => join(hub.folder, "acme", "many", `many-${quant}.gguf`))
    for (const file of [small ?? "", large ?? ""]) copyFileSync(join(hub.folder, "acme/tiny/tiny-Q8_0.gguf"), file)
    truncateSync(large ?? "", 300_000_000)
    on.env["RBEE_HIVE_GPUS"] = JSON.stringify([{ id: "gpu0", name: "RTX 1", backend: "cuda", vram_mb: 250 }])
    const many = "HF:acme/many"
    const done = await on.rbee(["infer", "hello", "--model", many, "--device", "gpu0", "--temperature", "0"])
    assert.strictEqual(done.code, 0, done.stderr)
    assert.match(done.stdout, /^Hello! I am minillama/)
    const shown = (await says(["show", many])).stdout
    assert.include(shown, "many-Q2_K.gguf")
    assert.include(shown, "Q2_K: the first in the order of preference that fits; too large: Q4_K_M\n")
  })

  it("a model on the disk is asked for by its file's name, or in another case, from nothing running, and not fetched again", async () => {
    const { hub, on, says } = await withHub()
    await says(["pull", model])
    for (const name of ["Tiny-Q8_0", "tiny", "hf:ACME/Tiny:q8_0"]) {
      assert.strictEqual((await on.rbee(["down"])).code, 0)
      const run = await on.rbee(["infer", "hello", "--model", name, "--temperature", "0", "--max-tokens", "4"])
      assert.strictEqual(run.code, 0, `${name}: ${run.stderr}`)
    }
    assert.lengthOf(hub.fetches(), 1)
    assert.include((await says(["show", "TINY"])).stdout, model)
    const unknown = await on.rbee(["infer", "hello", "--model", "gpt-4"])
    assert.deepEqual([unknown.code, unknown.stderr.includes("Accepted: minillama")], [1, true])
  })

  it("an interrupted pull keeps what came, and the next one goes on from there; --json tells all of it", async () => {
    const { hub, on, says } = await withHub()
    hub.always = stallAt(2_200_000)
    const first = on.start(["models", "pull", model])
    await first.until(({ stderr }) => stderr().includes("… 66% @"))
    first.signal("SIGINT")
    const interrupted = await first.finished
    assert.strictEqual(interrupted.code, 130)
    assert.include(interrupted.stderr, "bee-keeper: cancelled\nbee-keeper: what was downloaded is kept; the next try")
    assert.strictEqual((await on.rbee(["down"])).code, 0)
    hub.always = undefined
    const events = (await says(["pull", model, "--json"])).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
    assert.deepInclude(events.at(-1), { event: "ready", model_ref: model })
    const file: string = events.at(-1).file
    assert.strictEqual(readFileSync(file).length, 3_297_568)
    assert.isBelow(hub.sent(), 3_297_568 + 1024 * 1024, "what was there is not fetched again")
  })
})
