/** A newer rbee for a queen whom a real systemd looks after: she is followed by one of it, once, as the same service. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeEach, describe, expect, it } from "vitest"
import type { Health } from "../../src/machines/vocabulary/common.ts"
import { eventually, makeMachine, type Machine } from "../support/machine.ts"
import { olderVersion, plantOlder, replaceOlder, version } from "../support/older.ts"
import { isWhole } from "../support/proof.ts"
import { startSystemd } from "../support/systemd.ts"

const systemd = await startSystemd()
const scratch = mkdtempSync(join(tmpdir(), "rbee-older-"))
const dist = systemd === undefined ? scratch : plantOlder(scratch)
const made: Array<Machine> = []
afterAll(async () => {
  await systemd?.stop()
  for (const one of made) await one.dispose()
  rmSync(scratch, { recursive: true, force: true })
})

const health = async (on: Machine) =>
  (await (await fetch(`${on.queenUrl}/health`, { headers: { connection: "close" } })).json()) as Health
/** Until then the kernel has connections for it. */
const isGone = (pid: number) => eventually(() => !existsSync(`/proc/${pid}`), "its end")

describe.skipIf(systemd === undefined)("a service of an older rbee", () => {
  const property = (name: string) =>
    systemd?.systemctl("show", `--property=${name}`, "--value", "rbee-queen.service").trim()
  const unit = () =>
    readFileSync(join(systemd?.env["XDG_CONFIG_HOME"] ?? "", "systemd/user/rbee-queen.service"), "utf8")
  const queens = (on: Machine) => on.processes().flatMap((one) => (one.role === "queen" ? [one.pid] : []))
  let older: Machine
  /** the same machine, as the newer command sees it */
  let on: Machine

  beforeEach(async () => {
    older ??= await makeMachine({
      programs: dist,
      prefix: systemd?.prefix ?? [],
      env: { ...systemd?.env, RBEE_SHUTDOWN_DRAIN_MS: "500", RBEE_WORKER_MAX_TOKENS_PER_S: "20" }
    })
    on ??= await makeMachine({ prefix: systemd?.prefix ?? [], env: older.env })
    made.push(older, on)
  })

  it("hands over to the newer one by `rbee upgrade`, which its unit starts from then on", async () => {
    expect((await older.rbee(["service", "install"])).code).toBe(0)
    const words = ["infer", "tell me a story", "--ignore-eos", "--max-tokens", "80", "--temperature", "0"]
    const answer = older.start(words)
    await answer.until(({ stdout }) => stdout() !== "")
    const before = await health(older)
    expect(before.version).toBe(olderVersion)
    const set = unit().match(/^Environment=.*$/gm)
    const upgrade = await on.rbee(["upgrade"])
    expect(upgrade.code, upgrade.stderr).toBe(0)
    expect(upgrade.stdout).toBe(`upgraded from rbee ${olderVersion} to ${version}\n`)
    const after = await health(older)
    expect([after.version, after.id]).toEqual([version, before.id])
    // one queen, the service's own, started again once
    expect([queens(older), property("MainPID"), property("NRestarts")]).toEqual([[after.pid], String(after.pid), "1"])
    expect(unit().match(/^Environment=.*$/gm)).toEqual(set)
    const { code, stderr, stdout } = await answer.finished
    expect(code, stderr).toBe(0)
    expect(stdout).toBe((await on.rbee(words)).stdout)
    // and after a crash it is the newer one again
    process.kill(after.pid, "SIGKILL")
    await isGone(after.pid)
    expect((await health(older)).version).toBe(version)
    expect((await on.rbee(["service", "uninstall"])).code).toBe(0)
  }, 120_000)

  // she looks every ten seconds: with the long proofs
  it.skipIf(!isWhole)(
    "is followed by the newer one, once, that was installed in its place",
    async () => {
      expect((await older.rbee(["service", "install"])).code).toBe(0)
      const before = await health(older)
      expect(before.version).toBe(olderVersion)
      replaceOlder(dist)
      // without a connection that would wake her
      await eventually(
        () => ![undefined, "0", String(before.pid)].includes(property("MainPID")),
        "the next one",
        40_000
      )
      const after = await health(older)
      expect([after.version, after.id]).toEqual([version, before.id])
      expect([queens(older), property("NRestarts")]).toEqual([[after.pid], "1"])
      expect((await on.rbee(["service", "uninstall"])).code).toBe(0)
      expect(older.processes()).toEqual([])
    },
    120_000
  )
})
