/** `rbee up` of a queen who was here before: from now on she stays, and her hives with her, until they are told to end. */
import * as Effect from "effect/Effect"
import { Cluster } from "../cluster/cluster-view.ts"
import { asOwner } from "../hives/claiming.ts"
import { SessionBook } from "../sessions/stored-sessions.ts"
import { OwnLife } from "./own-life.ts"

export const stay = Effect.gen(function* () {
  yield* (yield* OwnLife).stay
  const sessions = yield* SessionBook
  // no session's end takes her, or them, along any more
  sessions.opened(undefined)
  const owner = yield* asOwner
  const told = (yield* Cluster).allHives().map(({ claimed, id }) => {
    if (claimed === undefined) return Effect.void
    sessions.woke("hive", id, undefined, [undefined])
    // one that does not answer is told when it is claimed again
    return Effect.ignore(claimed.api.claim({ ...owner, woken_cold: false }))
  })
  yield* Effect.all(told, { concurrency: "unbounded", discard: true })
})
