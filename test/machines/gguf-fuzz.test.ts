/** Headers of model families in which something is wrong: read by the parser, and what it takes by the real engine. */
import { spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { build } from "esbuild"
import { expect, it, vi } from "vitest"
import { SeededRandom } from "../../src/simulator/world/kernel/random.ts"
import { readGguf } from "../../src/machines/formats/gguf/gguf.ts"
import { Keys } from "../../src/machines/formats/gguf/keys.ts"
import { estimateBytes } from "../../src/machines/kinds/llama/memory.ts"
import { families, familyFile, familyHeader, writeFamily } from "../support/families/index.ts"
import { mutant, mutantHeader } from "../support/families/mutate.ts"
import type { Value } from "../support/gguf-container.ts"
import { isWhole, sampleOf } from "../support/proof.ts"

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

/** The names of all entries that the reader asks for where it wants a number, in this family's header. */
const numbersOf = (architecture: string): ReadonlyArray<string> => {
  const spies = (["count", "perLayer", "largest", "real"] as const).map((call) => vi.spyOn(Keys.prototype, call))
  const { bytes, fileBytes } = familyHeader(familyFile(architecture))
  expect(readGguf(bytes, fileBytes)._tag).toBe("Model")
  const names = spies.flatMap((spy) => spy.mock.calls.map(([name]) => name))
  for (const spy of spies) spy.mockRestore()
  return [...new Set(names)].map((name) => (name.startsWith(".") ? architecture + name : name))
}

const strange: ReadonlyArray<Value> = [
  { u32: 0 },
  { u32: 1 },
  { i32: -1 },
  { u32: 2 ** 31 },
  { u32: 2 ** 32 - 1 },
  { u64: 2n ** 53n },
  { u64: 2n ** 64n - 1n },
  { f32: Number.NaN },
  { f32: 0.5 },
  { bool: true },
  { text: "7" },
  { u32s: [] },
  { u32s: [2 ** 32 - 1, 0, 1] },
  { f32s: [Number.NaN, Number.NEGATIVE_INFINITY] }
]

it("whatever stands where a number is used, it is refused with a reason, or what is made of it is a number", () => {
  const cases = [...families.keys()].flatMap((architecture) =>
    numbersOf(architecture).flatMap((name) => strange.map((value) => ({ architecture, name, value })))
  )
  const seen = new Set<string>()
  for (const { architecture, name, value } of sampleOf(cases, 1500)) {
    const file = familyFile(architecture)
    const metadata = [...file.metadata.filter(([one]) => one !== name), [name, value] as const]
    const { bytes, fileBytes } = familyHeader({ ...file, metadata })
    const what = `${name} = ${Object.entries(value).join(" ")}`
    const result = readGguf(bytes, fileBytes)
    seen.add(result._tag)
    if (result._tag === "Invalid") expect(result.reason, what).toMatch(/^(it|its|a) \w+/)
    if (result._tag !== "Model") continue
    const { facts } = result
    for (const [fact, number] of Object.entries(facts).filter(([, each]) => typeof each === "number"))
      expect(number, `${what}: ${fact}`).toSatisfy((each: number) => Number.isFinite(each) && each >= 0)
    for (const backend of ["cpu", "cuda"] as const) {
      const shape = { context: Math.min(facts.trainedContext, 32_768), slots: 4 }
      const bytes = estimateBytes(facts, shape, { backend, kvType: "f16" })
      expect(bytes, `${what}: bytes on ${backend}`).toSatisfy((each: number) => Number.isFinite(each) && each > 0)
    }
  }
  expect([...seen].toSorted()).toEqual(["Invalid", "Model"])
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
