/**
 * A daemon outlives the installation that it was started from: uninstalled, it would stay until it is idle; replaced, it
 * would start children of another version. So it looks now and then whether its program is the one that it runs.
 */
import * as Effect from "effect/Effect"
import { DaemonFiles } from "./index.ts"

/** milliseconds; with what drains (25 s) it is over within a minute */
const lookEveryMs = 10_000

/** Completes when the program file is gone, or another one is in its place. */
export const replaced = (file: string): Effect.Effect<void, never, DaemonFiles> =>
  Effect.gen(function* () {
    const { mark } = yield* DaemonFiles
    const began = yield* mark(file)
    // an unknown one is no other one: a disk may not answer for a while
    const isSame = Effect.map(mark(file), (now) => now === undefined || now === began)
    if (began === undefined) return yield* Effect.never
    yield* Effect.delay(isSame, lookEveryMs).pipe(Effect.repeat({ while: (same) => same }))
    yield* Effect.logWarning("the program was uninstalled or replaced: what runs may end, then this daemon ends")
  })
