/** How a transfer shows that it moves: lines (four a second at most, the last always says 100%) and progress events. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { downloadProgress } from "../../../machines/narration.ts"
import type { EventLog } from "../common/event-log.ts"

const lineEveryMs = 250
const sampleEvery = "100 millis"

export interface Progress {
  /** bytes */
  readonly received: number
  readonly total: number
  /** bytes a second */
  readonly rate: number
}

export class ProgressNarrator {
  private readonly log: EventLog
  private toldAt = Number.NEGATIVE_INFINITY
  private last: Progress = { received: 0, total: 0, rate: 0 }

  constructor(log: EventLog) {
    this.log = log
  }

  progress(progress: Progress, now: number): void {
    this.last = progress
    const { received, total, rate } = progress
    this.log.progress({ stage: "download", received, total, rate })
    if (received >= total || now - this.toldAt < lineEveryMs) return
    this.toldAt = now
    this.log.narrate(downloadProgress(Math.floor((100 * received) / total), rate), now)
  }

  /** How far it is. */
  get now(): Progress {
    return this.last
  }

  complete(now: number): void {
    this.log.narrate(downloadProgress(100, this.last.rate), now)
  }
}

/**
 * Runs a transfer and tells how far it is ten times a second, and once more at its end. The transfer itself only sets a
 * number, so its speed does not depend on who watches. `from`: bytes that were here before.
 */
export const measured = <E, R>(
  from: number,
  transfer: (onProgress: (received: number) => void) => Effect.Effect<void, E, R>,
  tell: (received: number, rate: number) => Effect.Effect<void>
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    const startedAt = yield* Clock.currentTimeNanos
    let received = from
    // A transfer says first what is here already, which a try before this one may have brought.
    let base: number | undefined
    const sample = Effect.flatMap(Clock.currentTimeNanos, (now) => {
      const seconds = Math.max(1e-6, Number(now - startedAt) / 1e9)
      return tell(received, (received - (base ?? from)) / seconds)
    })
    const sampling = Effect.forever(Effect.zipRight(Effect.sleep(sampleEvery), sample))
    yield* Effect.raceFirst(
      transfer((now) => {
        base ??= now
        received = now
      }),
      sampling
    ).pipe(
      // also where it broke off: the next try is told to go on from there
      Effect.ensuring(sample)
    )
  })
