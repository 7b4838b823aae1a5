/** A daemon: a session of its own, its output in a file, and nothing that ties it to the process that started it. */
import { spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { identityOf } from "./identity.ts"
import type { DaemonOptions, ExitStatus, ProcessId } from "./index.ts"
import { prepareLog } from "./log-file.ts"
import { type RefusalCode, startRefusal } from "./start-error.ts"

interface Daemon {
  readonly id: ProcessId
  readonly exit: Effect.Effect<ExitStatus>
}

const start = (
  options: DaemonOptions,
  exit: Deferred.Deferred<ExitStatus>
): Effect.Effect<Daemon, RbeeError<"INTERNAL" | RefusalCode>> =>
  Effect.async((resume) => {
    const refuse = (error: unknown): void =>
      resume(
        Effect.fail(
          startRefusal(error, options.logFile) ??
            rbeeError(
              "INTERNAL",
              `${options.command} could not be started: ${error instanceof Error ? error.message : String(error)}`
            )
        )
      )
    let log: number | undefined
    try {
      prepareLog(options.logFile)
      log = openSync(options.logFile, "a", 0o600)
      // `detached` is setsid: no terminal, no Ctrl-C, no SIGHUP from ours
      const child = spawn(options.command, [...options.args], {
        env: { ...options.env },
        detached: true,
        stdio: ["ignore", log, log]
      })
      child.once("error", refuse)
      child.once("exit", (code, signal) =>
        Deferred.unsafeDone(exit, Effect.succeed({ code: code ?? undefined, signal: signal ?? undefined }))
      )
      if (child.pid === undefined) return
      child.unref()
      const id = identityOf(child.pid) ?? { pid: child.pid, start: "gone" }
      resume(Effect.succeed({ id, exit: Deferred.await(exit) }))
    } catch (error) {
      refuse(error)
    } finally {
      // the child has its own copy
      if (log !== undefined) closeSync(log)
    }
  })

export const daemon = (options: DaemonOptions): Effect.Effect<Daemon, RbeeError<"INTERNAL" | RefusalCode>> =>
  Effect.flatMap(Deferred.make<ExitStatus>(), (exit) => Effect.uninterruptible(start(options, exit)))
