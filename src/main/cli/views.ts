/** The cluster's views as rows of a table. */
import { printable } from "../../layers/terminal/index.ts"
import { describeDevices, deviceLabel } from "../../machines/vocabulary/device.ts"
import type { HiveView, WorkerView } from "../../machines/vocabulary/hive.ts"
import type { HiveParked } from "../../machines/vocabulary/people/parked.ts"
import type { JobView, Placement } from "../../machines/vocabulary/job.ts"
import type { PlanView } from "../../machines/vocabulary/plan.ts"
import type { KeptModel, ModelView } from "../../machines/vocabulary/model.ts"
import { usualContext } from "../../machines/policy/memory/context.ts"
import { latestPace } from "../../machines/policy/pace.ts"
import { megabytes } from "../../machines/narration.ts"
import { lossyWords, reasoningWords, toolsWords } from "./dialect-words.ts"
import { age, table } from "./table.ts"

/** Texts of elsewhere (model names, paths) are shown without their control characters. */
const cell = (value: string | number | undefined): string => (value === undefined ? "-" : printable(String(value)))
export const row = (...values: ReadonlyArray<string | number | undefined>): ReadonlyArray<string> => values.map(cell)

export const hivesTable = (hives: ReadonlyArray<HiveView>, room?: number): string =>
  table(
    ["HIVE", "STATE", "DEVICES", "MODELS", "WORKERS", "PID", "URL"],
    hives.map((hive) =>
      row(
        hive.id,
        hive.state,
        hive.devices === undefined ? undefined : describeDevices(hive.devices, " (declared)"),
        hive.models,
        hive.workers,
        hive.pid,
        hive.url
      )
    ),
    room
  )

/** A worker, and how fast it was: tokens a second of its model's latest answer there. */
export type WorkerRow = WorkerView & { readonly tokens_per_s?: number }

export const workerRows = (
  workers: ReadonlyArray<WorkerView>,
  jobs: ReadonlyArray<JobView>
): ReadonlyArray<WorkerRow> =>
  workers.map((worker) => {
    const pace = latestPace(jobs, worker)
    return pace === undefined ? worker : { ...worker, tokens_per_s: Number(pace.toPrecision(2)) }
  })

/** How an answer that goes on elsewhere is the undisturbed one, or why it may not be. */
const exactOf = ({ exact, exact_how: how }: WorkerRow): string | undefined => {
  if (exact === undefined) return undefined
  if (exact) return how === undefined || how === "any" ? "yes" : `yes, by ${how}`
  return how === undefined || how === "differs" ? "no" : `no: ${how}`
}

export const workersTable = (workers: ReadonlyArray<WorkerRow>, room?: number): string =>
  table(
    ["WORKER", "HIVE", "DEVICE", "STATE", "MODEL", "BUSY", "CONTEXT", "MEMORY", "TOKENS/S", "EXACT", "PID"],
    workers.map((worker) =>
      row(
        worker.id,
        worker.hive,
        worker.device,
        worker.state === "loading" ? `loading ${Math.floor(worker.load_progress * 100)}%` : worker.state,
        worker.model,
        `${worker.busy}/${worker.slots}`,
        worker.context === 0 ? undefined : worker.context,
        worker.memory_mb === undefined ? undefined : `${worker.memory_mb} MB`,
        worker.tokens_per_s,
        exactOf(worker),
        worker.pid
      )
    ),
    room
  )

export const conversations = (count: number): string => `${count} conversation${count === 1 ? "" : "s"}`

/** What hives keep of conversations, and what it was good for. */
export const parkedLine = (hives: ReadonlyArray<HiveParked>): string => {
  const sum = (of: (one: HiveParked) => number): number => hives.reduce((all, one) => all + of(one), 0)
  const [files, answers] = [sum((one) => one.files), sum((one) => one.answers)]
  if (files + answers === 0) return ""
  const kept = `${conversations(files)} kept on disk, ${sum((one) => one.mb)} MB`
  const saved =
    answers === 0
      ? ""
      : `; ${answers} answer${answers === 1 ? "" : "s"} did not read ${sum((one) => one.tokens)} tokens again`
  return `${kept}${saved}\n`
}

/** Those that are to be kept loaded, and are not. */
export const keptLines = (kept: ReadonlyArray<KeptModel>): string =>
  kept
    .filter(({ state }) => state !== "loaded")
    .map(({ name, state, why }) =>
      printable(
        `${name} is to be kept loaded${state === "loading" ? ", and is being loaded" : `, and is not: ${why ?? ""}`}`
      )
    )
    .map((line) => `${line}\n`)
    .join("")

/** `now`: milliseconds since 1970 */
export const jobsTable = (jobs: ReadonlyArray<JobView>, now: number, room?: number): string =>
  table(
    ["JOB", "STATE", "MODEL", "PLACE", "TOKENS", "AGE"],
    jobs.map((job) =>
      row(
        job.job_id,
        job.position === undefined ? job.state : `${job.state} (position ${job.position})`,
        job.model,
        job.placement === undefined ? undefined : `${job.placement.hive}/${job.placement.device}`,
        job.tokens,
        age(now - job.created_at)
      )
    ),
    room
  )

const milliseconds = (value: number | undefined) => (value === undefined ? undefined : `${Math.round(value)} ms`)

type Fact = readonly [string, string | number | undefined]

const placeOf = ({ declared, device, hive }: Placement) =>
  `${device} of hive ${hive}${declared === true ? " (declared)" : ""}`

export const jobDetails = (job: JobView): string => {
  const facts: ReadonlyArray<Fact> = [
    ["job", job.job_id],
    ["model", job.model],
    ["state", job.state],
    ["key", job.key],
    ["position", job.position],
    ["created", new Date(job.created_at).toISOString()],
    ["tokens", job.tokens],
    ["failovers", job.failovers],
    [
      "continued",
      job.continued === true ? "yes: tokens after a failover may differ from the undisturbed answer's" : undefined
    ],
    ["finish reason", job.finish_reason],
    ["placed after", milliseconds(job.timings.placed_ms)],
    ["worker after", milliseconds(job.timings.started_ms)],
    ["first token after", milliseconds(job.timings.first_token_ms)],
    ["total", milliseconds(job.timings.total_ms)],
    ["prompt tokens", job.usage?.prompt_tokens],
    ["of them cached", job.usage?.cached_tokens],
    ...placementFacts(job.placement),
    ["error", job.error === undefined ? undefined : `${job.error.code}: ${job.error.message}`]
  ]
  return details(facts)
}

const moment = (at: number | undefined) => (at === undefined ? undefined : new Date(at).toISOString())

/** Of a slot, and how to get more. */
const usual = (trained: number, purpose: ModelView["purpose"] = "chat"): string => {
  const context = usualContext(trained, purpose !== "chat")
  const more = context < trained ? "; a longer prompt, --context or worker.context gets more" : ""
  return `at most ${context} tokens${more}`
}

/** What the chat template told of how the model writes. */
const dialectFacts = (dialect: ModelView["dialect"]): ReadonlyArray<Fact> =>
  dialect === undefined
    ? []
    : [
        ["tools", toolsWords(dialect)],
        ["lossy", lossyWords(dialect)],
        ["reasoning", reasoningWords(dialect)],
        ["roles", dialect.roles?.join(", ")],
        ["exception", dialect.source === "learned" ? undefined : dialect.source.exception]
      ]

export const modelDetails = (model: ModelView): string =>
  details([
    ["model", model.model_ref],
    ["also called", model.names?.join(", ")],
    ["hive", model.hive],
    ["file", model.file],
    ["size", `${megabytes(model.bytes)} MB`],
    ["sha256", model.sha256],
    ["is for", model.purpose],
    ["architecture", model.architecture],
    ["parameters", model.parameters],
    ["quantisation", model.quantization],
    ["trained context", model.context === undefined ? undefined : `${model.context} tokens`],
    ["usual context", model.context === undefined ? undefined : usual(model.context, model.purpose)],
    ["chat template", model.template === undefined ? undefined : model.template ? "yes" : "no"],
    ...dialectFacts(model.dialect),
    ["chosen because", model.why],
    ["brought by", model.owned ? "rbee" : "others: it is used where it lies"],
    ["added", moment(model.added_at)],
    ["last used", moment(model.last_used_at)],
    ["pinned", model.pinned ? "yes" : "no"],
    ["in use", model.in_use ? "yes" : "no"],
    ...(model.quarantined ?? []).map(
      ({ device, engine, last_words, reason }) =>
        [
          `not on ${deviceLabel(device)}`,
          `${reason}${last_words === "" ? "" : `: ${last_words}`} (engine ${engine}; \`rbee models retry\` tries it again)`
        ] as const
    )
  ])

/** One fact a line; those that are not known are left out. */
const details = (facts: ReadonlyArray<readonly [name: string, value: string | number | undefined]>): string => {
  return sheet(facts)
}

const outcomes: Readonly<Record<PlanView["outcome"], string>> = {
  resident: "a worker that has the model answers at once",
  start: "a worker is started",
  queue: "the job waits for a slot or for room",
  asleep: "nothing that is awake has room; the job would wake a hive",
  no_place: "the job would fail"
}

export const planDetails = ({ error, losers, model, others, outcome, placement, waiting }: PlanView): string =>
  sheet([
    ["model", model],
    ["outcome", outcomes[outcome]],
    ["jobs waiting", waiting === 0 ? undefined : waiting],
    ...placementFacts(placement),
    ...reasons({ losers, others }),
    ["error", error === undefined ? undefined : `${error.code}: ${error.message}`]
  ])

const placementFacts = (placement: Placement | undefined): ReadonlyArray<Fact> => {
  if (placement === undefined) return []
  const { evicted, exact, expected_s, worker } = placement
  return [
    ["placed on", placeOf(placement)],
    ["worker", worker],
    ["exact", exact === undefined ? undefined : exact ? "yes" : "no"],
    ["expected", expected_s === undefined ? undefined : `${expected_s} s until the answer is there`],
    ["unloaded for it", evicted?.join(", ")],
    ...reasons(placement)
  ]
}

const reasons = ({ losers = [], others = [] }: Pick<PlanView, "losers" | "others">): ReadonlyArray<Fact> => [
  ...losers.map(({ device, hive, verdict }): Fact => ["not taken", `${device} of hive ${hive}: ${verdict}`]),
  ...others.map(({ count, verdict }): Fact => [
    "not taken",
    `${count === 1 ? "1 other" : `${count} others`}: ${verdict}`
  ])
]

const sheet = (facts: ReadonlyArray<Fact>): string => {
  const shown = facts.flatMap(([name, value]) => (value === undefined ? [] : [[`${name}:`, cell(value)]]))
  const widest = Math.max(...shown.map(([name = ""]) => name.length))
  return shown.map(([name = "", value = ""]) => `${name.padEnd(widest + 2)}${value}\n`).join("")
}
