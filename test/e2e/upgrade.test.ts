/** `rbee upgrade` on real processes: an older build, which is this one under another version, hands over to this one. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { spawn } from "node:child_process"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { withBuiltStore } from "../support/built-store.ts"
import { eventually, type Machine, processesUnder } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { olderVersion, plantOlder, version } from "../support/older.ts"
import { isWhole } from "../support/proof.ts"
import { hasSshd, plantVersion } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()
const scratch = mkdtempSync(join(tmpdir(), "rbee-older-"))
const dist = join(scratch, "dist")

beforeAll(() => void plantOlder(scratch))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The older `rbee`, as it is running: what it wrote is told when it ends. */
const older = (on: Machine, args: ReadonlyArray<string>, onFirst: () => void = () => {}): Promise<Ran> => {
  const child = spawn(process.execPath, [join(dist, "rbee.js"), ...args], {
    env: { ...on.env, XDG_CACHE_HOME: scratch },
    stdio: ["ignore", "pipe", "pipe"]
  })
  const told = { stdout: "", stderr: "" }
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (told.stdout === "") onFirst()
    told.stdout += text
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => (told.stderr += text))
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, ...told })))
}
const pidsOf = (on: Machine, role: string) => on.processes().flatMap((one) => (one.role === role ? [one.pid] : []))
const story = (n: number) => [
  "infer",
  `tell me story ${n}`,
  "--ignore-eos",
  "--max-tokens",
  "120",
  "--temperature",
  "0"
]

/** `npm run proof -- kills` has all twenty */
const count = isWhole ? 20 : 6

describe("an upgrade", () => {
  it("of a running cluster loses no job and no token, and none comes twice", async () => {
    const on = await machine({
      env: { RBEE_WORKER_MAX_TOKENS_PER_S: "30", RBEE_SHUTDOWN_DRAIN_MS: "500", RBEE_WORKER_SLOTS: "4" }
    })
    expect((await older(on, ["up"])).code).toBe(0)
    const before = new Set([...pidsOf(on, "queen"), ...pidsOf(on, "hive")])
    // five texts; where there are twenty keepers, some answer and the others wait
    const runs: Array<Promise<Ran>> = []
    let firsts = 0
    const started = new Promise<void>((resolve) => {
      for (let i = 0; i < count; i++) runs.push(older(on, story(i % 5), () => (++firsts === 4 ? resolve() : undefined)))
    })
    await started
    const upgrade = await on.rbee(["upgrade"])
    expect(upgrade.code, upgrade.stderr).toBe(0)
    expect(upgrade.stdout).toContain(`upgraded from rbee ${olderVersion} to ${version}`)
    const ends = await Promise.all(runs)
    expect(ends.map(({ code, stderr }) => (code === 0 ? 0 : stderr))).toEqual(ends.map(() => 0))
    const whole = await Promise.all([0, 1, 2, 3, 4].map((n) => on.rbee(story(n))))
    expect(ends.map(({ stdout }) => stdout)).toEqual(ends.map((_, i) => whole[i % 5]?.stdout))
    const after = [...pidsOf(on, "queen"), ...pidsOf(on, "hive")]
    expect(after).toHaveLength(2)
    expect(after.filter((pid) => before.has(pid))).toEqual([])
    const health = (await (await on.fetch(`${on.queenUrl}/health`)).json()) as { readonly version: string }
    expect(health.version).toBe(version)
    // she stays, as the one before her
    expect(readFileSync(join(on.home, "queen", "daemon.json"), "utf8")).toContain('"stays":true')
    expect((await on.rbee(["upgrade"])).stdout).toContain("already")
    // and the older command does not take the newer one's place
    const back = await older(on, ["upgrade"])
    expect([back.code, back.stderr]).toEqual([1, expect.stringContaining("is no older than this one")])
    expect((await on.rbee(["down"])).code).toBe(0)
    expect(on.processes()).toEqual([])
  }, 180_000)

  // npm installs there: with the long proofs
  it.skipIf(!hasSshd || !isWhole)(
    "brings hives of other machines along: what is answered there goes on, token for token",
    async () => {
      const there = await remote({ env: withBuiltStore(scratch) })
      plantVersion(there.home, `${olderVersion}-000000000000`, scratch)
      const on = await machine({
        env: {
          RBEE_QUEEN_SSH_CONFIG: there.config,
          RBEE_WORKER_MAX_TOKENS_PER_S: "20",
          RBEE_SHUTDOWN_DRAIN_MS: "500"
        }
      })
      expect((await older(on, ["up"])).code).toBe(0)
      const added = await older(on, ["hives", "add", "remote", "--hive-port", String(there.hivePort)])
      expect(added.code, added.stderr).toBe(0)
      const far = [...story(1), "--hive", "remote"]
      let run = Promise.resolve<Ran | undefined>(undefined)
      await new Promise<void>((resolve) => (run = older(on, far, resolve)))
      const before = processesUnder(there.home).filter(({ role }) => role === "hive")
      expect(before).toHaveLength(1)
      const upgrade = await on.rbee(["upgrade"], { limitMs: 300_000 })
      expect(upgrade.code, upgrade.stderr).toBe(0)
      expect(upgrade.stdout).toContain(
        `hive remote has rbee ${version}\nupgraded from rbee ${olderVersion} to ${version}\n`
      )
      const end = await run
      expect(end?.code, end?.stderr).toBe(0)
      expect(end?.stdout).toBe((await on.rbee(far)).stdout)
      const after = processesUnder(there.home).filter(({ role }) => role === "hive")
      expect(after).toHaveLength(1)
      expect(after[0]?.pid).not.toBe(before[0]?.pid)
      expect((await on.rbee(["hives", "show", "remote"])).stdout).toContain(
        `a hive runs (pid ${after[0]?.pid}, rbee ${version})`
      )
      expect((await on.rbee(["down"])).code).toBe(0)
      await eventually(() => processesUnder(there.home).every(({ role }) => role === "other"), "all have ended there")
    },
    400_000
  )

  it("says where there is nothing to do", async () => {
    const on = await machine()
    expect((await on.rbee(["upgrade"])).stdout).toContain("no queen runs")
  })
})
