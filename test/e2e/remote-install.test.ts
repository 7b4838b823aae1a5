/**
 * rbee on another machine, by the real npm, as docs/machines.md shows it: added, installed, used, ended, upgraded and
 * uninstalled. The queen is a host of her own where there are network namespaces; the other machine is
 * this one, whose network reaches npm's registry.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { root, versionIn, withBuiltStore } from "../support/built-store.ts"
import { processesUnder } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { hasNamespaces, makeNamespace } from "../support/namespace.ts"
import { isWhole } from "../support/proof.ts"
import { hasSshd, plantVersion } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"
import { masked, shown, transcriptOf } from "../support/transcript.ts"

const machine = useMachines()
const remote = useRemotes()
const link = hasNamespaces && hasSshd ? makeNamespace() : undefined
const built = mkdtempSync(join(tmpdir(), "rbee-built-"))
afterEach(() => {
  link?.remove()
  rmSync(built, { recursive: true, force: true })
})

const version = versionIn(root)

/** steps 6 and 7 run at once: this line of the second one may stand anywhere among those of the first */
const runtime = "queen: worker cpu-llm-worker-rbee already available"

describe.skipIf(!hasSshd)("rbee on another machine", () => {
  it("is added, installed by npm, verified, used, ended and uninstalled, in the words of its page", async () => {
    const there = await remote({
      env: isWhole ? {} : withBuiltStore(built),
      ...(link === undefined ? {} : { within: { prefix: [], address: link.near, port: 2222 } })
    })
    writeFileSync(there.config, readFileSync(there.config, "utf8").replace("Host remote", "Host gpu-box"))
    const on = await machine({
      env: { RBEE_QUEEN_SSH_CONFIG: there.config },
      ...(link === undefined ? {} : { prefix: link.prefix })
    })
    const lines: Array<string> = []
    const run = async (command: string, ...more: ReadonlyArray<string>) => {
      const words = command.split(" ").slice(1)
      const done = await on.rbee([...words.map((word) => word.replaceAll('"', "")), ...more], { limitMs: 600_000 })
      assert.strictEqual(done.code, 0, done.stderr)
      lines.push(...transcriptOf(command, done))
    }
    await run("rbee hives add gpu-box", "--hive-port", String(there.hivePort))
    await run("rbee hives install gpu-box")
    await run('rbee infer --hive gpu-box "hello"', "--temperature", "0")
    const show = await on.rbee(["hives", "show", "gpu-box"])
    assert.match(
      show.stdout,
      new RegExp(`^gpu-box: rbee ${version}, a hive runs \\(pid \\d+, rbee ${version}\\)$`, "m")
    )
    const logs = await on.rbee(["hives", "logs", "gpu-box", "-n", "1"])
    assert.match(logs.stdout, /^\S+ .*\n$/, logs.stderr)
    const busy = await on.rbee(["hives", "uninstall", "gpu-box"])
    assert.strictEqual(busy.code, 1)
    assert.include(busy.stderr, "Stop it first: rbee hives stop gpu-box")
    await run("rbee down")
    assert.deepEqual(
      processesUnder(there.home)
        .map(({ role }) => role)
        .filter((role) => role !== "other"),
      []
    )

    // what npm built is there still when another version is in use, and is taken into use again
    const current = join(there.home, "install", "current")
    const old = join(there.home, "old")
    mkdirSync(old)
    writeFileSync(join(old, "package.json"), JSON.stringify({ name: "rbee", version: "0.0.9" }))
    rmSync(current)
    plantVersion(there.home, "0.0.9-000000000000", old)
    const other = await on.rbee(["infer", "--hive", "gpu-box", "hello"])
    assert.strictEqual(other.code, 1)
    assert.include(other.stderr, `hive gpu-box has rbee 0.0.9, this is rbee ${version}. rbee hives upgrade gpu-box`)
    const upgrade = await on.rbee(["hives", "upgrade", "gpu-box"])
    assert.strictEqual(upgrade.stdout, `rbee ${version} installed on gpu-box\n`, upgrade.stderr)
    assert.strictEqual((await on.rbee(["hives", "start", "gpu-box"])).code, 0)
    assert.strictEqual((await on.rbee(["hives", "stop", "gpu-box"])).code, 0)
    assert.strictEqual((await on.rbee(["down"])).code, 0)

    await run("rbee hives uninstall gpu-box")
    assert.isFalse(existsSync(join(there.home, "install")))
    assert.include(readdirSync(there.home), "hive-gpu-box", "what the hive knows stays")
    const none = await on.rbee(["hives", "uninstall", "gpu-box"])
    assert.strictEqual(none.stdout, "rbee was not installed on gpu-box\n", none.stderr)
    assert.strictEqual((await on.rbee(["hives", "rm", "gpu-box"])).code, 0)
    assert.include((await on.rbee(["hives", "show", "gpu-box"])).stderr, "HIVE_NOT_FOUND")

    const expected = shown("docs/machines.md", "transcript:remote")
    // how far npm is, said where it has changed, and the download: as often as it takes
    const isProgress = (line: string) => /: (\d+ fetched( \(\S+\))?, )?\d+ s$|% @ /.test(line)
    const without = (all: ReadonlyArray<string>) => masked(all).filter((line) => line !== runtime && !isProgress(line))
    assert.deepEqual(without(lines), without(expected), lines.join("\n"))
    for (const all of [lines, expected]) assert.include(all, runtime)
  }, 700_000)
})
