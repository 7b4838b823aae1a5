/** A hive is ended: asked first, so that its workers end well, and killed where that does not do. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { HiveLauncher } from "../../../layers/hive-launcher/index.ts"
import type { Claimed } from "../../../machines/hive.ts"
import { SessionBook } from "../sessions/stored-sessions.ts"
import { claim } from "./claiming.ts"
import { locate, untilLeft } from "./finding.ts"
import { hiveAt } from "./hive-calls.ts"
import type { KnownHive } from "./known-hive.ts"

/** What a hive may take to stop its workers, and then to end, milliseconds, before it is killed. */
const stopMs = 8000
const endMs = 3000

export const stop = (hive: KnownHive, claimed: Claimed | undefined) =>
  Effect.gen(function* () {
    const url = claimed?.url ?? (yield* locate(hive))
    // What belongs to another queen is hers to end.
    if (url !== undefined && (yield* ask(hive, url)) === "another's") return
    const ended = yield* untilLeft(hive, "20 millis", endMs)
    if (Option.isNone(ended)) yield* (yield* HiveLauncher).kill(hive.target)
  }).pipe(Effect.ensuring(Effect.map(SessionBook, (sessions) => sessions.gone("hive", hive.row.id))))

const ask = (hive: KnownHive, url: string) =>
  Effect.gen(function* () {
    const api = yield* hiveAt(url)
    const shutdown = Effect.timeoutOption(api.shutdown({ deadline_ms: stopMs }), stopMs)
    return yield* shutdown.pipe(
      // Hers from before she lost her catalog: it is claimed anew.
      Effect.catchIf(
        (error) => error.code === "HIVE_OWNED",
        () => Effect.zipRight(claim(hive, url), shutdown)
      ),
      Effect.as("asked" as const),
      Effect.catchAll((error) =>
        Effect.succeed(error.code === "HIVE_OWNED" ? ("another's" as const) : ("asked" as const))
      )
    )
  })
