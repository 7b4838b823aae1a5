/** `rbee upgrade` on real processes: an older build, which is this one under another version, hands over to this one. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { spawn } from "node:child_process"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { isWhole } from "../support/proof.ts"

const machine = useMachines()
const root = fileURLToPath(new URL("../..", import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), "rbee-older-"))
const dist = join(scratch, "dist")
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string }

beforeAll(() => {
  cpSync(process.env.RBEE_TEST_PROGRAMS ?? join(root, "dist"), dist, { recursive: true })
  for (const name of ["node_modules", "models"]) symlinkSync(join(root, name), join(scratch, name))
  for (const name of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
    if (!/\.(cjs|mjs|js)$/.test(name)) continue
    const text = readFileSync(join(dist, name), "utf8")
    writeFileSync(join(dist, name), text.replaceAll(`"${version}"`, '"0.0.9"'))
  }
})
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
    expect(upgrade.stdout).toContain(`upgraded from rbee 0.0.9 to ${version}`)
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

  it("says where there is nothing to do", async () => {
    const on = await machine()
    expect((await on.rbee(["upgrade"])).stdout).toContain("no queen runs")
  })
})
