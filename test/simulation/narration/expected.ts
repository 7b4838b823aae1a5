/**
 * What a run prints in each branch, by docs/narration.md: exact lines in their order. Steps 6 and 7 run side by side.
 */
import type { Branch } from "./branches.ts"

/** Lines in order, either of two, and where two steps run at once the lines of both, which may interleave. */
export type Expected = ReadonlyArray<string | Either | readonly [ReadonlyArray<string>, ReadonlyArray<string>]>
interface Either {
  readonly either: readonly [string, string]
}

const model = "HF:author/minillama"
/** from the strongest to the weakest */
const devices = ["GPU1", "GPU0", "CPU"] as const
type Device = (typeof devices)[number]

const queenLines = ({ queen }: Branch): ReadonlyArray<string> => [
  `bee-keeper: starting inference request for ${model}`,
  ...(queen === "awake"
    ? []
    : ["bee-keeper: queen is asleep, waking queen…", "bee-keeper: launching queen on :8500 and waiting for health…"]),
  "bee-keeper: queen is awake and healthy",
  "bee-keeper: connected to queen via SSE"
]

const capabilities = ({ model: has, worker }: Branch): string =>
  `queen: hive localhost has CPU, GPU0 simulated, GPU1 simulated; models: ${has === "present" ? 1 : 0}, workers: ${worker === "resident" ? 1 : 0}`

const hiveLines = (branch: Branch): Expected => {
  const registered = "queen: using registered capabilities of hive 'localhost'"
  if (branch.hive === "fresh") return [registered]
  // a queen who takes a hive back asks it by herself what is stale; a job that comes meanwhile hears the answer
  if (branch.hive === "stale")
    return branch.queen === "asleep" ? [{ either: [registered, capabilities(branch)] }] : [capabilities(branch)]
  return [
    ...(branch.hive === "unknown" ? ["queen: no hives found; adding local machine"] : []),
    "queen: waking the beehive at localhost:8600",
    "queen: first heartbeat from hive localhost; checking capabilities…",
    capabilities(branch)
  ]
}

const kindOf = (device: Device) => (device === "CPU" ? "cpu-llm-worker-rbee" : "cuda-llm-worker-rbee")

/** Steps 6 and 7. What was fetched or installed for a device that failed is there for the next one. */
const provisioning = (hasModel: boolean, hasRuntime: boolean, device: Device): Expected[number] => [
  hasModel
    ? [`queen: model ${model} found in hive catalog`]
    : [
        `queen: asked hive to download model ${model}`,
        `queen: model ${model}: provisioning started`,
        "hive: model size = 40 MB; starting download",
        "hive: … 100% @ {speed} MB/s …",
        "hive: model downloaded in {s} seconds"
      ],
  hasRuntime
    ? [`queen: worker ${kindOf(device)} already available`]
    : [`queen: asked hive to prepare worker ${kindOf(device)}`, "queen: worker prepared and ready to deploy"]
]

const restart = (n: number) => `hive: worker {id} failed to boot (exit code 1); restarting (${n}/3)`
const awake = (device: Device): ReadonlyArray<string> => [
  "hive: waking worker on :{port} with model=/models/HF_author_minillama",
  `queen: ${device === "CPU" ? "CPU" : "CUDA"} worker is awake`
]

const asked = (device: Device): ReadonlyArray<string> => [
  `queen: basic scheduler picked ${device} on hive localhost`,
  `queen: asking hive if there's room on ${device}…`
]
const full = (device: Device): ReadonlyArray<string> => [
  ...asked(device),
  `queen: insufficient VRAM on ${device} for ${model}; trying next candidate…`
]

/** Steps 4 to 9. */
const answering = (branch: Branch): Expected => {
  const end = [
    "queen: connection to worker established; starting inference",
    "[DONE]",
    "queen: worker finished inference"
  ]
  if (branch.worker === "resident") return ["queen: basic scheduler picked GPU1 on hive localhost", ...end]
  const hasModel = branch.model === "present"
  const hasRuntime = branch.runtime === "present"
  const room = devices.findIndex((device) => device === branch.capacity)
  if (branch.capacity === "none") return [...full("GPU1"), ...full("GPU0"), "queen: job failed: VRAM_EXHAUSTED: {why}"]
  const first = devices[room] ?? "CPU"
  const before = [...devices.slice(0, room).flatMap(full), ...asked(first)]
  if (branch.boots !== "never")
    return [
      ...before,
      provisioning(hasModel, hasRuntime, first),
      ...(branch.boots === "at once" ? [] : [restart(1)]),
      ...awake(first),
      ...end
    ]
  const others = devices.filter((device) => device !== first)
  const next = others.findIndex((device) => devices.indexOf(device) > room)
  const last = others[next]
  return [
    ...before,
    provisioning(hasModel, hasRuntime, first),
    restart(1),
    restart(2),
    restart(3),
    `queen: hive localhost ${first} is degraded; rescheduling job`,
    // everything is asked anew: there may be room by now
    ...others.slice(0, last === undefined ? others.length : next).flatMap(full),
    ...(last === undefined
      ? ["queen: job failed: WORKER_START_FAILED: {why}"]
      : [
          ...asked(last),
          provisioning(true, hasRuntime || kindOf(last) === kindOf(first), last),
          ...awake(last),
          ...end
        ])
  ]
}

export const isFailure = ({ boots, capacity }: Branch): boolean =>
  capacity === "none" || (capacity === "CPU" && boots === "never")

const endLines = (branch: Branch): ReadonlyArray<string> => {
  if (branch.session === "warm") return isFailure(branch) ? [] : ["queen: keeping hive and worker warm"]
  if (branch.queen === "awake") return ["bee-keeper: leaving queen running: it was here before"]
  // she died while her hive was in warm use, which her successor goes on to serve
  if (branch.hive === "fresh" || branch.hive === "stale")
    return ["bee-keeper: leaving queen running: another session uses it"]
  return [
    "bee-keeper: asking queen to cascade shutdown",
    "queen: shutting down workers…",
    "queen: shutting down hives…",
    "queen: goodbye"
  ]
}

export const expectedOf = (branch: Branch): Expected => [
  ...queenLines(branch),
  ...hiveLines(branch),
  ...answering(branch),
  ...endLines(branch)
]

/** Amounts and names that a run makes up; of a download's progress lines only the last one is always there. */
export const masked = (stderr: string): ReadonlyArray<string> =>
  stderr
    .split("\n")
    .filter((line) => line !== "" && !/^hive: … \d\d?% @ .* MB\/s …$/.test(line))
    .map((line) =>
      line
        .replace(/^(bee-keeper: launching queen on :)\d+/, "$18500")
        .replace(/^(hive: … 100% @ )[\d.]+ MB/, "$1{speed} MB")
        .replace(/^(hive: model downloaded in )\d+\.\d /, "$1{s} ")
        .replace(/^(hive: waking worker on :)\d+ /, "$1{port} ")
        .replace(/^(hive: worker )\S+ failed/, "$1{id} failed")
        .replace(/^(queen: job failed: [A-Z_]+: ).*$/, "$1{why}")
    )

/** The expected lines in the order in which the run printed them, as far as that order was free. */
export const inOrderOf = (printed: ReadonlyArray<string>, expected: Expected): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const each of expected) {
    if (typeof each === "string") {
      lines.push(each)
      continue
    }
    if ("either" in each) {
      const [usual, other] = each.either
      lines.push(printed[lines.length] === other ? other : usual)
      continue
    }
    const [left, right] = [[...each[0]], [...each[1]]]
    while (left.length + right.length > 0) {
      const from = right.length > 0 && (left.length === 0 || printed[lines.length] === right[0]) ? right : left
      lines.push(from.shift() ?? "")
    }
  }
  return lines
}
