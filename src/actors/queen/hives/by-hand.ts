/** A hive that somebody starts by hand. */
import * as Effect from "effect/Effect"
import { CurrentSettings } from "../../../layers/settings/index.ts"
import { Events } from "../log/event-ring.ts"
import { SessionBook } from "../sessions/stored-sessions.ts"
import type { NotWoken } from "./ensuring.ts"
import { Hives } from "./hives.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"

/** Returns when it is awake. It stays, whatever sessions come and go. */
export const wakeByHand = (
  id: HiveId,
  takeOver?: boolean
): Effect.Effect<void, NotWoken, CurrentSettings | Events | Hives | SessionBook> =>
  Effect.gen(function* () {
    const hives = yield* Hives
    const { narrate } = yield* Events
    const { hive } = yield* CurrentSettings
    // This machine's own hive needs no introduction.
    if (id === hive.id) yield* hives.add(id)
    yield* hives.ensure(id, { narrate, session: undefined, isSilent: true, takeOver })
    ;(yield* SessionBook).woke("hive", id, undefined, [undefined])
  })
