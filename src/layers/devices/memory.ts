/** RAM of this machine, or of the control group that we are in where that is less. */
import { readFileSync } from "node:fs"
import { availableParallelism, freemem, totalmem } from "node:os"
import type { MemoryFacts } from "../../machines/doctor/memory.ts"
import type { Machine } from "./index.ts"

const textOf = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

const bytesOf = (file: string): number | undefined => {
  const value = Number(textOf(file)?.trim())
  // "max", and the huge number that stands for it in version 1, are no limit
  return Number.isFinite(value) && value > 0 && value < 2 ** 60 ? value : undefined
}

/** What the kernel would give without swapping: caches count as free. */
const available = (): number => {
  const kilobytes = Number(/^MemAvailable:\s+(\d+) kB/m.exec(textOf("/proc/meminfo") ?? "")?.[1])
  return Number.isFinite(kilobytes) && kilobytes > 0 ? kilobytes * 1024 : freemem()
}

interface Group {
  readonly limit: number
  readonly used: number
}

/** Pages of files in a group: the kernel takes them back, as it does those that MemAvailable counts. */
const cacheBytes = (stat: string, prefix: string): number =>
  ["active_file", "inactive_file"].reduce(
    (sum, field) => sum + Number(new RegExp(`^${prefix}${field} (\\d+)`, "m").exec(stat)?.[1] ?? 0),
    0
  )

/** The tightest limit from our own group up to the root: a group is bound by all above it. */
export const groupLimit = (root = "/sys/fs/cgroup", self = textOf("/proc/self/cgroup") ?? ""): Group | undefined => {
  const v2 = /^0::(\/.*)$/m.exec(self)?.[1]
  const v1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(self)?.[1]
  const found: Array<Group> = []
  const look = (base: string, path: string, limitFile: string, usedFile: string, prefix: string) => {
    const parts = path.split("/").filter((part) => part !== "")
    for (let depth = parts.length; depth >= 0; depth--) {
      const folder = [base, ...parts.slice(0, depth)].join("/")
      const limit = bytesOf(`${folder}/${limitFile}`)
      if (limit === undefined) continue
      const used = bytesOf(`${folder}/${usedFile}`) ?? 0
      const cache = cacheBytes(textOf(`${folder}/memory.stat`) ?? "", prefix)
      found.push({ limit, used: Math.max(0, used - cache) })
    }
  }
  if (v2 !== undefined) look(root, v2, "memory.max", "memory.current", "")
  if (v1 !== undefined) look(`${root}/memory`, v1, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
  return found.sort((a, b) => a.limit - a.used - (b.limit - b.used))[0]
}

/** llama.cpp asks the CPU; the kernel's word is the same. It does not change. */
export const hasTiles = /^flags\s*:.*\bamx_int8\b/m.test(textOf("/proc/cpuinfo") ?? "")

/** Each apart: the machine's own, and the limit of the group that we are in. */
export const memoryFacts = (): MemoryFacts => ({
  totalBytes: totalmem(),
  freeBytes: available(),
  group: groupLimit()
})

export const readRam = (group: Group | undefined = groupLimit()): Machine["cpu"] => {
  const total = totalmem()
  const free = available()
  return {
    cores: availableParallelism(),
    hasTiles,
    ramBytes: group === undefined ? total : Math.min(total, group.limit),
    ramFreeBytes: group === undefined ? free : Math.max(0, Math.min(free, group.limit - group.used))
  }
}
