/** A job's events as `rbee infer --json` prints them, one a line. */
import type { Running } from "./machine.ts"

export interface RunEvent extends Readonly<Record<string, unknown>> {
  readonly event: string
}

/** So far; a line that is not whole yet does not count. */
export const eventsOf = (run: Running): ReadonlyArray<RunEvent> =>
  run
    .stdout()
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as RunEvent)
