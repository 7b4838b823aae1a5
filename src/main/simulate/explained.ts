/** Which faults of a plan may make a job fail, and with which code. A failure without its fault is a bug. */
import type { FaultKind, Plan } from "./plan.ts"

const lives: ReadonlyArray<FaultKind> = ["kill-worker", "stop-worker", "kill-hive", "stop-hive", "crash-machine"]
const wires: ReadonlyArray<FaultKind> = ["cut", "half-open", "reset", "stop-hive", "kill-hive", "crash-machine"]
const starts: ReadonlyArray<FaultKind> = [...lives, "boot-failure", "out-of-memory", "cut", "half-open", "reset"]

const causes: Readonly<Record<string, ReadonlyArray<FaultKind>>> = {
  VRAM_EXHAUSTED: ["out-of-memory"],
  WORKER_START_FAILED: starts,
  BACKEND_UNAVAILABLE: starts,
  CONNECTION_TIMEOUT: wires,
  POISON_REQUEST: starts,
  DISK_FULL: ["disk-full"]
}

/** `end` is the terminal event, `data` its JSON. */
export const isExplained = (plan: Plan, end: string, data: string): boolean => {
  const has = (kinds: ReadonlyArray<FaultKind>) => plan.faults.some(({ kind }) => kinds.includes(kind))
  if (end === "cancelled") return has(["ctrl-c"])
  const code = /"code":"([A-Z_]+)"/.exec(data)?.[1] ?? ""
  if (code === "INTERNAL") return data.includes("machine_restarted") && has(["crash-machine"])
  if (code === "CHECKSUM_MISMATCH" || code === "DOWNLOAD_FAILED") return plan.hub.breaks > 0 || plan.hub.corrupts > 0
  return has(causes[code] ?? [])
}
