/**
 * Who a pid is. Linux: start time in clock ticks since boot (field 22 of /proc/PID/stat) with the boot's id, so that
 * neither a reused pid nor a reboot can be mistaken. Elsewhere: what `ps` says of its start.
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { toolEnvironment } from "./environment.ts"
import type { ProcessId, ProcessMemory } from "./index.ts"

export interface ProcessStat extends ProcessId {
  /** its process group; equal to `pid` for the leader of one */
  readonly group: number
}

const linux = process.platform === "linux"

let boot: string | undefined
const bootId = (): string => (boot ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim())

/** Which start of this machine this is; undefined where the system does not tell. */
export const bootOf = (): string | undefined => (linux ? bootId() : undefined)

/** The name in field 2 may hold spaces and brackets, so fields are counted from the last `)`. */
export const parseStat = (stat: string): { state: string; group: number; start: string } | undefined => {
  const rest = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const [state, group, start] = [rest[0], Number(rest[2]), rest[19]]
  return state === undefined || start === undefined || !Number.isInteger(group) ? undefined : { state, group, start }
}

const fromProc = (pid: number): ProcessStat | undefined => {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  } catch {
    return undefined
  }
  const found = parseStat(stat)
  // a zombie holds nothing but its exit status: it is gone
  if (found === undefined || found.state === "Z" || found.state === "X") return undefined
  return { pid, start: `${found.start}@${bootId()}`, group: found.group }
}

const fromPs = (pid: number): ProcessStat | undefined => {
  try {
    const out = execFileSync("ps", ["-o", "stat=,pgid=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
      env: toolEnvironment(),
      stdio: ["ignore", "pipe", "ignore"]
    })
    const [, state, group, start] = /^\s*(\S+)\s+(\d+)\s+(.+?)\s*$/.exec(out) ?? []
    if (state === undefined || start === undefined || state.startsWith("Z")) return undefined
    return { pid, start, group: Number(group) }
  } catch {
    return undefined
  }
}

/** Whose pid this is now, zombies apart; undefined when it is nobody's. */
export const statOf = (pid: number): ProcessStat | undefined => {
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  return linux ? fromProc(pid) : fromPs(pid)
}

export const identityOf = (pid: number): ProcessId | undefined => {
  const stat = statOf(pid)
  return stat === undefined ? undefined : { pid: stat.pid, start: stat.start }
}

export const isAlive = (id: ProcessId): boolean => statOf(id.pid)?.start === id.start

/** A field of /proc/PID/status, in bytes. */
const bytesOf = (text: string, field: string): number | undefined => {
  const value = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]
  return value === undefined ? undefined : Number(value) * 1024
}

/** The processes that a process has started, where the system tells: with what has its own, all that is at work for it. */
const childrenOf = (pid: number): ReadonlyArray<number> => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").map(Number).filter(Boolean)
  } catch {
    return []
  }
}

/** Together with that of its children. */
export const familyMemoryOf = (id: ProcessId): ProcessMemory | undefined => {
  const children = childrenOf(id.pid).flatMap((pid) => identityOf(pid) ?? [])
  const all = [id, ...children].map(memoryOf).filter((memory) => memory !== undefined)
  if (memoryOf(id) === undefined) return undefined
  const sum = (part: keyof ProcessMemory) => all.reduce((bytes, memory) => bytes + memory[part], 0)
  return { resident: sum("resident"), own: sum("own") }
}

export const memoryOf = (id: ProcessId): ProcessMemory | undefined => {
  if (!isAlive(id)) return undefined
  try {
    if (!linux) {
      const resident =
        Number(execFileSync("ps", ["-o", "rss=", "-p", String(id.pid)], { encoding: "utf8", env: toolEnvironment() })) *
        1024
      return resident > 0 ? { resident, own: resident } : undefined
    }
    const status = readFileSync(`/proc/${id.pid}/status`, "utf8")
    const resident = bytesOf(status, "VmRSS")
    return resident === undefined ? undefined : { resident, own: bytesOf(status, "RssAnon") ?? resident }
  } catch {
    return undefined
  }
}
