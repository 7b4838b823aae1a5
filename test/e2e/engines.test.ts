/**
 * llama.cpp's own server as a worker's engine, on real processes: an entry goes to it, its death is a pause, and nothing
 * is left of it, however those end that have started it. Skipped where it is not built: `npm run peer`.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { builtServer } from "../support/built-server.ts"
import { eventually, type Machine, processesUnder, type Running } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const program = builtServer()
const machine = useMachines()

const withServer = async (env: Record<string, string> = {}): Promise<Machine> => {
  const on = await machine({ env: { RBEE_WORKER_THREADS: "1", ...env } })
  mkdirSync(on.home, { recursive: true })
  writeFileSync(
    join(on.home, "config.toml"),
    `[models.fox]\nref = "minillama"\nengine = "llama-server"\n\n[engines.llama-server]\ncommand = "${program}"\n`
  )
  return on
}

const paced = { RBEE_WORKER_MAX_TOKENS_PER_S: "40" }
const story = ["infer", "--model", "fox", "tell me a story", "--ignore-eos", "--max-tokens", "100"]
const greedy = [...story, "--temperature", "0"]

/** Of the servers that were started under its home. */
const serversOn = ({ home }: Machine): ReadonlyArray<number> =>
  processesUnder(home).flatMap(({ command, pid }) => (command.startsWith(`${program} --model`) ? [pid] : []))

interface Event extends Readonly<Record<string, unknown>> {
  readonly event: string
}
const eventsOf = (run: Running): ReadonlyArray<Event> =>
  run
    .stdout()
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Event)
const named = (run: Running, name: string) => eventsOf(run).filter(({ event }) => event === name)
const textOf = (run: Running): string =>
  named(run, "token")
    .map(({ t }) => String(t))
    .join("")

/** Strikes after ten more tokens. */
const killed = async (run: Running, pid: () => number | undefined): Promise<void> => {
  const before = named(run, "token").length
  await run.until(() => named(run, "token").length > before + 10)
  process.kill(pid() ?? -1, "SIGKILL")
}

describe.skipIf(program === undefined)("llama-server, which is built here by `npm run peer`", () => {
  it("serves who asks for it; its death and its worker's are a pause, told as what they are; nothing is left of it", async () => {
    const on = await withServer(paced)
    const workers = () => on.processes().filter(({ role }) => role === "worker")
    const undisturbed = await on.rbee(greedy)
    assert.strictEqual(undisturbed.code, 0, undisturbed.stderr)
    assert.include(undisturbed.stderr, "worker cpu-llama-server-rbee already available")

    const run = on.start([...greedy, "--json"])
    await killed(run, () => serversOn(on)[0])
    await killed(run, () => workers()[0]?.pid)
    const { code, stderr } = await run.finished
    assert.strictEqual(code, 0, stderr)
    assert.strictEqual(textOf(run), undisturbed.stdout.replace(/\n$/, ""))
    const failovers = named(run, "failover")
    assert.deepEqual(
      failovers.map(({ continued, resampled }) => ({ continued, resampled })),
      [0, 1].map(() => ({ continued: true, resampled: undefined }))
    )

    const drawn = on.start([...story, "--seed", "5", "--json"])
    await killed(drawn, () => serversOn(on)[0])
    assert.strictEqual((await drawn.finished).code, 0)
    assert.lengthOf(named(drawn, "token"), 100)
    assert.deepInclude(named(drawn, "failover")[0], { continued: true, resampled: true })

    // who does not ask for it has the usual engine, in a worker of its own
    const plain = await on.rbee(["infer", "hello", "--max-tokens", "5"])
    assert.include(plain.stderr, "worker cpu-llm-worker-rbee already available")
    assert.deepEqual([workers().length, serversOn(on).length], [2, 1])

    // nobody is left who could end it: the kernel does
    for (const { pid, role } of on.processes()) if (role !== "other") process.kill(pid, "SIGKILL")
    await eventually(() => processesUnder(on.home).length === 0, "all of it is gone")
  }, 120_000)
})

describe("a machine without llama-server", () => {
  it("says so by name, and what to do, where an entry asks for it", async () => {
    const on = await machine({})
    mkdirSync(on.home, { recursive: true })
    writeFileSync(
      join(on.home, "config.toml"),
      '[models.fox]\nref = "minillama"\nengine = "llama-server"\n[engines.llama-server]\ncommand = "/nowhere/llama-server"\n'
    )
    const { code, stderr } = await on.rbee(["infer", "--model", "fox", "hello"])
    assert.strictEqual(code, 1)
    assert.include(stderr, "llama-server cannot serve here: it is not there [configuration]")
    assert.include(stderr, "Correct [engines.llama-server] of its configuration")
  }, 60_000)
})
