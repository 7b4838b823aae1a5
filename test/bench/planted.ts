/** P6: how long the simulator takes to find each planted bug, with how many seeds. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import type * as build from "../../tools/build.mjs"
import { plant, planted } from "../simulation/planted.ts"

const limitMs = 60_000

export const run = async (names: ReadonlyArray<string>): Promise<void> => {
  const root = process.cwd()
  const tools = join(root, "tools/build.mjs")
  const { bundle } = (await import(tools)) as typeof build
  const folder = mkdtempSync(join(tmpdir(), "rbee-planted-"))
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  writeFileSync(join(folder, "package.json"), '{"type":"module"}')
  let found = 0
  const chosen = planted.filter(({ name }) => names.length === 0 || names.some((part) => name.includes(part)))
  const figures: Array<{ readonly name: string; readonly seconds: number; readonly said: string }> = []
  for (const each of chosen) {
    await bundle({ simulate: "src/main/simulate.ts" }, join(folder, "dist"), { plugins: [plant(root, each)] })
    const began = performance.now()
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(folder, "dist/simulate.js"), "--seeds", "100000", "--first"],
      { encoding: "utf8", timeout: limitMs }
    )
    const seconds = (performance.now() - began) / 1000
    const said = stdout.split("\n").find((line) => line.includes(" breaks: ")) ?? "not found"
    if (status === 1) found++
    figures.push({ name: each.name, seconds, said })
    process.stdout.write(`${each.name}: ${said}, ${seconds.toFixed(1)} s\n`)
  }
  rmSync(folder, { recursive: true, force: true })
  process.stdout.write(`${found} of ${chosen.length} found\n`)
  writeFileSync(join(root, ".bench/planted.json"), JSON.stringify({ found, of: chosen.length, figures }, null, 2))
}
