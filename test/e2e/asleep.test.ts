/**
 * A machine that sleeps, through the real programs: an sshd in a network namespace, a listener there that hears the magic
 * packet as a network card would, a boot that is faked by starting the sshd, and a sleep by ending all that runs there.
 */
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { fileURLToPath } from "node:url"
import { assert, it } from "vitest"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { hasNamespaces, makeNamespace } from "../support/namespace.ts"
import { patience } from "../support/patience.ts"
import { hasSshd, type RemoteMachine } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()
const listener = fileURLToPath(new URL("../support/wake-listener.cjs", import.meta.url))
const mac = "02:00:00:00:00:07"
/** what the faked machine takes to boot, milliseconds */
const firmwareMs = 1500
/** The simulator holds the queen to a second; here whatever else the machine does is in it. */
const besidesMs = () => patience(5000)

/** The machine's network card, and its power button. */
const cardOf = (there: RemoteMachine, prefix: ReadonlyArray<string>) => {
  const [command = "", ...args] = [...prefix, process.execPath, listener, mac]
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] })
  const card = {
    child,
    said: "",
    isOff: false,
    packets: () => card.said.split("\n").filter((line) => line === "packet").length,
    /** from the packet until its sshd listened, milliseconds */
    bootMs: 0
  }
  let isBooting = false
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    card.said += text
    if (!text.includes("packet") || !card.isOff || isBooting) return
    isBooting = true
    const heardAt = performance.now()
    setTimeout(() => {
      void there.start().then(() => {
        card.bootMs = performance.now() - heardAt
        card.isOff = isBooting = false
      })
    }, firmwareMs)
  })
  return card
}

const stateOf = async (on: Machine): Promise<string> => {
  const hives = JSON.parse((await on.rbee(["hives", "ls", "--json"])).stdout)
  return hives.find(({ id }: { readonly id: string }) => id === "remote").state
}

/** Asked of it, and answered; how long that took, milliseconds. */
const asked = async (on: Machine) => {
  const began = performance.now()
  const run = await on.rbee(["infer", "--hive", "remote", "hello"])
  assert.strictEqual(run.code, 0, run.stderr)
  assert.isNotEmpty(run.stdout)
  return { stderr: run.stderr, ms: performance.now() - began }
}

it.skipIf(!hasSshd || !hasNamespaces)(
  "sleeps when it is idle, and is woken by a request alone, which is answered when it has booted and loaded",
  async () => {
    const link = makeNamespace()
    const folder = mkdtempSync(join(tmpdir(), "rbee-asleep-"))
    const mark = join(folder, "asleep")
    const there = await remote({
      installed: true,
      within: { prefix: link.prefix, address: link.address, port: 2222 },
      env: { RBEE_HIVE_SUSPEND_COMMAND: `touch,${mark}` }
    })
    const card = cardOf(there, link.prefix)
    try {
      await eventually(() => card.said.includes("ready"), "its card listens")
      const on = await machine({ env: { RBEE_QUEEN_SSH_CONFIG: there.config } })
      for (const [flags, problem] of [
        [["--sleep-after", "30m"], "nobody could wake it again without --mac"],
        [["--mac", "02:00"], "--mac is not accepted. Accepted: a MAC address"]
      ] as const) {
        const refused = await on.rbee(["hives", "add", "remote", ...flags])
        assert.deepEqual([refused.code, refused.stderr.includes(problem)], [2, true], refused.stderr)
      }
      const words = ["--hive-port", String(there.hivePort), "--mac", mac, "--sleep-after", "2s"]
      const add = await on.rbee(["hives", "add", "remote", ...words])
      assert.strictEqual(add.code, 0, add.stderr)
      const asleep = async () => {
        await eventually(() => existsSync(mark), "it is told to sleep", patience(20_000))
        rmSync(mark)
        card.isOff = true
        await there.stop()
        await eventually(async () => (await stateOf(on)) === "asleep", "the queen knows that it sleeps")
      }
      // on a machine that is awake: its hive is started, the model is loaded, the answer comes
      const { ms: loadMs } = await asked(on)
      await asleep()
      for (const look of ["status", "doctor"]) await on.rbee(look.split(" "))
      const shown = await on.rbee(["hives", "show", "remote"])
      assert.match(shown.stdout, /\nremote +asleep /)
      assert.include(shown.stdout, `sleeps when it was idle for 2 s, is woken by ${mac}`)
      // the next queen, and who asks none, know it without a look
      assert.strictEqual((await on.rbee(["queen", "stop"])).code, 0)
      assert.strictEqual(await stateOf(on), "asleep")
      assert.strictEqual((await on.rbee(["queen", "start"])).code, 0)
      assert.strictEqual(await stateOf(on), "asleep")
      assert.strictEqual(card.packets(), 0)
      const first = await asked(on)
      assert.include(first.stderr, "queen: waking remote: it sleeps, and was never woken before")
      assert.isAtLeast(card.packets(), 1)
      assert.isAtMost(first.ms, card.bootMs + loadMs + besidesMs())
      await asleep()
      const second = await asked(on)
      assert.match(second.stderr, /queen: waking remote: usually up in \d+(\.\d)? s/)
      assert.isAtMost(second.ms, card.bootMs + loadMs + besidesMs())
      await on.rbee(["down"])
    } finally {
      card.child.kill()
      link.remove()
      rmSync(folder, { recursive: true, force: true })
    }
  },
  patience(120_000)
)
