/** Runs a tool of the system to its end: a program and its arguments, no shell between. */
import { execFile } from "node:child_process"
import * as Effect from "effect/Effect"

export interface ToolRun {
  /** undefined: there is no such program, or it was ended by a signal or for taking too long */
  readonly code: number | undefined
  /** there is no such program */
  readonly isMissing: boolean
  readonly stdout: string
  readonly stderr: string
}

/** what a service may take to stop: a queen's shutdown is within it */
const limitMs = 90_000
const outputMax = 16_000_000

export const runTool = ([program = "", ...args]: ReadonlyArray<string>): Effect.Effect<ToolRun> =>
  Effect.async((resume) => {
    const child = execFile(
      program,
      args,
      { timeout: limitMs, maxBuffer: outputMax, encoding: "utf8" },
      (error, stdout, stderr) => {
        const isMissing = error !== null && error.code === "ENOENT"
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : undefined
        resume(Effect.succeed({ code, isMissing, stdout, stderr }))
      }
    )
    return Effect.sync(() => void child.kill())
  })
