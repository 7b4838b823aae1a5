/**
 * What a hive has its workers keep of their slots, in files: where, and how it is deleted. `disk.ts` is the folder in the
 * hive's own; where nobody says otherwise nothing is kept.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** Where the workers of one model file keep what their slots hold. */
export interface ParkingPlace {
  readonly folder: string
  /** what its files are sealed with: of this model alone, and no worker's own */
  readonly key: string
  /** of all files in the folder */
  readonly maxBytes: number
}

export interface Held {
  readonly files: number
  readonly bytes: number
}

/** Answers that began with what was parked, and tokens that they did not read again. */
export interface Saved {
  readonly answers: number
  readonly tokens: number
}

interface Parking {
  /** undefined: nothing is kept */
  readonly placeOf: (modelFile: string) => ParkingPlace | undefined
  /** Deletes what is there of a scope, or all; returns what that was. */
  readonly clear: (scope?: string) => Effect.Effect<Held>
  readonly held: Effect.Effect<Held>
  /** An answer did not read so many tokens. */
  readonly restored: (tokens: number) => void
  /** so far */
  readonly saved: () => Saved
}

const nothing = Effect.succeed<Held>({ files: 0, bytes: 0 })

export class Parked extends Context.Reference<Parked>()("rbee/Parked", {
  defaultValue: (): Parking => ({
    placeOf: () => undefined,
    clear: () => nothing,
    held: nothing,
    restored: () => undefined,
    saved: () => ({ answers: 0, tokens: 0 })
  })
}) {}
