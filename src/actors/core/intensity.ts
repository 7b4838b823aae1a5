/** The fuse of a supervisor: how many restarts, of all its children together, within how long. */
import * as Data from "effect/Data"

/** More than `intensity` restarts within `periodMs`: the supervisor has stopped its children and given up. */
export class RestartIntensityExceeded extends Data.TaggedError("RestartIntensityExceeded")<{
  readonly supervisor: string
  readonly child: string
  readonly restarts: number
  readonly periodMs: number
}> {}

export class Intensity {
  private times: ReadonlyArray<number> = []
  private readonly max: number
  private readonly periodMs: number

  constructor(max: number, periodMs: number) {
    this.max = max
    this.periodMs = periodMs
  }

  /** Counts a restart at `nowMs`; the period includes both its ends, as in OTP. */
  add(nowMs: number): { readonly exceeded: boolean; readonly restarts: number } {
    this.times = [...this.times.filter((time) => nowMs - time <= this.periodMs), nowMs]
    return { exceeded: this.times.length > this.max, restarts: this.times.length }
  }
}
