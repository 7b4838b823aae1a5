/** What this machine has of memory, and what it leaves us of it. */
import { type Finding, ok, warn } from "./finding.ts"

export interface MemoryFacts {
  readonly totalBytes: number
  readonly freeBytes: number
  /** of the control group that we are in; undefined: there is none, or it has no limit */
  readonly group: { readonly limit: number; readonly used: number } | undefined
}

/** bytes; a small model and its context */
const little = 1e9
const mb = (bytes: number): string => `${Math.floor(bytes / 1e6)} MB`

export const memoryFinding = ({ freeBytes, group, totalBytes }: MemoryFacts): Finding => {
  const isBound = group !== undefined && group.limit < totalBytes
  const free = isBound ? Math.min(freeBytes, Math.max(0, group.limit - group.used)) : freeBytes
  const seen = isBound
    ? `${mb(free)} free of the ${mb(group.limit)} that a control group leaves of ${mb(totalBytes)}`
    : `${mb(free)} of ${mb(totalBytes)} free`
  if (free >= little) return ok("memory", seen)
  const todo =
    isBound && freeBytes >= little
      ? "Raise the limit (MemoryMax= of the unit, --memory of the container)"
      : "End what takes it, or unload models (`rbee ps`, `rbee stop MODEL`)"
  return warn("memory", seen, todo)
}
