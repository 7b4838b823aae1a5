import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { transformSync } from "esbuild"
import { afterAll, expect, it } from "vitest"

const folder = mkdtempSync(join(tmpdir(), "rbee-hold-back-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a function hot, before and after V8 is released: by whom, `how` says. Status 16: it was optimized. */
const program = (how: string) => `
${transformSync(readFileSync("src/main/start/hold-back.ts", "utf8"), { loader: "ts" }).code}
setFlagsFromString("--allow-natives-syntax")
const status = new Function("f", "return %GetOptimizationStatus(f)")
const hot = (n) => { let sum = 0; for (let i = 0; i < n; i++) sum = (sum * 31 + i) | 0; return sum }
const isOptimized = async () => {
  for (let i = 0; i < 300 && (status(hot) & 16) === 0; i++) { hot(100000); await new Promise(setImmediate) }
  return (status(hot) & 16) !== 0
}
let timer
globalThis.setTimeout = (run, after) => ((timer = { run, after }), { unref: () => (timer.unref = true) })
const release = holdBack()
const before = await isOptimized()
${how}
console.log(JSON.stringify({ before, after: await isOptimized(), timer }))
`

const run = (how: string, env: NodeJS.ProcessEnv = {}): unknown => {
  const file = join(folder, "program.mjs")
  writeFileSync(file, program(how))
  const { NODE_OPTIONS: _, ...rest } = process.env
  return JSON.parse(execFileSync(process.execPath, [file], { encoding: "utf8", env: { ...rest, ...env } }))
}

it("optimizes nothing while a program starts, and what is hot afterwards, two seconds later", () => {
  expect(run("timer.run()")).toEqual({ before: false, after: true, timer: { after: 2000, unref: true } })
})

it("optimizes again as soon as it is asked to", () => {
  expect(run("release()")).toMatchObject({ before: false, after: true })
})

it("leaves V8 as it is where Node was given flags", () => {
  expect(run("", { NODE_OPTIONS: "--max-old-space-size=512" })).toEqual({ before: true, after: true })
})
