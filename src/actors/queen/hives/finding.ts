/** Where a hive runs, if it does: asked of its machine, and of the address where it was last. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { HiveLauncher } from "../../../layers/hive-launcher/index.ts"
import { hiveAt } from "./hive-calls.ts"
import { isUninvited, type KnownHive } from "./known-hive.ts"

/** A hive that does not answer /health for so long, milliseconds, is taken for dead though its process is there. */
export const silenceMs = 5000
/** What a hive that shuts down already may take: its answers may finish until their deadline (docs/design.md#shutdown). */
export const leaveMs = 33_000

/**
 * Where it runs already. A hive that was invited is asked where it said that it is, with its own secret; any other's
 * launcher knows, and nobody else who may listen there by now.
 */
export const locate = (hive: KnownHive) =>
  Effect.gen(function* () {
    const { row, target } = hive
    if (isUninvited(hive)) return undefined
    if (row.joined === undefined) return yield* (yield* HiveLauncher).find(target)
    if (row.url === undefined || row.ssh !== undefined) return undefined
    const health = yield* Effect.option(Effect.timeout((yield* hiveAt(row.url)).health({}), "2 seconds"))
    return Option.isSome(health) && health.value.role === "hive" && health.value.id === row.id ? row.url : undefined
  })

/**
 * Where it runs. One whose process is there and says nothing gets its time and is ended: it would hold its address
 * against the next one.
 */
export const findOrEnd = (hive: KnownHive) =>
  Effect.gen(function* () {
    const launcher = yield* HiveLauncher
    const { row, target } = hive
    const isThere = Effect.orElseSucceed(launcher.present(target), () => false)
    const found = yield* locate(hive)
    if (found !== undefined || !(yield* isThere)) return found
    // it answers again, or it was about to end, and has
    const isSettled = Effect.flatMap(locate(hive), (url) =>
      url === undefined ? Effect.map(isThere, (is) => !is) : Effect.succeed(true)
    )
    const settled = yield* isSettled.pipe(
      Effect.repeat({ until: (is) => is, schedule: Schedule.spaced("250 millis") }),
      Effect.timeoutOption(silenceMs)
    )
    if (Option.isSome(settled)) return yield* locate(hive)
    yield* Effect.catchAll(launcher.kill(target), (error) =>
      Effect.logWarning(`hive ${row.id} could not be ended: ${error.message}`)
    )
    return undefined
  })

/** Comes true when its process has gone; none: it has not within its time, milliseconds. Looks every so often. */
export const untilLeft = ({ target }: KnownHive, every: "20 millis" | "100 millis", ms: number) =>
  Effect.flatMap(HiveLauncher, (launcher) =>
    launcher
      .present(target)
      .pipe(Effect.repeat({ until: (isThere) => !isThere, schedule: Schedule.spaced(every) }), Effect.timeoutOption(ms))
  )
