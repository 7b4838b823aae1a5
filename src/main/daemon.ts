/** What every daemon does alike: its state file and its signals. */
import { mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** `daemon.json`: how others find a daemon, and know it from another process with the same pid. */
export interface DaemonState {
  readonly pid: number
  readonly start: string
  readonly port: number
  readonly url: string
  readonly role: "queen" | "hive"
  readonly id: string
  readonly instance: string
  readonly version: string
}

const isOurs = (file: string, { instance }: DaemonState): boolean => {
  try {
    const found: unknown = JSON.parse(readFileSync(file, "utf8"))
    return typeof found === "object" && found !== null && "instance" in found && found.instance === instance
  } catch {
    return false
  }
}

/** Writes the state file, whole or not at all, and removes it at a clean end, unless a successor has its own there. */
export const stateFile = (folder: string, state: DaemonState): Effect.Effect<void, never, Scope.Scope> => {
  const file = join(folder, "daemon.json")
  return Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      const fresh = `${file}.${state.pid}`
      writeFileSync(fresh, `${JSON.stringify(state)}\n`, { mode: 0o600 })
      renameSync(fresh, file)
    }),
    () =>
      Effect.sync(() => {
        if (isOurs(file, state)) unlinkSync(file)
      })
  )
}

/** Completes at the first SIGTERM or SIGINT; from its start on SIGHUP, a closed terminal, is nobody's business. */
export const stopSignal: Effect.Effect<void> = Effect.async((resume) => {
  process.on("SIGHUP", () => {})
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resume(Effect.void))
})
