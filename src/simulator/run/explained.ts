/** Which faults of a plan may make a job fail, and with which code. A failure without its fault is a bug. */
import type { ClientRun } from "../clients/client.ts"
import { deadlyModel, type FaultKind, type JobPlan, type Plan } from "./plan.ts"

const crashes: ReadonlyArray<FaultKind> = ["kill-hive", "stop-hive", "crash-machine", "corrupt-catalog"]
const lives: ReadonlyArray<FaultKind> = ["kill-worker", "abort-worker", "hang-worker", "stop-worker", ...crashes]
const wires: ReadonlyArray<FaultKind> = ["cut", "half-open", "reset", "mid-frame", "slow-start", ...crashes]
const starts: ReadonlyArray<FaultKind> = [...lives, ...wires, "boot-failure", "out-of-memory"]

/** A response whose reader was lost with the queen has a while to get another, and is cancelled then. */
const reigns: ReadonlyArray<FaultKind> = [
  "kill-queen",
  "stop-queen",
  "disk-full",
  "crash-machine",
  "corrupt-queen-catalog"
]

const causes: Readonly<Record<string, ReadonlyArray<FaultKind>>> = {
  // a file looks like the cause where its workers are aborted as they load it
  MODEL_INVALID: ["abort-worker"],
  VRAM_EXHAUSTED: ["out-of-memory"],
  // for want of memory there is no context that the prompt would fit into
  INVALID_REQUEST: ["out-of-memory"],
  WORKER_START_FAILED: starts,
  BACKEND_UNAVAILABLE: starts,
  CONNECTION_TIMEOUT: wires,
  // a hive that is stopped keeps its address, and a queen that never knew it does not end it
  CONFLICT: ["steal-port", "stop-hive"],
  POISON_REQUEST: starts,
  SHUTTING_DOWN: ["hives-stop", "hives-rm", "down"],
  HIVE_NOT_FOUND: ["hives-rm"],
  DISK_FULL: ["disk-full", "hive-disk-full"],
  MODEL_NOT_FOUND: ["hub-404"],
  MODEL_ACCESS_DENIED: ["hub-403"],
  DOWNLOAD_STALLED: ["hub-stall"],
  DOWNLOAD_FAILED: ["hub-cut", "hub-429", "hub-5xx"],
  CHECKSUM_MISMATCH: ["hub-hash"]
}

/** `end` is the terminal event, `data` its JSON, `client` who asked for it over `/v1`. */
export const isExplained = (
  plan: Plan,
  job: JobPlan | undefined,
  end: string,
  data: string,
  client?: Pick<ClientRun, "gaveUp">
): boolean => {
  // who sleeps in the middle of its work is to others as one that was stopped
  const isNapping = plan.hives.some(({ sleeps }) => sleeps !== undefined && sleeps.naps.length > 0)
  const has = (kinds: ReadonlyArray<FaultKind>) =>
    (isNapping && kinds.includes("stop-hive")) || plan.faults.some(({ kind }) => kinds.includes(kind))
  // a client of /v1 that leaves, whose connection breaks, or that gives up, cancels its job
  if (end === "cancelled")
    return (
      has(["ctrl-c"]) ||
      (job?.client !== undefined &&
        (job.client.leavesAfter !== undefined ||
          client?.gaveUp === true ||
          (job.client.surface === "responses" && has(reigns)) ||
          has(["reset", "mid-frame", "kill-keeper", "stop-keeper"])))
    )
  // a worker that could not learn how its model writes cannot tell it of tools
  if (plan.speech !== undefined && plan.speech.unlearned > 0 && data.includes("could not be learned")) return true
  if (end === "error" && job?.model === deadlyModel && data.includes('"code":"MODEL_INVALID"')) return true
  const code = /"code":"([A-Z_]+)"/.exec(data)?.[1] ?? ""
  if (code === "INTERNAL")
    return (
      (data.includes("machine_restarted") && has(["crash-machine"])) ||
      (data.includes("catalog_lost") && has(["corrupt-queen-catalog"])) ||
      (data.includes("ended while it was starting") && has(crashes))
    )
  // one device has not always room for several models
  const isForWantOfRoom = code === "VRAM_EXHAUSTED" || (code === "INVALID_REQUEST" && job?.words !== undefined)
  if (isForWantOfRoom && new Set(plan.jobs.map(({ model }) => model)).size > 1) return true
  if (code === "CHECKSUM_MISMATCH" && plan.hub.corrupts > 0) return true
  if (code === "DOWNLOAD_FAILED" && plan.hub.breaks > 0) return true
  return has(causes[code] ?? [])
}
