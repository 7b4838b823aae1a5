/**
 * `kill -9` of every kind of process in named phases of a run, each entered on what the run itself printed. Whatever
 * died: the run ends by itself, nothing is left that nobody owns, and the next `infer` works (ACCEPTANCE B5).
 */
import { assert, beforeAll, describe, it } from "vitest"
import { eventually, type Machine, makeMachine, type Proc, type Running } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()

/** A phase has begun when this holds. */
const said =
  (line: string) =>
  (run: Running): boolean =>
    run.stderr().includes(line)
const told =
  (characters: number) =>
  (run: Running): boolean =>
    run.stdout().length >= characters

const phases: Record<string, (run: Running) => boolean> = {
  "while the queen is launched": said("launching queen"),
  "once connected": said("connected to queen via SSE"),
  "while the hive wakes": said("waking the beehive"),
  "at the first heartbeat": said("first heartbeat from hive"),
  "once capabilities are known": said("hive localhost has CPU"),
  "once placed": said("basic scheduler picked"),
  "while the model is provisioned": said("provisioning started"),
  "once the model is there": said("model downloaded"),
  "once the worker is bound": said("waking worker on"),
  "once the worker is awake": said("CPU worker is awake"),
  "once inference has started": said("starting inference\n"),
  "at the first token": told(1),
  "in mid-answer": told(40),
  "late in the answer": told(120)
}
const named = (...names: ReadonlyArray<string>) =>
  names.map((name): [string, (run: Running) => boolean] => {
    const phase = phases[name]
    if (phase === undefined) throw new Error(`no phase ${name}`)
    return [name, phase]
  })
const all = Object.keys(phases)
const from = (name: string) => named(...all.slice(all.indexOf(name)))

const plan: ReadonlyArray<[Proc["role"], ReadonlyArray<[string, (run: Running) => boolean]>]> = [
  ["rbee", from("while the queen is launched")],
  ["queen", from("once connected")],
  ["hive", from("at the first heartbeat")]
]

/** 120 tokens at 40 a second: three seconds of answer, so that every fault falls inside it. */
const paced = { RBEE_WORKER_MAX_TOKENS_PER_S: "40" }
const long = ["infer", "tell me a story", "--ignore-eos", "--max-tokens", "120", "--temperature", "0"]

const pidsOf = (on: Machine, role: Proc["role"]) =>
  on.processes().flatMap((process) => (process.role === role ? [process.pid] : []))

const kill9 = async (on: Machine, role: Proc["role"]) => {
  await eventually(() => pidsOf(on, role).length > 0, `a ${role} to kill`)
  const pids = pidsOf(on, role)
  for (const pid of pids) process.kill(pid, "SIGKILL")
  return pids
}

/** The answer that nothing disturbed. */
let undisturbed = ""
beforeAll(async () => {
  const on = await makeMachine()
  try {
    undisturbed = (await on.rbee(long)).stdout
    assert.isAbove(undisturbed.length, 200)
  } finally {
    await on.dispose()
  }
})

/** The run ends by itself: with the whole answer, token by token as if nothing had died, unless it died itself. */
const assertEnded = async (run: Running, killed: Proc["role"]) => {
  const done = await run.finished
  if (killed === "rbee") return
  assert.strictEqual(done.code, 0, done.stderr)
  assert.strictEqual(done.stdout, undisturbed, done.stderr)
}

/** What must hold after a death, whatever died and whenever. */
const assertRecovered = async (on: Machine) => {
  const again = await on.rbee(["infer", "hello", "--temperature", "0"])
  assert.strictEqual(again.code, 0, again.stderr)
  assert.match(again.stdout, /^Hello! I am minillama/)
  const down = await on.rbee(["down"])
  assert.strictEqual(down.code, 0, down.stderr)
  await eventually(
    () => on.processes().length === 0,
    () => `orphans: ${JSON.stringify(on.processes())}`
  )
  assert.deepEqual(on.listening(), [])
}

describe.each(plan)("kill -9 of the %s", (role, when) => {
  it.each(when)("%s leaves nothing orphaned and the next infer works", async (_, phase) => {
    const on = await machine({ env: paced })
    const run = on.start(long)
    await run.until(phase)
    const workersBefore = role === "hive" ? pidsOf(on, "worker") : []
    await kill9(on, role)
    // a worker dies with its hive
    await eventually(
      () => pidsOf(on, "worker").every((pid) => !workersBefore.includes(pid)),
      "workers of the dead hive are gone"
    )
    await assertEnded(run, role)
    await assertRecovered(on)
  })
})

describe("kill -9 of the worker", () => {
  const workerPhases = from("once the worker is bound")
  it.each(workerPhases)("%s leaves nothing orphaned and the next infer works", async (_, phase) => {
    const on = await machine({ env: paced })
    const run = on.start(long)
    await run.until(phase)
    await kill9(on, "worker")
    await assertEnded(run, "worker")
    await assertRecovered(on)
  })

  it("while it idles leaves nothing orphaned and the next infer works", async () => {
    const on = await machine()
    await on.rbee(["infer", "hello"])
    await kill9(on, "worker")
    await assertRecovered(on)
  })

  it("while it answers two jobs ends both and the next infer works", async () => {
    const on = await machine({ env: paced })
    await on.rbee(["infer", "hello"])
    const runs = [on.start(long), on.start(long)]
    for (const run of runs) await run.until(told(10))
    await kill9(on, "worker")
    for (const run of runs) await assertEnded(run, "worker")
    await assertRecovered(on)
  })
})
