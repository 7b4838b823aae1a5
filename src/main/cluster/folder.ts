/**
 * The state folder of a cluster in one process: its own, gone with it. What a killed one left behind is removed by the
 * next, known by pid and start time.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Home } from "../../layers/paths/index.ts"
import { identityOf, isAlive } from "../../layers/process/identity.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"

const ownerFile = "owner.json"
/** a folder whose owner file is missing may be a second old, or broken for ever */
const unownedMs = 60_000

const isAbandoned = (folder: string, now: number): boolean => {
  try {
    const owner: unknown = JSON.parse(readFileSync(join(folder, ownerFile), "utf8"))
    if (typeof owner !== "object" || owner === null) return true
    const { pid, start } = owner as Readonly<Record<string, unknown>>
    return !(typeof pid === "number" && typeof start === "string" && isAlive({ pid, start }))
  } catch {
    return now - statSync(folder).mtimeMs > unownedMs
  }
}

const sweep = (parent: string, now: number): void => {
  for (const name of readdirSync(parent)) {
    const folder = join(parent, name)
    try {
      if (isAbandoned(folder, now)) rmSync(folder, { recursive: true, force: true })
    } catch {
      // another process sweeps as well
    }
  }
}

/** Makes the folder under `home` and removes it when the scope closes. */
export const ownFolder = (home: Home): Effect.Effect<Home, RbeeError<"INVALID_REQUEST">, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: (): Home => {
        const parent = join(home.state, "one-process")
        mkdirSync(parent, { recursive: true, mode: 0o700 })
        sweep(parent, Date.now())
        const state = mkdtempSync(join(parent, "cluster-"))
        writeFileSync(join(state, ownerFile), JSON.stringify(identityOf(process.pid)), { mode: 0o600 })
        return { state, logs: home.logs, config: home.config }
      },
      catch: (cause) =>
        rbeeError(
          "INVALID_REQUEST",
          `no folder can be made in ${home.state}: ${cause instanceof Error ? cause.message : String(cause)}`,
          "Correct its permissions, or set RBEE_HOME."
        )
    }),
    ({ state }) => Effect.sync(() => rmSync(state, { recursive: true, force: true, maxRetries: 3 }))
  )
