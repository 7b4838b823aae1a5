/** Headers of model families in which something is wrong: read by the parser, and what it takes by the real engine. */
import { spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { build } from "esbuild"
import { expect, it } from "vitest"
import { SeededRandom } from "../../src/simulator/world/kernel/random.ts"
import { readGguf } from "../../src/machines/formats/gguf/gguf.ts"
import { familyHeader, writeFamily } from "../support/families/index.ts"
import { mutant, mutantHeader } from "../support/families/mutate.ts"
import { isWhole } from "../support/proof.ts"

it("a thousand wrong headers are each read or refused with a reason", () => {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 1000; seed++) {
    const { bytes, fileBytes } = mutantHeader(new SeededRandom(seed))
    const result = readGguf(bytes, fileBytes)
    seen.add(result._tag)
    if (result._tag === "Invalid") expect(result.reason, `seed ${seed}`).toMatch(/^(it|its|a) \w+/)
    if (result._tag === "NeedMore") expect(result.bytes).toBeGreaterThan(bytes.length)
  }
  expect([...seen].toSorted()).toEqual(["Invalid", "Model", "NeedMore"])
})

const count = isWhole ? 2000 : 150

it("what is read of them the real engine loads or refuses, and never ends over", async () => {
  const root = resolve(import.meta.dirname, "../..")
  const folder = await mkdtemp(join(root, "node_modules", ".rbee-mutants-"))
  const models = await mkdtemp(join(tmpdir(), "rbee-mutants-"))
  const program = join(folder, "loader.mjs")
  await build({
    absWorkingDir: root,
    entryPoints: ["test/support/families/loader.ts"],
    outfile: program,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    logLevel: "error"
  })
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "pipe"] })
  try {
    let said = ""
    child.stderr.on("data", (data: Buffer) => (said = (said + data.toString()).slice(-2000)))
    child.stdin.on("error", () => undefined)
    const answers = createInterface(child.stdout)[Symbol.asyncIterator]()
    const outcomes = new Set<string>()
    for (let seed = 1; seed <= count; seed++) {
      const file = mutant(new SeededRandom(seed))
      const { bytes, fileBytes } = familyHeader(file)
      if (readGguf(bytes, fileBytes)._tag !== "Model") continue
      const path = join(models, "mutant.gguf")
      await writeFamily(path, file)
      child.stdin.write(`${path}\n`)
      const { value } = await answers.next()
      const what = `seed ${seed}, ${file.architecture}: ${file.changes.join(", ")}; ${said}`
      expect(String(value), what).toMatch(/^(answered|MODEL_INVALID|VRAM_EXHAUSTED|INVALID_REQUEST)$/)
      outcomes.add(String(value))
    }
    expect([...outcomes]).toEqual(expect.arrayContaining(["answered", "MODEL_INVALID"]))
  } finally {
    child.kill("SIGKILL")
    await rm(folder, { recursive: true, force: true })
    await rm(models, { recursive: true, force: true })
  }
}, 600_000)
