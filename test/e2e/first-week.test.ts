/** What somebody does in the first week who comes from Ollama, on one machine, with the docs' own words (docs/tasks.md). */
import { copyFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, it } from "vitest"
import { testHub, type TestHub } from "../support/hub.ts"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines(afterAll)
let hub: TestHub
let on: Machine
const model = "HF:acme/tiny:Q8_0"

beforeAll(async () => {
  hub = await testHub()
  // the same bytes under another quantisation's name: one blob
  mkdirSync(join(hub.folder, "acme/twice"))
  copyFileSync(join(hub.folder, "acme/tiny/tiny-Q8_0.gguf"), join(hub.folder, "acme/twice/twice-Q8_0.gguf"))
  // with a pace: a toy's answer may come at once, and has none then
  const pace = { RBEE_WORKER_MAX_TOKENS_PER_S: "200" }
  on = await machine({ env: { HF_ENDPOINT: hub.url, RBEE_WORKER_IDLE_MS: "400", ...pace } })
  on.env["HF_HOME"] = join(on.home, "hf")
}, 60_000)
afterAll(() => hub.close())

const run = async (line: string, code = 0) => {
  const done = await on.rbee(line.split(" "))
  assert.strictEqual(done.code, code, `${line}: ${done.stdout}${done.stderr}`)
  return done.stdout
}
/** The cells of a table, by its head: columns begin where the words of the head do. */
const rowsOf = (text: string): ReadonlyArray<Readonly<Record<string, string>>> => {
  const [head = "", ...lines] = text.trimEnd().split("\n")
  const columns = [...head.matchAll(/\S+(?: \S+)*/g)].map((found) => [found[0], found.index] as const)
  return lines.map((line) =>
    Object.fromEntries(columns.map(([name, at], n) => [name, line.slice(at, columns[n + 1]?.[1]).trim()]))
  )
}
const loaded = async () => rowsOf(await run("ps"))

it("is told which one to take, and takes it: fit names a reference that runs as it is", async () => {
  const [, taken = ""] = /^take: rbee (.*) "hello"$/m.exec(await run("models fit acme/tiny")) ?? []
  assert.strictEqual(taken, `infer --model ${model}`)
  assert.match(await run(`${taken} --temperature 0 --keep-warm hello`), /^Hello! I am minillama/)
})

it("sees what is loaded: where, with how much memory, and how fast it answered", async () => {
  await run(`run ${model} Tell me a story`)
  const [row, ...others] = await loaded()
  assert.deepEqual(others, [])
  assert.include(row, { HIVE: "localhost", DEVICE: "cpu", MODEL: model, BUSY: "0/4" })
  assert.match(row?.["MEMORY"] ?? "", /^\d+ MB$/)
  assert.match(row?.["TOKENS/S"] ?? "", /^\d+(\.\d+)?$/)
  const [worker] = JSON.parse(await run("ps --json"))
  assert.include(worker, { model, tokens_per_s: Number(row?.["TOKENS/S"]) })
})

it("keeps that one loaded however idle it is, lets another go, and unloads it now", async () => {
  await run("run minillama hello")
  await eventually(async () => (await loaded()).length === 1, "the other one was not unloaded")
  assert.deepEqual(
    (await loaded()).map(({ MODEL }) => MODEL),
    [model]
  )
  assert.strictEqual(await run(`stop ${model}`), `model ${model} unloaded\n`)
  assert.deepEqual(await loaded(), [])
  assert.strictEqual(await run(`stop ${model}`), `model ${model} is not loaded\n`)
})

it("sees one blob on one line, with each name by which it can be asked for", async () => {
  await run("pull acme/twice")
  await run(`models set coder ref=${model} aliases=gpt-4o`)
  const rows = rowsOf(await run("list"))
  assert.lengthOf(rows, 1)
  assert.include(rows[0]?.["ALSO CALLED"] ?? "", "coder, gpt-4o")
  for (const name of ["coder", "twice", "GPT-4o"]) await run(`run ${name} --max-tokens 1 hello`)
})

it("is told the way by the name of what nobody has, and by Ollama's own words", async () => {
  const unknown = await on.rbee(["run", "qwen3:4b", "hello"])
  assert.strictEqual(unknown.code, 1)
  assert.match(unknown.stderr, /no model here is called so.*rbee models scan.*rbee models search/)
  assert.include((await on.rbee(["rm", model])).stderr, "Did you mean 'models rm'?")
  await run(`run ${model} --keep-warm --max-tokens 1 hello`)
  const used = await on.rbee(["models", "rm", model])
  assert.match(used.stderr, /is in use by a worker\. Unload it: `rbee stop HF:acme\/tiny:Q8_0`/)
  assert.match((await on.rbee(["stop"])).stderr, /MODEL is missing\. Example: rbee stop minillama/)
})
