/** How a daemon ends: it is asked to, its program is uninstalled or replaced, or it fails. */
import { existsSync } from "node:fs"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { DaemonFiles } from "../layers/daemon/index.ts"
import { replaced } from "../layers/daemon/program.ts"
import { RbeeError } from "../machines/errors.ts"
import { exitCodeOf } from "../machines/vocabulary/address.ts"
import { jsonLogs } from "./logs.ts"

export interface Daemon {
  /** systemd or launchd looks after it (src/main/service), and after nothing that it starts */
  readonly isService: boolean
  /** Completes when it is to end in good order. */
  readonly mustEnd: Effect.Effect<void, never, DaemonFiles>
  /** Runs it; the process ends with it. */
  readonly run: (program: Effect.Effect<void, unknown>) => void
}

export const exit = (code: number): Effect.Effect<never> => Effect.sync(() => process.exit(code))

/** Completes at the first SIGTERM or SIGINT; from its start on SIGHUP, a closed terminal, is nobody's business. */
const stopSignal: Effect.Effect<void> = Effect.async((resume) => {
  process.on("SIGHUP", () => {})
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resume(Effect.void))
})

/** The daemon whose program is `file`. */
export const daemonOf = (role: "hive" | "queen", file: string): Daemon => {
  const isService = process.env["RBEE_SERVICE"] !== undefined
  // of what it wakes nothing is the service
  delete process.env["RBEE_SERVICE"]
  let isReplaced = false
  const mustEnd = Effect.raceFirst(
    stopSignal,
    Effect.zipRight(
      replaced(file),
      Effect.sync(() => void (isReplaced = true))
    )
  )
  /** Where it is a service a newer program is to be started in its place: to systemd and launchd that is a failure. */
  const ended = Effect.suspend(() => exit(isService && isReplaced && existsSync(file) ? 1 : 0))
  const failed = (cause: Cause.Cause<unknown>): Effect.Effect<never> => {
    const error = Cause.squash(cause)
    if (!(error instanceof RbeeError)) return Effect.zipRight(Effect.logError(`the ${role} died`, cause), exit(1))
    return Effect.zipRight(Effect.logError(`${error.code}: ${error.message}`), exit(exitCodeOf(error)))
  }
  return {
    isService,
    mustEnd,
    run: (program) => {
      Effect.runFork(program.pipe(Effect.zipRight(ended), Effect.catchAllCause(failed), Effect.provide(jsonLogs)))
    }
  }
}
