/**
 * `npm run bench -- NAME`: bundles test/bench/NAME.ts, and beside it the programs that benchmarks start
 * (test/bench/*-parts/*-program.ts), and runs its `run()`. Figures go to .bench/NAME.json too.
 */
import { existsSync, mkdirSync, readdirSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { bundle } from "./build.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const [name, ...rest] = process.argv.slice(2)
const all = readdirSync(`${root}/test/bench`).flatMap((file) => (file.endsWith(".ts") ? [file.slice(0, -3)] : []))
if (name === undefined || !existsSync(`${root}/test/bench/${name}.ts`)) {
  process.stderr.write(`usage: npm run bench -- NAME   (${all.join(", ")})\n`)
  process.exit(2)
}
mkdirSync(`${root}/.bench`, { recursive: true })
const programs = readdirSync(`${root}/test/bench`, { recursive: true }).filter((file) => file.endsWith("-program.ts"))
const entries = [`${name}.ts`, ...programs].map((file) => [basename(file, ".ts"), `test/bench/${file}`])
await bundle(Object.fromEntries(entries), `.bench/bundle`)
const { run } = await import(pathToFileURL(`${root}/.bench/bundle/${name}.js`).href)
await run(rest)
