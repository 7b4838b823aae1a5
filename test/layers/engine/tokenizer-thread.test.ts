/** The tokenizer's program, with a runtime in the place of llama.cpp's that ends whoever loads it. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, expect, it } from "vitest"
import { addonOf, packagesOf } from "../../../src/layers/engine/llama/packages.ts"
import type { Question, Reading } from "../../../src/layers/engine/llama/reading/tokenize.ts"
import { patience } from "../../support/patience.ts"

const programs = fileURLToPath(new URL("../../../dist/", import.meta.url))
const made: Array<() => void> = []
afterEach(() => made.splice(0).forEach((dispose) => dispose()))

/** The program in a folder of its own, where the package of the CPU's runtime runs `code` when it is loaded. */
const tokenizerWith = (code: string): ChildProcess => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-tokenizer-"))
  for (const name of ["tokenizer.js", "tokenizer.cjs"]) copyFileSync(join(programs, name), join(folder, name))
  // what kind of modules they are: said in their folder, or in that of the package
  const said = [join(programs, "package.json"), join(programs, "../package.json")].find((file) => existsSync(file))
  copyFileSync(said ?? "", join(folder, "package.json"))
  const [name = ""] = packagesOf("cpu", process.platform, process.arch)
  const place = join(folder, "node_modules", name)
  // a folder is loaded by its index.js
  const addon = addonOf(join(place, "bins", name.slice(name.indexOf("/") + 1)))
  mkdirSync(join(place, "dist"), { recursive: true })
  mkdirSync(addon, { recursive: true })
  writeFileSync(join(place, "package.json"), '{"main":"dist/index.js"}')
  writeFileSync(join(place, "dist", "index.js"), "")
  writeFileSync(join(addon, "index.js"), code)
  const child = fork(join(folder, "tokenizer.js"), ['{"runtime":{"gpu":"cpu"},"template":"{{ messages }}"}'], {
    serialization: "advanced",
    cwd: dirname(folder)
  })
  made.push(() => {
    child.kill("SIGKILL")
    rmSync(folder, { recursive: true })
  })
  return child
}

it("says at once that its thread ended without a word, and ends itself", { timeout: patience(10_000) }, async () => {
  const child = tokenizerWith("process.exit(0)")
  const question: Question = { ask: "dialect", tries: 0, spelling: { bos: "", eos: "" } }
  const said = new Promise<Reading>((resolve) => child.once("message", (reading: Reading) => resolve(reading)))
  const ended = once(child, "exit")
  child.send(question)
  expect(await said).toEqual({ t: "broken", reason: "its thread ended without a word (code 0)" })
  await ended
})
