/**
 * What one seed runs, as data: topology, workload, and timed faults. A plan can be printed, stored, shrunk and run
 * again; the seed then only decides the order of what is ready at the same moment, and latencies.
 */
import { SeededRandom } from "../world/kernel/random.ts"
import type { MeasuringName } from "../clients/measuring.ts"
import { surfaceNames, type SurfaceName } from "../clients/surfaces.ts"
import { speeches } from "../world/speech.ts"
import { HiveId, localHive } from "../../machines/vocabulary/ids.ts"

export interface HivePlan {
  readonly id: HiveId
  readonly ramMb: number
  /** MB of each GPU */
  readonly gpus: ReadonlyArray<number>
  /** woken before the first job */
  readonly awake: boolean
  /** its machine may sleep; absent: it is always on */
  readonly sleeps?: SleepPlan
}

export interface SleepPlan {
  /** idle so long, seconds, it is put to sleep */
  readonly afterS: number
  /** what waking it takes, milliseconds */
  readonly bootMs: readonly [number, number]
  /** virtual milliseconds at which its owner puts it to sleep, whatever runs there */
  readonly naps: ReadonlyArray<number>
}

export interface JobPlan {
  readonly id: number
  /** virtual milliseconds */
  readonly at: number
  readonly prompt: string
  /** its prompt is followed by so many more words: more than a worker's context holds, unless more is asked for */
  readonly words?: number
  readonly teardown: "warm" | "cold"
  /** absent: the bundled one */
  readonly model?: string
  /** its model is offered a tool, and calls it */
  readonly calls?: boolean
  /** so many texts are measured; absent: it answers */
  readonly texts?: number
  /** absent: `rbee infer` asks for it; else a client of a surface does */
  readonly client?: ClientPlan
}

/** How a client of a surface reads. */
export interface ClientPlan {
  /** absent: OpenAI's chat */
  readonly surface?: SurfaceName | MeasuringName
  readonly stream: boolean
  /** it leaves after so many pieces; absent: it reads to the end */
  readonly leavesAfter?: number
  /** it stops reading after its first piece, for so long, milliseconds */
  readonly pausesMs?: number
}

/** Everything that can go wrong. */
const kinds = [
  "kill-worker",
  "kill-hive",
  "kill-queen",
  "kill-keeper",
  "abort-worker",
  "hang-worker",
  "stop-worker",
  "stop-hive",
  "stop-queen",
  "stop-keeper",
  "slow-start",
  "boot-failure",
  "out-of-memory",
  "steal-port",
  "disk-full",
  "hive-disk-full",
  "corrupt-catalog",
  "corrupt-queen-catalog",
  "cut",
  "half-open",
  "reset",
  "mid-frame",
  "echo",
  "clock-jump",
  "crash-machine",
  "ctrl-c",
  "hub-cut",
  "hub-stall",
  "hub-404",
  "hub-403",
  "hub-429",
  "hub-5xx",
  "hub-hash",
  "hub-no-range",
  // no fault, and as hard on what runs: what an operator may ask for at any time
  "hives-start",
  "hives-stop",
  "hives-rm",
  "workers-stop",
  "down"
] as const
export type FaultKind = (typeof kinds)[number]

export interface Fault {
  readonly at: number
  readonly kind: FaultKind
  /** chooses among those that live then */
  readonly target: number
  /** how long it lasts, where it does */
  readonly forMs: number
  /** further steps of the kernel before it strikes: so that it falls inside a moment too */
  readonly steps: number
}

export interface Plan {
  readonly seed: number
  readonly hives: ReadonlyArray<HivePlan>
  readonly jobs: ReadonlyArray<JobPlan>
  readonly faults: ReadonlyArray<Fault>
  /** tokens of every answer */
  readonly tokens: number
  readonly tokensPerS: number
  readonly loadMs: number
  readonly bootMs: readonly [number, number]
  readonly latencyMs: readonly [number, number]
  readonly hub: { readonly breaks: number; readonly corrupts: number }
  /** faults are over by then, milliseconds */
  readonly healAt: number
  /** how the cluster ends: told to, or left alone until it has ended by itself */
  readonly end: "down" | "idle"
  /** two jobs for the last room: one of them gets it at a time */
  readonly isRace?: boolean
  /** the queen's journal is on another machine: there and back it takes so long, milliseconds */
  readonly journalMs?: readonly [number, number]
  /** the models reason, and call tools: in which dialect, and how often a worker cannot learn it */
  readonly speech?: { readonly form: number; readonly unlearned: number }
  /** `rbee up`: the queen stays until `down`, whatever ends her meanwhile */
  readonly stays?: boolean
  /** plants a violation that must be found */
  readonly canary?: boolean
}

export interface PlanOptions {
  /** absent: 1 to 3 */
  readonly hives?: number
  readonly faults?: boolean
}

/** What is asked; in a plan only its beginning stands. */
export const promptOf = ({ prompt, words = 0 }: Pick<JobPlan, "prompt" | "words">): string =>
  prompt + " and more".repeat(words / 2)

const clientOf = (random: SeededRandom, isFaulty: boolean): ClientPlan => ({
  stream: random.chance(0.7),
  ...(isFaulty && random.chance(0.3) ? { leavesAfter: random.int(0, 30) } : {}),
  ...(random.chance(0.2) ? { pausesMs: random.int(100, 8000) } : {})
})

/**
 * Some jobs of it need more context than workers have: beside those where there is room, and in their place on machines
 * that have room for one.
 */
const outgrown = (plan: Plan): Plan => {
  const random = new SeededRandom(plan.seed ^ 0x1f83d9ab)
  if (!random.chance(0.2)) return plan
  const jobs = plan.jobs.map((job) => (random.chance(0.5) ? { ...job, words: random.int(2100, 6000) } : job))
  if (!random.chance(0.5)) return { ...plan, jobs }
  return { ...plan, jobs, hives: plan.hives.map((hive) => ({ ...hive, ramMb: roomForOne, gpus: [] })) }
}
/** MB, for a worker with all the context that its model was trained with; not for two, however little they have */
const roomForOne = 260

export const planOf = (seed: number, options: PlanOptions = {}): Plan =>
  sleeping(measuring(speaking(lateJournal(outgrown(wellSized(seed, options)), options), options)))

/** Of some, other machines than the queen's sleep when they are idle, or when their owners want it. */
const sleeping = (plan: Plan): Plan => {
  const random = new SeededRandom(plan.seed ^ 0x5be0cd19)
  if (plan.hives.length === 1 || !random.chance(0.2)) return plan
  const hives = plan.hives.map((hive, index) => {
    if (index === 0 || !random.chance(0.7)) return hive
    const boot = random.int(2000, 30_000)
    // to who works there that is a fault as others are
    const naps = plan.faults.length === 0 ? [] : Array.from({ length: random.int(0, 2) }, () => random.int(0, 60_000))
    return {
      ...hive,
      sleeps: { afterS: random.int(2, 20), bootMs: [Math.round(boot * 0.93), Math.round(boot * 1.07)] as const, naps }
    }
  })
  return { ...plan, hives }
}

/** One machine has no room, the other sleeps before each job: each wakes it. */
export const sleepsOf = (seed: number): Plan => {
  const random = new SeededRandom(seed ^ 0x1f83d9ac)
  const boot = random.int(8000, 15_000)
  const sleeps = {
    afterS: random.int(2, 5),
    bootMs: [Math.round(boot * 0.93), Math.round(boot * 1.07)] as const,
    naps: []
  }
  return {
    ...wellSized(seed, { faults: false }),
    hives: [
      { id: localHive, ramMb: noRoom, gpus: [], awake: true },
      { id: HiveId.make("hive1"), ramMb: 2000, gpus: [], awake: true, sleeps }
    ],
    jobs: Array.from({ length: 6 }, (_, id): JobPlan => ({
      id,
      at: 15_000 + id * 35_000 + random.int(0, 5000),
      prompt: `tell ${random.hex(4)} about ${random.hex(6)}`,
      teardown: "warm"
    })),
    tokens: random.int(20, 50),
    tokensPerS: 50,
    loadMs: random.int(100, 1000),
    bootMs: [20, 150],
    end: "down"
  }
}
/** MB: a worker's process takes more */
const noRoom = 60

/** Of some, all jobs have texts measured, or some of them beside those that answer: vectors, or scores. */
const measuring = (plan: Plan): Plan => {
  const random = new SeededRandom(plan.seed ^ 0x1b873593)
  if (!random.chance(0.25)) return plan
  const share = random.chance(0.5) ? 1 : 0.4
  const surfaces = random.pick<ReadonlyArray<MeasuringName>>([["embeddings"], ["rerank", "score"]])
  const model = surfaces.includes("embeddings") ? embedder : ranker
  const jobs = plan.jobs.map((job): JobPlan => {
    if (!random.chance(share)) return job
    const { at, id, prompt, teardown } = job
    const client = { surface: random.pick(surfaces), stream: false }
    return { id, at, prompt, teardown, model, texts: random.int(1, 150), client }
  })
  return { ...plan, jobs }
}
/** files of models that write nothing */
const embedder = "file:/models/embeddings.gguf"
const ranker = "file:/models/reranking.gguf"

/** Of some, the models reason and call tools, and clients of every surface ask for it; not every worker learns how. */
const speaking = (plan: Plan, { faults }: PlanOptions): Plan => {
  const isFaulty = faults !== false
  const random = new SeededRandom(plan.seed ^ 0x510e527f)
  if (!random.chance(0.3)) return plan
  const unlearned = isFaulty && random.chance(0.4) ? 0.3 : 0
  const jobs = plan.jobs.map((job) => {
    const calls = random.chance(0.6)
    if (job.client === undefined && random.chance(0.3)) return { ...job, calls }
    const client = job.client ?? { stream: random.chance(0.7) }
    const surface = random.pick(surfaceNames)
    return { ...job, calls, client: { ...client, surface, stream: client.stream || surface !== "chat" } }
  })
  return { ...plan, jobs, speech: { form: random.int(0, speeches.length - 1), unlearned } }
}

/** Of some, all that the queen writes and reads of her journal comes late, from the first moment to the last. */
const lateJournal = (plan: Plan, { faults }: PlanOptions): Plan => {
  const random = new SeededRandom(plan.seed ^ 0x3c6ef372)
  return faults !== false && random.chance(0.15) ? { ...plan, journalMs: [0.2, random.pick([2, 20, 200])] } : plan
}

const wellSized = (seed: number, options: PlanOptions): Plan => {
  const random = new SeededRandom(seed ^ 0x51ed270b)
  const count = options.hives ?? random.int(1, 3)
  const hives = Array.from({ length: count }, (_, i) => ({
    id: i === 0 ? localHive : HiveId.make(`hive${i}`),
    ramMb: random.pick([2000, 4000, 16_000]),
    gpus: Array.from({ length: random.int(0, 2) }, () => random.pick([1000, 2000, 8000])),
    awake: random.chance(0.4)
  }))
  const isFaulty = options.faults !== false
  const models = random.chance(0.25) ? ["minillama", "file:/models/a.gguf", "file:/models/b.gguf"] : ["minillama"]
  let previous = 0
  const jobs = Array.from({ length: random.int(1, 4 + 2 * count) }, (_, id) => {
    // two keepers at the very same moment, now and then
    const at = random.chance(0.15) ? previous : Math.floor(random.between(0, random.chance(0.4) ? 2000 : 40_000))
    previous = at
    return {
      id,
      at,
      prompt: `tell ${random.hex(4)} about ${random.hex(6)}`,
      teardown: random.chance(0.25) ? ("cold" as const) : ("warm" as const),
      ...(models.length > 1 ? { model: random.pick(models) } : {}),
      ...(random.chance(0.25) ? { client: clientOf(random, isFaulty) } : {})
    }
  })
  const tokens = random.int(20, random.chance(0.5) ? 100 : 300)
  const tokensPerS = random.pick([10, 20, 50])
  const loadMs = random.int(100, 3000)
  // swarm: which faults exist at all is drawn first (Groce et al. 2012)
  const menu = isFaulty ? kinds.filter(() => random.chance(0.25)) : []
  const healAt = 60_000
  /** most strike while some job is about to start or is under way, the others anywhere */
  const moment = (): number => {
    const { at } = random.pick(jobs)
    const lasts = 1500 + loadMs + (tokens / tokensPerS) * 1000
    return random.chance(0.7) ? at + random.between(0, lasts) : random.between(0, healAt * 0.8)
  }
  const faults = Array.from({ length: menu.length === 0 ? 0 : random.int(1, 12) }, (): Fault => {
    const kind = random.pick(menu)
    // models are fetched once, by the first job on a hive
    const at = kind.startsWith("hub") && random.chance(0.5) ? 0 : Math.min(healAt - 100, Math.floor(moment()))
    return {
      at,
      kind,
      target: random.int(0, 1000),
      forMs: Math.min(
        healAt - at,
        Math.floor(random.chance(0.5) ? random.between(100, 5000) : random.between(5000, 40_000))
      ),
      steps: random.chance(0.5) ? 0 : random.int(1, 60)
    }
  }).toSorted((a, b) => a.at - b.at)
  return {
    seed,
    hives,
    jobs,
    faults,
    tokens,
    tokensPerS,
    loadMs,
    bootMs: [20, random.pick([50, 300, 2000])],
    latencyMs: [0.2, random.pick([1, 5, 50])],
    hub: menu.length > 0 && random.chance(0.3) ? { breaks: 0.3, corrupts: 0.2 } : { breaks: 0, corrupts: 0 },
    healAt,
    end: random.chance(0.06) ? "idle" : "down"
  }
}

/** Room for one: two jobs want two models on the same device at the same moment. */
export const raceOf = (seed: number): Plan => {
  const random = new SeededRandom(seed ^ 0x2c1b3c6d)
  const at = random.int(0, 3000)
  const job = (id: number, name: string): JobPlan => ({
    id,
    at: at + (random.chance(0.5) ? 0 : random.int(0, 30)),
    prompt: `tell ${random.hex(4)} about ${random.hex(6)}`,
    teardown: "warm",
    model: `file:/models/${name}.gguf`
  })
  return {
    seed,
    // less than two workers need, the part that stays free included
    hives: [{ id: localHive, ramMb: 200, gpus: [], awake: random.chance(0.5) }],
    jobs: [job(0, "a"), job(1, "b")],
    faults: [],
    tokens: 200,
    tokensPerS: 10,
    loadMs: random.int(100, 1000),
    bootMs: [20, random.pick([50, 300])],
    latencyMs: [0.2, random.pick([1, 5, 50])],
    hub: { breaks: 0, corrupts: 0 },
    healAt: 0,
    end: "down",
    isRace: true
  }
}

/** A queen who was told to stay, and who is killed again and again: with and without keepers who would wake her. */
export const staysOf = (seed: number): Plan => {
  const plan = wellSized(seed, { faults: false })
  const random = new SeededRandom(seed ^ 0x51a75a11)
  const faults = Array.from({ length: random.int(1, 6) }, (): Fault => {
    const at = random.int(20_000, 55_000)
    return {
      at,
      kind: random.pick(["kill-queen", "kill-queen", "kill-queen", "kill-keeper", "slow-start", "steal-port"]),
      target: random.int(0, 1000),
      forMs: random.int(100, 60_000 - at),
      steps: random.chance(0.5) ? 0 : random.int(1, 60)
    }
  }).toSorted((a, b) => a.at - b.at)
  const jobs = plan.jobs.map((job) => ({ ...job, at: random.int(10_000, 50_000) }))
  return { ...plan, jobs, faults, healAt: 60_000, end: "down", stays: true }
}

/** A file that ends every worker that loads it, asked for beside others that are well. */
export const deadlyModel = "file:/models/deadly.gguf"

export const deadlyOf = (seed: number, isFaulty = false): Plan => {
  const plan = wellSized(seed, { faults: isFaulty })
  const random = new SeededRandom(seed ^ 0x7ead11e5)
  const jobs = Array.from({ length: random.int(1, 4) }, (_, i): JobPlan => ({
    id: plan.jobs.length + i,
    at: Math.floor(random.between(0, 40_000)),
    prompt: `ask ${random.hex(4)} about ${random.hex(6)}`,
    teardown: "warm",
    model: deadlyModel
  }))
  // one other model: what two of them have no room for is another story
  const well = plan.jobs.map(({ at, client, id, prompt, teardown }) => ({
    ...{ id, at, prompt, teardown },
    ...(client === undefined ? {} : { client })
  }))
  return { ...plan, jobs: [...well, ...jobs] }
}
