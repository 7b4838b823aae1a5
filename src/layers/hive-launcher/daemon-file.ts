/** The state file of a hive daemon, `hive-ID/daemon.json`: written after its bind, removed at a clean end. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { ProcessId } from "../process/index.ts"

export interface DaemonFile extends ProcessId {
  readonly url: string
}

/** What the file says; undefined when there is none, or none that can be understood. */
export const readDaemonFile = (folder: string): DaemonFile | undefined => {
  try {
    const found: unknown = JSON.parse(readFileSync(join(folder, "daemon.json"), "utf8"))
    if (typeof found !== "object" || found === null) return undefined
    const { pid, start, url } = found as Readonly<Record<string, unknown>>
    return typeof pid === "number" && typeof start === "string" && typeof url === "string"
      ? { pid, start, url }
      : undefined
  } catch {
    return undefined
  }
}
