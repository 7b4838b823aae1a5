/** Runs a child to its end; a failure carries its last words. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Context from "effect/Context"
import type { Child, Processes } from "../../process/index.ts"

export interface Run {
  /** how a failure calls it */
  readonly what: string
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly confined?: boolean
  readonly within: Duration.Duration
}

/** What says most: the first line that tells of an error, and where none does the last three. */
const telling = (words: string): string => {
  const lines = words.trim().split("\n")
  const named = lines.find((line) => /error: /i.test(line)) ?? lines.find((line) => /error/i.test(line))
  return (named ?? lines.slice(-3).join(" ")).slice(0, 300)
}

export const run = (
  processes: Context.Tag.Service<Processes>,
  { what, within, ...options }: Run
): Effect.Effect<void, string> =>
  Effect.scoped(
    Effect.gen(function* () {
      const child: Child = yield* processes.spawn({ ...options, graceMs: 1000 })
      const exit = yield* child.exit
      if (exit.code === 0) return
      const how = exit.signal ?? `exit code ${exit.code}`
      return yield* Effect.fail(`${what} ended with ${how}: ${telling(child.lastWords()) || "no output"}`)
    })
  ).pipe(
    Effect.mapError((error) => (typeof error === "string" ? error : `${what} could not be started: ${error.what}`)),
    Effect.timeoutFail({ duration: within, onTimeout: () => `${what} took over ${Duration.format(within)}` })
  )
