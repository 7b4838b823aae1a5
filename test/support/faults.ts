/**
 * Faults on real processes: what is struck, when, and what must hold afterwards. A phase is entered on what the run
 * itself printed, never by time. Used by the kill tests and by `npm run kill-matrix`.
 */
import assert from "node:assert/strict"
import { eventually, type Machine, makeMachine, type Proc, type Running } from "./machine.ts"

export type Role = Exclude<Proc["role"], "other">
export type Fault = "SIGKILL" | "SIGSTOP" | "SIGABRT" | "SIGSEGV"

/** 120 tokens at 40 a second: three seconds of answer, so that every fault of those phases falls inside it. */
export const paced = { RBEE_WORKER_MAX_TOKENS_PER_S: "40" }
export const story = ["infer", "tell me a story", "--ignore-eos", "--max-tokens", "120", "--temperature", "0"]

/** The answer that nothing disturbs. */
export const undisturbedStory = async (programs?: string): Promise<string> => {
  const on = await makeMachine(programs === undefined ? {} : { programs })
  try {
    const { stdout } = await on.rbee(story)
    assert.ok(stdout.length > 200, stdout)
    return stdout
  } finally {
    await on.dispose()
  }
}

export interface Phase {
  readonly name: string
  /** which processes there are by then */
  readonly roles: ReadonlyArray<Role>
  /** Brings the machine there; what runs then has to give the whole story. */
  readonly enter: (on: Machine) => Promise<ReadonlyArray<Running>>
  /** everything ends by itself: who is to be struck may have gone already, which is as good */
  readonly ends?: boolean
}

type Condition = (run: Running) => boolean
export const said =
  (line: string): Condition =>
  (run) =>
    run.stderr().includes(line)
export const told =
  (characters: number): Condition =>
  (run) =>
    run.stdout().length >= characters

const begun = async (on: Machine, condition: Condition) => {
  const run = on.start(story)
  await run.until(condition)
  return run
}
const cold =
  (condition: Condition): Phase["enter"] =>
  async (on) => [await begun(on, condition)]
/** with everything awake */
const warm =
  (...conditions: ReadonlyArray<Condition>): Phase["enter"] =>
  async (on) => {
    const woken = await on.rbee(["infer", "hello"])
    assert.equal(woken.code, 0, woken.stderr)
    return Promise.all(conditions.map((condition) => begun(on, condition)))
  }
/** A second fault in one answer: it has gone on, by twenty characters and more, after the first. */
const resumed =
  (role: Role, line: string): Phase["enter"] =>
  async (on) => {
    const run = await begun(on, told(40))
    await strike(on, role, "SIGKILL")
    await run.until(said(line))
    const before = run.stdout().length
    await run.until(told(before + 20))
    return [run]
  }
const ending: Phase["enter"] = async (on) => {
  await warm()(on)
  await on.start(["down"]).until(said("shutting down workers"))
  return []
}

const keeper: ReadonlyArray<Role> = ["rbee"]
const queen: ReadonlyArray<Role> = [...keeper, "queen"]
const hive: ReadonlyArray<Role> = [...queen, "hive"]
const all: ReadonlyArray<Role> = [...hive, "worker"]

const phase = (name: string, roles: ReadonlyArray<Role>, enter: Phase["enter"]): Phase => ({ name, roles, enter })
export const phases: ReadonlyArray<Phase> = [
  phase("while the queen is launched", keeper, cold(said("launching queen"))),
  phase("once connected", queen, cold(said("connected to queen via SSE"))),
  phase("while the hive wakes", hive, cold(said("waking the beehive"))),
  phase("at the first heartbeat", hive, cold(said("first heartbeat from hive"))),
  phase("once capabilities are known", hive, cold(said("hive localhost has CPU"))),
  phase("once placed", hive, cold(said("basic scheduler picked"))),
  phase("while the model is provisioned", hive, cold(said("provisioning started"))),
  phase("once the model is there", all, cold(said("model downloaded"))),
  phase("once the worker is bound", all, cold(said("waking worker on"))),
  phase("once the worker is awake", all, cold(said("CPU worker is awake"))),
  phase("once inference has started", all, cold(said("starting inference\n"))),
  phase("at the first token", all, cold(told(1))),
  phase("in mid-answer", all, cold(told(40))),
  phase("late in the answer", all, cold(told(120))),
  phase("while a warm answer is placed", all, warm(said("basic scheduler picked"))),
  phase("while two answers are decoded", all, warm(told(40), told(40))),
  phase("after the worker was lost once", all, resumed("worker", "worker lost after")),
  phase("after the hive was lost once", all, resumed("hive", "worker lost after")),
  phase("after the queen was lost once", all, resumed("queen", "lost queen; reconnecting…")),
  phase("while everything idles", ["queen", "hive", "worker"], warm()),
  { ...phase("while everything shuts down", ["queen", "hive"], ending), ends: true }
]

export const phaseNamed = (name: string): Phase => {
  const found = phases.find((one) => one.name === name)
  if (found === undefined) throw new Error(`no phase ${name}`)
  return found
}

export const pidsOf = (on: Machine, role: Role): ReadonlyArray<number> =>
  on.processes().flatMap((process) => (process.role === role ? [process.pid] : []))

/** Sends the signal to the processes of this role, as soon as there are some; which it was. */
export const strike = async (on: Machine, role: Role, fault: Fault, ends = false): Promise<ReadonlyArray<number>> => {
  await eventually(() => pidsOf(on, role).length > 0 || (ends && on.processes().length === 0), `a ${role} to strike`)
  return pidsOf(on, role).filter((pid) => signalled(pid, fault))
}

const signalled = (pid: number, fault: Fault): boolean => {
  try {
    return process.kill(pid, fault)
  } catch {
    return false // it went by itself, between the look and the signal
  }
}

/** Those who were there are gone: a worker dies with its hive, a stopped process is ended by its supervisor. */
const areGone = (on: Machine, pids: ReadonlyArray<number>, what: string, boundMs?: number) =>
  eventually(() => on.processes().every(({ pid }) => !pids.includes(pid)), what, boundMs)

/** What must hold after a fault, whatever was struck and whenever: nothing is left over, and the next infer works. */
export const assertRecovered = async (on: Machine): Promise<void> => {
  const again = await on.rbee(["infer", "hello", "--temperature", "0"])
  assert.equal(again.code, 0, again.stderr)
  assert.match(again.stdout, /^Hello! I am minillama/)
  const down = await on.rbee(["down"])
  assert.equal(down.code, 0, down.stderr)
  await eventually(
    () => on.processes().length === 0,
    () => `orphans: ${JSON.stringify(on.processes())}`
  )
  assert.deepEqual(on.listening(), [])
}

/**
 * One fault in one phase: every run ends by itself with the whole answer, as if nothing had happened, unless it was
 * struck itself. Returns the milliseconds from the fault to the end of the runs.
 */
export const recovers = async (
  on: Machine,
  { ends, enter }: Phase,
  role: Role,
  fault: Fault,
  undisturbed: string
): Promise<number> => {
  const runs = await enter(on)
  const workers = role === "hive" && fault !== "SIGSTOP" ? pidsOf(on, "worker") : []
  const struck = await strike(on, role, fault, ends)
  const at = performance.now()
  for (const run of runs) assert.ok(run.stdout().length < undisturbed.length, "the fault came after the answer")
  await areGone(on, workers, "workers of the dead hive are gone")
  const ended = await Promise.all(runs.map((run) => run.finished))
  const ms = performance.now() - at
  for (const { code, stdout, stderr } of role === "rbee" ? [] : ended) {
    assert.equal(code, 0, stderr)
    assert.equal(stdout, undisturbed, stderr)
  }
  await assertRecovered(on)
  await areGone(on, struck, `the ${role} that was struck is gone`)
  return ms
}

/**
 * A queen that is stopped in mid-answer: the keeper gives her up by her pid after 45 s of silence, and the job goes on
 * by itself when she continues. Returns the milliseconds from the stop to the keeper's end.
 */
export const stoppedQueen = async (on: Machine, undisturbed: string): Promise<number> => {
  const run = on.start(story, { limitMs: 120_000 })
  await run.until(told(40))
  const [pid = 0] = await strike(on, "queen", "SIGSTOP")
  const at = performance.now()
  const { code, stderr, stdout } = await run.finished
  const ms = performance.now() - at
  assert.equal(code, 1, stderr)
  assert.match(stderr, new RegExp(`CONNECTION_TIMEOUT: .*pid ${pid}\\b`))
  assert.ok(stdout.length < undisturbed.length && undisturbed.startsWith(stdout), stdout)
  process.kill(pid, "SIGCONT")
  const jobs = async () => (await (await on.fetch(`${on.queenUrl}/jobs`)).json()) as ReadonlyArray<Job>
  await eventually(async () => (await jobs())[0]?.state === "done", "the job is done", 30_000)
  const [job] = await jobs()
  const replay = await (await on.fetch(`${on.queenUrl}/jobs/${job?.job_id ?? ""}/events`)).text()
  const texts = [...replay.matchAll(/^event: token\ndata: (.*)$/gm)].map(([, data = "{}"]) => JSON.parse(data) as Token)
  assert.equal(texts.map(({ t }) => t).join(""), undisturbed)
  assert.deepEqual(
    texts.map(({ i }) => i),
    texts.map((_, index) => index)
  )
  await assertRecovered(on)
  return ms
}

interface Job {
  readonly job_id: string
  readonly state: string
}
interface Token {
  readonly i: number
  readonly t: string
}
