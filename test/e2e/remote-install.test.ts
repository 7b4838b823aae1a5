/** rbee is put on another machine that has nothing but Node, by the real npm (ACCEPTANCE F1). */
import { assert, describe, it } from "vitest"
import { useMachines } from "../support/machines.ts"
import { hasSshd } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()

describe.skipIf(!hasSshd)("rbee on another machine", () => {
  it("is installed by npm, verified and used; nothing but Node was there", async () => {
    const there = await remote()
    const on = await machine({ env: { RBEE_QUEEN_SSH_CONFIG: there.config } })
    const add = await on.rbee(["hives", "add", "remote", "--hive-port", String(there.hivePort)])
    assert.include(add.stdout, "now: rbee hives install remote", add.stderr)
    const install = await on.rbee(["hives", "install", "remote"], { limitMs: 600_000 })
    assert.strictEqual(install.code, 0, install.stderr)
    assert.match(install.stdout, /^rbee \S+ installed on remote$/m)
    const infer = await on.rbee(["infer", "--hive", "remote", "hello"])
    assert.strictEqual(infer.code, 0, infer.stderr)
    assert.isNotEmpty(infer.stdout)
  }, 700_000)
})
