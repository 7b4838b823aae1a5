/** Workers that cannot boot, with a worker program that really dies. */
import { cpSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const root = fileURLToPath(new URL("../..", import.meta.url))

/** The programs, with this text as the worker. */
const programsWith = (worker: string): string => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-boot-"))
  cpSync(join(root, "dist"), join(folder, "dist"), { recursive: true })
  cpSync(join(root, "package.json"), join(folder, "package.json"))
  for (const name of ["node_modules", "models"]) symlinkSync(join(root, name), join(folder, name))
  writeFileSync(join(folder, "dist/worker.mjs"), worker)
  writeFileSync(join(folder, "dist/worker.js"), 'void import("./worker.mjs")')
  return join(folder, "dist")
}

describe("a worker that cannot boot", () => {
  it("is restarted three times, then its model rests there and the job fails with the worker's last words", async () => {
    const on = await machine({
      programs: programsWith('process.stderr.write("the bees have left the building\\n"); process.exit(1)\n')
    })
    const run = await on.rbee(["infer", "hello"])
    assert.strictEqual(run.code, 1)
    assert.lengthOf(run.stderr.match(/^hive: worker \S+ failed to boot \(.*\); restarting \(\d\/3\)$/gm) ?? [], 3)
    assert.match(run.stderr, /restarting \(1\/3\)[\s\S]*restarting \(2\/3\)[\s\S]*restarting \(3\/3\)/)
    assert.include(run.stderr, "queen: job failed: WORKER_START_FAILED: ")
    assert.include(run.stderr, "the bees have left the building")
    const [job] = (await (await on.fetch(`${on.queenUrl}/jobs`)).json()) as Array<{
      error: { code: string; details: Record<string, unknown> }
    }>
    assert.strictEqual(job?.error.code, "WORKER_START_FAILED")
    assert.strictEqual(job?.error.details["status"], 502)
    const next = await on.rbee(["infer", "hello"])
    assert.strictEqual(next.code, 1)
    assert.notInclude(next.stderr, "restarting (1/3)", "its model rests")
    assert.strictEqual((await on.rbee(["down"])).code, 0)
    assert.deepEqual(on.processes(), [])
  })

  it("boots at its second try, and the job goes on", async () => {
    const flag = join(mkdtempSync(join(tmpdir(), "rbee-boot-flag-")), "tried")
    const on = await machine({
      programs: programsWith(
        `import { existsSync, writeFileSync } from "node:fs"
if (existsSync(${JSON.stringify(flag)})) await import(${JSON.stringify(join(root, "dist/worker.js"))})
else { writeFileSync(${JSON.stringify(flag)}, ""); process.exit(1) }
`
      )
    })
    const run = await on.rbee(["infer", "hello", "--temperature", "0"])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.match(run.stdout, /^Hello! I am minillama/)
    assert.match(
      run.stderr,
      /restarting \(1\/3\)\nhive: waking worker on :\d+ with model=.*\nqueen: CPU worker is awake/
    )
  })
})
