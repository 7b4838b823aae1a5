/** Who reads a response: one that lost its last reader is cancelled soon, unless it was asked for in the background. */
import * as Effect from "effect/Effect"
import type { RbeeError } from "../../../machines/errors.ts"
import type { JobId } from "../../../machines/vocabulary/ids.ts"

/** A reader whose connection broke has this time to come back. */
const waitsFor = "10 seconds"

interface Reading {
  readers: number
  /** how often the last reader has left */
  left: number
}

export interface Readers {
  /** Reads as one of them. One who is interrupted has left, who comes to the end has not. */
  readonly reading: <A, E>(id: JobId, effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** It has no reader yet, and may get one. */
  readonly orphan: (id: JobId) => Effect.Effect<void>
}

export const makeReaders = (cancel: (id: JobId) => Effect.Effect<void, RbeeError>): Readers => {
  const all = new Map<JobId, Reading>()
  const of = (id: JobId): Reading => {
    const reading = all.get(id) ?? { readers: 0, left: 0 }
    all.set(id, reading)
    return reading
  }
  const orphan = (id: JobId): Effect.Effect<void> =>
    Effect.suspend(() => {
      const reading = of(id)
      if (reading.readers > 0) return Effect.void
      const left = ++reading.left
      const later = Effect.suspend(() => {
        if (all.get(id) !== reading || reading.readers > 0 || reading.left !== left) return Effect.void
        all.delete(id)
        return Effect.ignore(cancel(id))
      })
      // it outlives the call of who left
      return Effect.asVoid(Effect.forkDaemon(Effect.interruptible(Effect.delay(later, waitsFor))))
    })
  return {
    orphan,
    reading: (id, effect) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          of(id).readers++
        }),
        () => effect,
        (_, exit) =>
          Effect.suspend(() => {
            const reading = of(id)
            reading.readers--
            if (exit._tag === "Failure" && reading.readers === 0) return orphan(id)
            if (reading.readers === 0) all.delete(id)
            return Effect.void
          })
      )
  }
}
