/** A machine that reaches no hub gets models from the queen's: a host of our own in a network namespace. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { testHub } from "../support/hub.ts"
import { useMachines } from "../support/machines.ts"
import { hasNamespaces, makeNamespace } from "../support/namespace.ts"
import { hasSshd } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()
const ends: Array<() => Promise<void> | void> = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

const model = "HF:acme/tiny:Q8_0"

describe.skipIf(!hasSshd || !hasNamespaces)("a remote hive without a way to any hub", () => {
  it("gets a model that the queen's machine has from there, the same file, and answers with it", async () => {
    const link = makeNamespace()
    ends.push(link.remove)
    const cache = mkdtempSync(join(tmpdir(), "rbee-far-"))
    ends.push(() => rmSync(cache, { recursive: true, force: true }))
    const hub = await testHub()
    ends.push(hub.close)
    // the loopback of the namespace is not ours: nobody listens there
    const there = await remote({
      installed: true,
      env: { HF_HOME: cache, HF_ENDPOINT: hub.url },
      within: { prefix: link.prefix, address: link.address, port: 2222 }
    })
    const on = await machine({ env: { RBEE_QUEEN_SSH_CONFIG: there.config, HF_ENDPOINT: hub.url } })
    on.env["HF_HOME"] = join(on.home, "hf")
    const add = await on.rbee(["hives", "add", "remote"])
    assert.strictEqual(add.code, 0, add.stderr)
    const infer = ["infer", "--hive", "remote", "--model", model, "--temperature", "0", "hello"]
    const pulled = await on.rbee(["models", "pull", model])
    assert.strictEqual(pulled.code, 0, pulled.stderr)
    assert.notInclude(pulled.stderr, "queen's machine")
    const fetched = hub.fetches().length
    const answer = await on.rbee(infer)
    assert.strictEqual(answer.code, 0, answer.stderr + (await on.rbee(["hives", "logs", "remote"])).stdout)
    assert.isNotEmpty(answer.stdout)
    assert.include(answer.stderr, "hive: the queen's machine has it; copying from there\n")
    assert.strictEqual(hub.fetches().length, fetched)
    const blobs = (home: string) => readdirSync(join(home, "hub", "models--acme--tiny", "blobs"))
    assert.deepEqual(blobs(cache), blobs(join(on.home, "hf")))
  }, 60_000)
})
