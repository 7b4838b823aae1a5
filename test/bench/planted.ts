/** How long the simulator takes to find each planted bug, with how many seeds. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { hunt, plantedIn } from "../simulation/planted.ts"

// the slowest takes half a minute on a core that nobody else uses
const limitMs = 120_000

export const run = async (names: ReadonlyArray<string>): Promise<void> => {
  const root = process.cwd()
  const chosen = plantedIn(root).filter(({ name }) => names.length === 0 || names.some((part) => name.includes(part)))
  const figures: Array<{ readonly name: string; readonly seconds: number; readonly found: string | undefined }> = []
  for (const each of chosen) {
    const { found, seconds } = await hunt(root, each, limitMs)
    figures.push({ name: each.name, seconds, found })
    process.stdout.write(`${each.name}: ${found ?? "not found"}, ${seconds.toFixed(1)} s\n`)
  }
  const count = figures.filter(({ found }) => found !== undefined).length
  process.stdout.write(`${count} of ${chosen.length} found\n`)
  process.exitCode = count === chosen.length ? 0 : 1
  mkdirSync(join(root, ".bench"), { recursive: true })
  writeFileSync(
    join(root, ".bench/planted.json"),
    JSON.stringify({ found: count, of: chosen.length, figures }, null, 2)
  )
}
