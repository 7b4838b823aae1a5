/**
 * Is this build worse than another? CPU time of both, in interleaved pairs: `compare OTHER_DIST [PAIRS] [WORKLOAD …]`.
 * Worse means: the 95 % interval of the median of at least 30 ratios lies wholly beyond 3 %. CPU time and not wall
 * time, because neighbours of a shared machine change the latter by more than what is looked for.
 */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { makeMachine } from "../support/machine.ts"
import { type Client, makeClient } from "./relay-parts/client.ts"
import { type Cluster, cpuSeconds, openCluster } from "./relay-parts/contenders.ts"
import { interleaved, median, quantile, ratio, report, type Row } from "./support.ts"

const tolerated = 0.03
const resamples = 2000

/** The 95 % interval of the median of `values`, by resampling; the generator is fixed so that a run can be repeated. */
const interval = (values: ReadonlyArray<number>): readonly [number, number] => {
  let state = 1
  const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
  const medians = Array.from({ length: resamples }, () =>
    median(Array.from(values, () => values[Math.floor(random() * values.length)] ?? Number.NaN))
  )
  return [quantile(medians, 0.025), quantile(medians, 0.975)]
}

/** seconds of CPU of all children that have ended, for a program that is run to its end */
const childrenCpu = (program: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): number => {
  const { status, stderr } = spawnSync("/usr/bin/time", ["-f", "%U %S", process.execPath, program, ...args], {
    env,
    encoding: "utf8"
  })
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${stderr.slice(-500)}`)
  const [user, system] = (stderr.trim().split("\n").at(-1) ?? "").split(" ")
  return Number(user) + Number(system)
}

type Workload = (dist: string, cluster: Cluster, client: Client) => Promise<number>

const ofDaemons = async (cluster: Cluster, work: () => Promise<unknown>): Promise<number> => {
  const now = () => cpuSeconds(cluster.queenPid) + cpuSeconds(cluster.hivePid)
  const before = now()
  await work()
  return now() - before
}
const many = <A>(count: number, one: (k: number) => Promise<A>) =>
  Promise.all(Array.from({ length: count }, (_, k) => one(k)))

/** older builds call it otherwise */
const simulatorOf = (dist: string): string =>
  existsSync(`${dist}/simulate.mjs`) ? `${dist}/simulate.mjs` : `${dist}/simulate.js`

const path = "/v1/chat/completions"
const workloads: Readonly<Record<string, Workload>> = {
  /** flat out: 50 × 400 tokens */
  relay: (_, cluster, client) => {
    const route = { port: cluster.queenPort, path: "jobs", headers: cluster.headers }
    return ofDaemons(cluster, () => many(50, () => client.stream(route, 400, 0)))
  },
  /** 400 answers, 16 at once */
  requests: (_, cluster, client) => {
    const route = { port: cluster.queenPort, path, headers: cluster.headers }
    return ofDaemons(cluster, () =>
      many(16, async () => {
        for (let i = 0; i < 25; i++) await client.answer(route, 16)
      })
    )
  },
  /** 20 seeds */
  simulator: async (dist) => childrenCpu(simulatorOf(dist), ["--seeds", "20"], process.env),
  /** from nothing to a first answer of the bundled model, one of 128 tokens, and to nothing again */
  session: async (dist) => {
    const machine = await makeMachine({ programs: dist })
    try {
      const run = (args: ReadonlyArray<string>) => childrenCpu(`${dist}/rbee.js`, args, machine.env)
      const keeper = run(["infer", "--quiet", "hello"]) + run(["infer", "--quiet", "--max-tokens", "128", "a story"])
      const daemons = machine.processes().reduce((sum, { pid }) => sum + cpuSeconds(pid), 0)
      return keeper + daemons
    } finally {
      await machine.dispose()
    }
  }
}

/** One session that ends by itself: programs keep what V8 compiled of them at the end of their first run. */
const prepare = async (dist: string): Promise<void> => {
  const machine = await makeMachine({ programs: dist })
  try {
    for (const args of [["infer", "--quiet", "hello"], ["down"]]) childrenCpu(`${dist}/rbee.js`, args, machine.env)
  } finally {
    await machine.dispose()
  }
}

export const run = async ([other, pairs = "30", ...wanted]: ReadonlyArray<string>): Promise<void> => {
  if (other === undefined) throw new Error("compare OTHER_DIST [PAIRS] [WORKLOAD …]")
  const client = makeClient()
  const clusters: Array<Cluster> = []
  try {
    const rows: Array<Row> = []
    const raw: Record<string, unknown> = {}
    const ours = await openCluster({ dist: "dist", name: "ours" })
    clusters.push(ours)
    const theirs = await openCluster({ dist: other, name: "theirs" })
    clusters.push(theirs)
    for (const [name, workload] of Object.entries(workloads)) {
      if (wanted.length > 0 && !wanted.includes(name)) continue
      if (name === "session") for (const dist of ["dist", other]) await prepare(dist)
      const figures = await interleaved(
        { ours: () => workload("dist", ours, client), theirs: () => workload(other, theirs, client) },
        Number(pairs)
      )
      const ratios = figures.ours.map((value, pair) => value / (figures.theirs[pair] ?? Number.NaN))
      const [low, high] = interval(ratios)
      const verdict = low > 1 + tolerated ? "WORSE" : high < 1 - tolerated ? "better" : "not worse"
      rows.push({
        what: `${name}: CPU, this build ÷ the other`,
        value: ratio(figures.ours, figures.theirs).median,
        unit: "×",
        against: `95 % interval ${low.toFixed(3)} to ${high.toFixed(3)}, ${pairs} pairs: ${verdict}`
      })
      raw[name] = figures
    }
    report("compare", rows, raw)
  } finally {
    client.close()
    for (const { machine } of clusters) await machine.dispose()
  }
}
