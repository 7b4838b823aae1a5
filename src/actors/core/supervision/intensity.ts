/** The fuse of a supervisor: how many restarts, of all its children together, within how long. */
import * as Data from "effect/Data"
import type { Restarts } from "../../../machines/vocabulary/inspect.ts"

/** More than `intensity` restarts within `periodMs`: the supervisor has stopped its children and given up. */
export class RestartIntensityExceeded extends Data.TaggedError("RestartIntensityExceeded")<{
  readonly supervisor: string
  readonly child: string
  readonly restarts: number
  readonly periodMs: number
}> {}

export class Intensity {
  /** Oldest first, from `oldest` on: those before it have left the period. */
  private times: Array<number> = []
  private oldest = 0
  private readonly max: number
  readonly periodMs: number

  constructor(max: number, periodMs: number) {
    this.max = max
    this.periodMs = periodMs
  }

  /** How full the fuse is at `nowMs`. */
  window(nowMs: number): Restarts {
    const count = this.times.filter((time) => nowMs - time <= this.periodMs).length
    return { count, max: this.max, period_ms: this.periodMs }
  }

  /** Times that are remembered. */
  get kept(): number {
    return this.times.length
  }

  /** Counts a restart at `nowMs`; the period includes both its ends, as in OTP. */
  add(nowMs: number): { readonly exceeded: boolean; readonly restarts: number } {
    this.times.push(nowMs)
    while (nowMs - (this.times[this.oldest] ?? nowMs) > this.periodMs) this.oldest++
    if (this.oldest * 2 > this.times.length) {
      this.times = this.times.slice(this.oldest)
      this.oldest = 0
    }
    const restarts = this.times.length - this.oldest
    return { exceeded: restarts > this.max, restarts }
  }
}
