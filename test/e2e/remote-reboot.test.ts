/** A cluster of two machines answers while one of them is rebooted: hosts of our own, with different devices. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { makeSseParser } from "../../src/protocol/sse.ts"
import { eventually, type Machine, processesUnder } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { hasNamespaces, makeNamespace, type Namespace } from "../support/namespace.ts"
import { isWhole } from "../support/proof.ts"
import { hasSshd, type RemoteMachine } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()
const namespaces: Array<Namespace> = []
const folders: Array<string> = []
afterEach(() => {
  for (const namespace of namespaces.splice(0)) namespace.remove()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

interface Host {
  readonly there: RemoteMachine
  readonly reboot: () => Promise<void>
}

/** A machine with these GPUs, whose boot id changes when it is rebooted. */
const host = async (gpus: string, env: Record<string, string>): Promise<Host> => {
  const link = makeNamespace()
  namespaces.push(link)
  const folder = mkdtempSync(join(tmpdir(), "rbee-boot-"))
  folders.push(folder)
  const boot = join(folder, "boot_id")
  const switchOn = () => writeFileSync(boot, readFileSync("/proc/sys/kernel/random/uuid"))
  switchOn()
  // what runs behind `ip netns exec` has its own mounts
  const own = ["sh", "-c", 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"', boot]
  const within = { prefix: [...link.prefix, ...own], address: link.address, port: 2222 }
  const there = await remote({ installed: true, env, within })
  writeFileSync(join(there.home, "config.toml"), gpus)
  const reboot = async () => {
    link.cut()
    await there.stop()
    switchOn()
    link.mend()
    await there.start()
  }
  return { there, reboot }
}

const hivePid = ({ there }: Host): number => processesUnder(there.home).find(({ role }) => role === "hive")?.pid ?? 0

interface Reader {
  readonly events: Array<{ readonly event: string; readonly data: Readonly<Record<string, unknown>> }>
  readonly ended: Promise<void>
}

const ask = async (on: Machine, prompt: string): Promise<Reader> => {
  const body = JSON.stringify({ model: "minillama", prompt, temperature: 0, ignore_eos: true, max_tokens: 24 })
  const headers = { "content-type": "application/json" }
  const made = await on.fetch(`${on.queenUrl}/jobs`, { method: "POST", headers, body })
  assert.strictEqual(made.status, 201)
  const { events: path } = (await made.json()) as { readonly events: string }
  const stream = await on.fetch(`${on.queenUrl}${path}`)
  const events: Reader["events"] = []
  const parse = makeSseParser(({ data, event }) => void events.push({ event, data: JSON.parse(data) }))
  const read = async () => {
    const decoder = new TextDecoder()
    for await (const chunk of stream.body ?? []) parse(decoder.decode(chunk, { stream: true }))
  }
  return { events, ended: read() }
}

const tokens = ({ events }: Reader) => events.filter(({ event }) => event === "token")
const textOf = (reader: Reader) =>
  tokens(reader)
    .map(({ data }) => String(data["t"]))
    .join("")
const failovers = ({ events }: Reader) => events.filter(({ event }) => event === "failover")
const picked = ({ events }: Reader): string | undefined =>
  events.flatMap(({ data }) => / picked \S+ on hive (\w+)$/.exec(String(data["human"]))?.[1] ?? []).at(-1)

const prompts = ["tell me a story", "What is a queen?", "hello", "What is a hive?", "Who are you?"]

describe.skipIf(!hasSshd || !hasNamespaces)("a cluster of two machines", () => {
  it("answers all its jobs while one is rebooted in the middle of its answers: every text is the undisturbed one", async () => {
    const env = { RBEE_WORKER_SLOTS: "16", RBEE_WORKER_CONTEXT: "256", RBEE_WORKER_MAX_TOKENS_PER_S: "8" }
    const alpha = await host(`[[hive.gpus]]\nid = "gpu0"\nname = "RTX 3060"\nvram_mb = 12000\n`, env)
    const beta = await host(
      [0, 1].map((n) => `[[hive.gpus]]\nid = "gpu${n}"\nname = "RTX 3090"\nvram_mb = 24000\n`).join(""),
      env
    )
    const config = join(alpha.there.home, "both")
    const named = ({ there }: Host, name: string) => readFileSync(there.config, "utf8").replace("remote", name)
    writeFileSync(config, `${named(alpha, "alpha")}\n${named(beta, "beta")}\n`)
    const on = await machine({ env: { RBEE_QUEEN_SSH_CONFIG: config } })
    for (const name of ["alpha", "beta"]) {
      assert.strictEqual((await on.rbee(["hives", "add", name])).code, 0)
      const start = await on.rbee(["hives", "start", name])
      assert.strictEqual(start.code, 0, start.stderr)
    }
    const { stdout } = await on.rbee(["hives", "ls"])
    assert.match(stdout, /alpha.*GPU0 RTX 3060/)
    assert.match(stdout, /beta.*GPU0 RTX 3090 \(declared\), GPU1 RTX 3090/)

    const undisturbed = new Map<string, string>()
    for (const reader of await Promise.all(prompts.map((prompt) => ask(on, prompt).then((one) => ({ prompt, one }))))) {
      await reader.one.ended
      undisturbed.set(reader.prompt, textOf(reader.one))
    }

    const before = hivePid(beta)
    const jobs = await Promise.all(
      Array.from({ length: isWhole ? 200 : 60 }, async (_, i) => {
        const prompt = prompts[i % prompts.length] ?? ""
        return { prompt, reader: await ask(on, prompt) }
      })
    )
    const inTheMiddle = () =>
      jobs.filter(({ reader }) => picked(reader) === "beta" && tokens(reader).length > 3 && tokens(reader).length < 16)
    await eventually(() => inTheMiddle().length >= 8, "answers of the machine are under way", 20_000)
    await beta.reboot()
    await Promise.all(jobs.map(({ reader }) => reader.ended))

    for (const { prompt, reader } of jobs) {
      const end = reader.events.at(-1)
      assert.strictEqual(end?.event, "done", JSON.stringify(end))
      assert.deepEqual(
        tokens(reader).map(({ data }) => data["i"]),
        Array.from({ length: 24 }, (_, i) => i)
      )
      assert.strictEqual(textOf(reader), undisturbed.get(prompt))
    }
    const moved = jobs.flatMap(({ reader }) => failovers(reader))
    assert.isAtLeast(moved.filter(({ data }) => Number(data["tokens"]) > 0).length, 8, "it fell inside answers")
    const again = await on.rbee(["infer", "--hive", "beta", "hello"])
    assert.strictEqual(again.code, 0, again.stderr)
    assert.notStrictEqual(hivePid(beta), before)
    assert.strictEqual((await on.rbee(["down"])).code, 0)
    assert.deepEqual(
      [...processesUnder(alpha.there.home), ...processesUnder(beta.there.home)].filter((one) => one.role !== "other"),
      []
    )
  }, 180_000)
})
