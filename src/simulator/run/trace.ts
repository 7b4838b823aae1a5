/** What a run was, as the inspector shows it (`machines/vocabulary/inspect.ts`): JSON lines, in order of time. */
import { recordOf } from "../../actors/inspect/record.ts"
import type { Observation } from "../../actors/core/system.ts"
import type { SimProcess } from "../world/process.ts"
import type { InspectRecord } from "../../machines/vocabulary/inspect.ts"
import type { Onlooker } from "../watch/onlooker.ts"
import type { Outcome } from "./run.ts"

/** who strikes and who judges */
const world = "simulator"

export class Trace implements Onlooker {
  private readonly write: (line: string) => void
  /** of the last record: a process's own clock may be wrong */
  private atMs: number

  constructor(seed: number, startMs: number, write: (line: string) => void) {
    this.write = write
    this.atMs = startMs
    this.record({ kind: "trace", version: 1, source: "simulation", at: startMs, seed })
  }

  started(process: SimProcess): void {
    this.record({ kind: "daemon", ...this.from(process), state: "up" })
  }

  ended(process: SimProcess): void {
    this.record({ kind: "daemon", ...this.from(process), state: "down" })
  }

  saw(process: SimProcess, seen: Observation): void {
    const { at, daemon } = this.from(process)
    // the prompts and answers of a simulation are nobody's
    this.record(recordOf({ ...seen, atMs: at }, daemon, { contents: true }))
  }

  struck(what: string, at: number): void {
    this.atMs = at
    this.record({ kind: "fault", at, daemon: world, what })
  }

  /** The last line of a run that broke something. */
  conclude({ broken }: Outcome): void {
    if (broken !== undefined) this.record({ kind: "violation", at: this.atMs, daemon: world, ...broken })
  }

  private from(process: SimProcess): { readonly at: number; readonly daemon: string } {
    this.atMs = process.kernel.wallMs()
    return { at: this.atMs, daemon: process.name }
  }

  private record(record: InspectRecord): void {
    this.write(`${JSON.stringify(record)}\n`)
  }
}
