/**
 * Runs one plan: faults, then healing for good, then liveness within a bound, then the end of the cluster, after which
 * nothing may be left. Returns what broke, or that nothing did.
 */
import { Kernel, type Stop } from "../world/kernel/kernel.ts"
import { holdRoots } from "../world/roots.ts"
import type { SimProcess } from "../world/process.ts"
import { Cluster } from "./cluster.ts"
import { heal, strike } from "./faults.ts"
import type { Onlooker } from "../watch/onlooker.ts"
import { type Plan, promptOf } from "./plan.ts"
import { tools } from "../clients/surfaces.ts"
import { bootClient, type ClientRun } from "../clients/client.ts"
import { bootCommand, bootKeeper, bootLook, type KeeperRun } from "./commands.ts"
import { bootHive, bootQueen, bootWorker } from "./programs.ts"
import { type Expected, expectedOf } from "./jobs.ts"
import { judge, judgeClients, withCutAnswers } from "./judge.ts"
import { Violation } from "../watch/watch.ts"

/** after healing every job ends within this time: a device out of service is back after 5 minutes */
const liveMs = 10 * 60_000
/** an answer without a reader is decoded no longer than this (docs/design.md#when-something-fails) */
const abandonedMs = 10_000
/** the shutdown protocol ends by 33 s (docs/design.md#shutdown); a keeper looks for a moment longer */
const downMs = 60_000
/** a queen that lost her catalog may take so long to start and to hear from every hive */
const registerMs = 5000
/** a queen answers whoever asks within this time, or is known not to */
const lookMs = 60_000
/** a hive of which nobody has ever wanted anything ends after a minute */
const unwantedMs = 65_000
/** left alone, hives end after 30 minutes, and the queen 30 minutes after the last of them */
const idleMs = 65 * 60_000
/** the next queen is there by then: the longest pause between two tries, and a start */
const wokenMs = 60_000

export interface Outcome {
  readonly plan: Plan
  readonly broken: { readonly invariant: string; readonly message: string } | undefined
  readonly digest: string
  readonly steps: number
  readonly virtualMs: number
  /** how the jobs ended */
  readonly ends: ReadonlyArray<string>
  /** answers that went on elsewhere */
  readonly failovers: number
  /** wakings of machines of which was said how long they would take */
  readonly foreseen: number
}

export const runPlan = (plan: Plan, trace?: (line: string) => void, onlooker?: Onlooker): Outcome => {
  const letGo = holdRoots()
  const expected = new Map(plan.jobs.map((job) => [promptOf(job), expectedOf(plan, job)]))
  const kernel = new Kernel({ seed: plan.seed, trace })
  const cluster = new Cluster(kernel, plan, { hive: bootHive, queen: bootQueen, worker: bootWorker }, onlooker)
  let broken: Outcome["broken"]
  try {
    broken = live(kernel, cluster, plan, expected)
  } catch (error) {
    broken =
      error instanceof Violation
        ? { invariant: error.invariant, message: error.message }
        : { invariant: "no bug", message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  } finally {
    letGo()
  }
  const jobs = cluster.journal.peek().jobs(1000)
  return {
    plan,
    broken,
    digest: kernel.digest,
    steps: kernel.steps,
    virtualMs: kernel.now,
    ends: jobs.map(({ facts }) => facts.error?.code ?? facts.state),
    failovers: jobs.reduce((sum, { facts }) => sum + facts.failovers, 0),
    foreseen: cluster.watch.foreseen
  }
}

const explain = (stop: Stop, waitedFor: string): Outcome["broken"] => {
  switch (stop._tag) {
    case "Leak":
      return { invariant: "nothing real", message: `${stop.what} was reached for: ${stop.site}` }
    case "Livelock":
      return { invariant: "liveness", message: "the cluster turns round without the clock moving" }
    default:
      return { invariant: "liveness", message: `${stop._tag}: ${waitedFor}` }
  }
}

const live = (
  kernel: Kernel,
  cluster: Cluster,
  plan: Plan,
  expected: ReadonlyMap<string, Expected>
): Outcome["broken"] => {
  const keepers: Array<KeeperRun> = []
  const clients: Array<ClientRun> = []
  for (const job of plan.jobs)
    kernel.at(job.at, () => {
      if (job.client !== undefined)
        return void clients.push(bootClient(cluster, cluster.first.spawn(`client-${job.id}`), job))
      const request = {
        model: job.model ?? "minillama",
        messages: [{ role: "user" as const, content: promptOf(job) }],
        ...(job.calls === true ? { tools } : {})
      }
      const options = { request, teardown: job.teardown, format: "quiet" as const }
      return void keepers.push(bootKeeper(cluster, cluster.first.spawn(`keeper-${job.id}`), options))
    })
  for (const { awake, id } of plan.hives)
    if (awake) kernel.at(0, () => bootCommand(cluster, cluster.first.spawn(`start-${id}`), { startHive: id }))
  if (plan.stays === true) kernel.at(0, () => bootCommand(cluster, cluster.first.spawn("up"), "stay"))
  for (const fault of plan.faults)
    kernel.at(fault.at, () => {
      const inSteps = (left: number): void => {
        if (left === 0) strike(cluster, keepers, fault)
        else kernel.schedule({ key: fault, run: () => inSteps(left - 1) })
      }
      inSteps(fault.steps)
    })
  const look = (): void => {
    cluster.watch.processes(cluster.machines)
    kernel.at(1000, look)
  }
  look()
  let healed = plan.faults.length === 0
  if (!healed)
    kernel.at(plan.healAt, () => {
      heal(cluster)
      healed = true
    })

  // phases 1 and 2: every keeper comes to its end, and the faults are over
  const askers = () => [...keepers, ...clients]
  const isOver = () =>
    healed &&
    keepers.length + clients.length === plan.jobs.length &&
    keepers.every(({ process }) => !process.isAlive) &&
    clients.every(({ process }) => !process.isAlive)
  const bound = (plan.faults.length === 0 ? 30_000 : plan.healAt) + liveMs
  const first = kernel.run(isOver, bound)
  if (first !== undefined) {
    const waiting = askers()
      .filter(({ process }) => process.isAlive)
      .map(({ process }) => process.name)
    return explain(first, `after ${bound / 1000} s ${waiting.join(", ")} still run`)
  }

  // a keeper may have been killed, and its queen with it: whoever comes next wakes her
  const unfinished = () => cluster.journal.peek().unfinished()
  if (unfinished().length > 0) {
    bootCommand(cluster, cluster.first.spawn("up"), "up")
    const second = kernel.run(() => unfinished().length === 0, kernel.now + liveMs)
    if (second !== undefined)
      return explain(
        second,
        `jobs do not end: ${unfinished()
          .map(({ facts, id }) => `${id} (${facts.state})`)
          .join(", ")}`
      )
  }
  const told = withCutAnswers(cluster, plan, expected)
  const wrong = judge(cluster, plan, told, keepers, clients) ?? judgeClients(cluster, plan, told, clients)
  if (wrong !== undefined) return wrong
  const held = slotsHeld(kernel, cluster)
  if (held !== undefined) return held

  if (plan.stays === true) {
    const here = kernel.run(() => cluster.living("queen").length > 0, kernel.now + wokenMs)
    if (here !== undefined) return explain(here, "no queen is there, and she was to stay")
  }

  // the end
  const isIdle = plan.end === "idle"
  if (plan.faults.some(({ kind }) => kind === "corrupt-queen-catalog") && !cluster.isOver) {
    // her own machine's hive registers with its next beat
    bootCommand(cluster, cluster.first.spawn("up"), "up")
    kernel.run(() => false, kernel.now + registerMs)
  }
  if (!isIdle && !cluster.isOver) bootCommand(cluster, cluster.first.spawn("down"), "down")
  const endMs = isIdle ? idleMs : downMs
  const third = kernel.run(() => cluster.isOver, kernel.now + endMs)
  if (third !== undefined && third._tag === "Leak") return explain(third, "")
  const isExcused = (process: SimProcess): boolean => isForgotten(cluster, plan, process)
  // one that comes up just as the queen goes is nobody's, and ends by itself
  const early = leftBut(cluster, (process) => isExcused(process) || cluster.isUnclaimed(process))
  if (early === "" && leftBut(cluster, isExcused) !== "") kernel.run(() => cluster.isOver, kernel.now + unwantedMs)
  const left = early === "" ? leftBut(cluster, isExcused) : early
  if (left !== "")
    return {
      invariant: "nothing left",
      message: `${endMs / 1000} s after ${isIdle ? "the last job" : "`down`"} there still run ${left}`
    }
  const fourth = kernel.run(() => cluster.isOver, kernel.now + idleMs)
  if (fourth !== undefined) return explain(fourth, "a hive that was forgotten does not end")
  if (cluster.network.bound.length > cluster.left().length)
    return { invariant: "nothing left", message: `still bound: ${cluster.network.bound.join(", ")}` }
  for (const site of cluster.hives.values()) {
    // what a killed hive had booked is swept by the next one (docs/design.md#who-outlives-whom)
    if (site.running?.status?.code !== 0) continue
    const rows = [...site.store.leases.values(), ...site.store.workers.values()]
    if (rows.length > 0)
      return { invariant: "nothing left", message: `hive ${site.id} ended with rows ${JSON.stringify(rows)}` }
  }
  return undefined
}

/** The names of what still runs, without what may. */
const leftBut = (cluster: Cluster, may: (process: SimProcess) => boolean): string =>
  cluster
    .left()
    .flatMap((process) => (may(process) ? [] : [process.name]))
    .join(", ")

/** Every job has ended: soon nothing is decoded any more, and nobody holds a slot. */
const slotsHeld = (kernel: Kernel, cluster: Cluster): Outcome["broken"] => {
  const decoding = () => cluster.living("worker").filter(({ decodes, isFrozen }) => decodes > 0 && !isFrozen)
  const stop = kernel.run(() => decoding().length === 0, kernel.now + abandonedMs)
  if (stop?._tag === "Leak") return explain(stop, "")
  const [worker] = decoding()
  if (worker !== undefined)
    return {
      invariant: "nobody decodes for nobody",
      message: `${abandonedMs / 1000} s after the last job ended ${worker.name} decodes ${worker.decodes} answers`
    }
  let taken: ReadonlyArray<readonly [string, number]> = []
  const look = cluster.first.spawn("look")
  bootLook(cluster, look, (busy) => (taken = [...busy].filter(([, jobs]) => jobs > 0)))
  const looked = kernel.run(() => !look.isAlive, kernel.now + lookMs)
  if (looked !== undefined) return explain(looked, "`rbee workers ls` does not end")
  return taken.length === 0
    ? undefined
    : { invariant: "slots are given back", message: `no job runs, and slots are taken: ${JSON.stringify(taken)}` }
}

/**
 * Of a hive that no queen knows of any more, since her catalog was lost: one that she woke and had not claimed, and one of
 * another machine, which its operator has to add again. It ends after its idle time.
 */
const isForgotten = (cluster: Cluster, plan: Plan, process: SimProcess): boolean =>
  plan.faults.some(({ kind }) => kind === "corrupt-queen-catalog") &&
  [...cluster.hives.values()].some(({ id, machine, running, store }) =>
    machine === cluster.first
      ? running === process && store.owner === undefined
      : machine === process.machine && !cluster.queenStore.hives.has(id)
  )
