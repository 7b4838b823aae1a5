/** rbee on another machine, by the real npm: an old version is upgraded, used and taken away (ACCEPTANCE F1). */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { useMachines } from "../support/machines.ts"
import { hasSshd, plantVersion } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()
const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string
}

describe.skipIf(!hasSshd)("rbee on another machine", () => {
  it("is upgraded by npm, verified and used, and uninstalled when its hive is stopped", async () => {
    const there = await remote()
    const old = join(there.home, "old")
    mkdirSync(old)
    writeFileSync(join(old, "package.json"), JSON.stringify({ name: "rbee", version: "0.0.9" }))
    plantVersion(there.home, "0.0.9-000000000000", old)
    const on = await machine({ env: { RBEE_QUEEN_SSH_CONFIG: there.config } })
    const add = await on.rbee(["hives", "add", "remote", "--hive-port", String(there.hivePort)])
    assert.include(add.stdout, "remote: rbee 0.0.9", add.stderr)
    assert.include(add.stdout, "now: rbee hives install remote")
    const other = await on.rbee(["infer", "--hive", "remote", "hello"])
    assert.strictEqual(other.code, 1)
    assert.include(other.stderr, `hive remote has rbee 0.0.9, this is rbee ${version}`)
    assert.include(other.stderr, "rbee hives upgrade remote")

    const upgrade = await on.rbee(["hives", "upgrade", "remote"], { limitMs: 600_000 })
    assert.strictEqual(upgrade.code, 0, upgrade.stderr)
    assert.strictEqual(upgrade.stdout, `rbee ${version} installed on remote\n`)
    const infer = await on.rbee(["infer", "--hive", "remote", "hello"])
    assert.strictEqual(infer.code, 0, infer.stderr)
    assert.isNotEmpty(infer.stdout)
    const show = await on.rbee(["hives", "show", "remote"])
    assert.match(show.stdout, new RegExp(`^remote: rbee ${version}, a hive runs \\(pid \\d+, rbee ${version}\\)$`, "m"))
    const logs = await on.rbee(["hives", "logs", "remote", "-n", "1"])
    assert.match(logs.stdout, /^\S+ .*\n$/, logs.stderr)

    const busy = await on.rbee(["hives", "uninstall", "remote"])
    assert.strictEqual(busy.code, 1)
    assert.include(busy.stderr, "hive remote runs there")
    assert.include(busy.stderr, "rbee hives stop remote")
    assert.strictEqual((await on.rbee(["hives", "stop", "remote"])).code, 0)
    const uninstall = await on.rbee(["hives", "uninstall", "remote"])
    assert.strictEqual(uninstall.stdout, "rbee uninstalled from remote\n", uninstall.stderr)
    assert.isFalse(existsSync(join(there.home, "install")))
    assert.include(readdirSync(there.home), "hive-remote", "what the hive knows stays")
    const none = await on.rbee(["hives", "uninstall", "remote"])
    assert.strictEqual(none.stdout, "rbee was not installed on remote\n", none.stderr)
    const gone = await on.rbee(["hives", "rm", "remote"])
    assert.strictEqual(gone.code, 0, gone.stderr)
    const unknown = await on.rbee(["hives", "show", "remote"])
    assert.strictEqual(unknown.code, 1)
    assert.include(unknown.stderr, "HIVE_NOT_FOUND")
  }, 700_000)
})
