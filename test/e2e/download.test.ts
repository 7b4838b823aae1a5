/** `rbee infer --model HF:…`, whole, through the real programs, with a hub on loopback. */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, assert, describe, it } from "vitest"
import { stallAt, status, testHub, type TestHub } from "../support/hub.ts"
import { narration } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { patience } from "../support/patience.ts"

const machine = useMachines()
const hubs: Array<TestHub> = []
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.close()
})

const withHub = async () => {
  const hub = await testHub()
  hubs.push(hub)
  const on = await machine({ env: { HF_ENDPOINT: hub.url } })
  // known only now
  on.env["HF_HOME"] = join(on.home, "hf")
  return { hub, on, repo: join(on.home, "hf", "hub", "models--acme--tiny") }
}
const args = ["infer", "hello", "--model", "HF:acme/tiny:Q8_0", "--temperature", "0", "--max-tokens", "12"]

describe("rbee infer with a model of a hub", () => {
  it("downloads it, answers, and finds it in the catalog the next time", async () => {
    const { hub, on } = await withHub()
    const first = await on.rbee(args)
    assert.strictEqual(first.code, 0, first.stderr)
    assert.match(first.stdout, /^Hello! I am minillama/)
    const said = narration(first.stderr)
    const from = said.indexOf("queen: asked hive to download model HF:acme/tiny:Q8_0")
    assert.isAbove(from, 0)
    assert.include(said, "queen: model HF:acme/tiny:Q8_0: provisioning started")
    assert.include(said, "hive: model size = 3.3 MB; starting download")
    assert.isDefined(said.find((line) => /^hive: … 100% @ .* MB\/s …$/.test(line)))
    assert.isDefined(said.find((line) => /^hive: model downloaded in .* seconds$/.test(line)))
    const fetched = hub.fetches().length
    const second = await on.rbee([...args, "--context", "256"])
    assert.strictEqual(second.code, 0, second.stderr)
    assert.strictEqual(second.stdout, first.stdout)
    assert.notInclude(second.stderr, "download")
    assert.strictEqual(hub.fetches().length, fetched)
    assert.strictEqual((await on.rbee(["down"])).code, 0)
    assert.deepEqual(on.processes(), [])
  })

  it("serves three at once with one download", async () => {
    const { hub, on, repo } = await withHub()
    const runs = await Promise.all([1, 2, 3].map(() => on.rbee(args)))
    for (const { code, stderr, stdout } of runs) {
      assert.strictEqual(code, 0, stderr)
      assert.match(stdout, /^Hello! I am minillama/)
    }
    assert.lengthOf(readdirSync(join(repo, "blobs")), 1)
    const ranges = hub.fetches().map(({ range }) => range ?? "all of it")
    assert.deepEqual(
      ranges.filter((range) => !/^bytes=0-\d+$/.test(range)),
      ["all of it"],
      "beside the beginnings that estimates look at"
    )
    assert.isAtMost(hub.sent(), 3_297_568 + 3 * 262_144)
  })

  it("says why not, where the hub has no such model", async () => {
    const { hub, on } = await withHub()
    const missing = await on.rbee(["infer", "hello", "--model", "HF:acme/tiny:Q5_K_M"])
    assert.strictEqual(missing.code, 1)
    assert.include(missing.stderr, "MODEL_NOT_FOUND")
    assert.include(missing.stderr, "tiny-Q8_0.gguf", "what there is")
    hub.always = status(403, { "x-error-code": "GatedRepo" })
    const gated = await on.rbee(args)
    assert.strictEqual(gated.code, 1)
    assert.include(gated.stderr, "MODEL_ACCESS_DENIED")
    assert.include(gated.stderr, "HF_TOKEN")
  })

  it("is interrupted in mid-download at once, and the next run goes on from there", async () => {
    const { hub, on } = await withHub()
    // the first look is the estimate's; what comes after it stops in the middle
    hub.always = stallAt(2_200_000)
    const first = on.start(args)
    await first.until(({ stderr }) => stderr().includes("… 66% @"))
    const began = Date.now()
    first.signal("SIGINT")
    const { code, stderr } = await first.finished
    assert.strictEqual(code, 130)
    assert.include(stderr, "what was downloaded is kept")
    assert.isBelow(Date.now() - began, patience(5000))
    assert.strictEqual((await on.rbee(["down"])).code, 0)
    hub.always = undefined
    const second = await on.rbee(args)
    assert.strictEqual(second.code, 0, second.stderr)
    assert.match(second.stderr, /hive: resuming download at \d+%/)
    assert.isDefined(hub.fetches().find(({ range }) => /^bytes=[1-9]/.test(range ?? "")))
  })

  it("uses `rbee hub DIR` as its hub", async () => {
    const on = await machine()
    const hub = on.start(["hub", fileURLToPath(new URL("../../models", import.meta.url)), "--port", "0"])
    await hub.until(({ stdout }) => stdout().includes("use it:"))
    assert.include(hub.stdout(), "  HF:local/minillama:minillama-q8_0.gguf  0.003 GB\n")
    const url = / on (http:\S+)\n/.exec(hub.stdout())?.[1] ?? ""
    const env = { HF_ENDPOINT: url, HF_HOME: join(on.home, "hf") }
    const run = await on.rbee([...args.slice(0, 2), "--model", "HF:local/minillama", "--temperature", "0"], { env })
    assert.strictEqual(run.code, 0, run.stderr)
    assert.match(run.stdout, /^Hello! I am minillama/)
    assert.include(run.stderr, "minillama-q8_0.gguf", "of Q8_0 and F16 the first of the preferred ones")
    hub.signal("SIGINT")
    assert.strictEqual((await hub.finished).code, 0)
    const taken = await on.rbee(["hub", on.home, "--port", String(on.ports.queen)])
    assert.strictEqual(taken.code, 1)
    assert.include(taken.stderr, `port ${on.ports.queen} is taken`)
    const nowhere = await on.rbee(["hub", join(on.home, "nowhere"), "--port", "0"])
    assert.strictEqual(nowhere.code, 1)
    assert.match(nowhere.stderr, /the folder \S+ cannot be read/)
  })
})
