/** The hive daemons that have a state file under this home. The file is a hint: whether they live is asked by pid. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Home } from "../paths/index.ts"
import type { LivingHive } from "./index.ts"

const readHive = (file: string): ReadonlyArray<LivingHive> => {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, "utf8"))
    if (typeof parsed !== "object" || parsed === null) return []
    const { id, pid, start, role } = parsed as Readonly<Record<string, unknown>>
    return role === "hive" && typeof id === "string" && typeof pid === "number" && typeof start === "string"
      ? [{ id, process: { pid, start } }]
      : []
  } catch {
    // none, or torn by a crash: that hive is found by its queen's next claim
    return []
  }
}

export const hivesOnFile = (home: Home): ReadonlyArray<LivingHive> => {
  try {
    return readdirSync(home.state, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() && entry.name.startsWith("hive-") ? readHive(join(home.state, entry.name, "daemon.json")) : []
    )
  } catch {
    return []
  }
}
