/** The sessions' book in the catalog, so that the next queen knows it too. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import { decoder } from "../../../machines/formats/json/decode.ts"
import { QueenCatalog } from "../../../layers/queen-catalog/index.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import { SessionFacts, Sessions } from "./sessions.ts"

const sessionsName = "sessions"

export class SessionBook extends Context.Tag("rbee/queen/SessionBook")<SessionBook, Sessions>() {
  /** A worker that will not come back is nobody's. */
  static readonly layer = Layer.suspend(() =>
    Layer.scoped(
      SessionBook,
      Effect.zipWith(Cluster, openSessions, (view, sessions) => {
        view.onForgotten((id) => sessions.gone("worker", id))
        return sessions
      })
    )
  )
}

/** Sessions are stored as one small document, newest state wins; a queen that cannot read it starts without. */
const openSessions = Effect.gen(function* () {
  const catalog = yield* QueenCatalog
  const row = yield* Effect.catchAll(catalog.settings.get(sessionsName), () => Effect.succeed(undefined))
  const stored =
    row === undefined
      ? undefined
      : yield* Effect.option(decoder(Schema.parseJson(SessionFacts))(row.value)).pipe(
          Effect.map((found) => (found._tag === "Some" ? found.value : undefined))
        )
  let unsaved: SessionFacts | undefined
  const changed = yield* Queue.sliding<void>(1)
  const save = Effect.suspend(() => {
    const facts = unsaved
    unsaved = undefined
    return facts === undefined
      ? Effect.void
      : catalog.settings.put({ name: sessionsName, value: JSON.stringify(facts) })
  }).pipe(Effect.catchAll((error) => Effect.logWarning("sessions were not stored", error)))
  yield* Effect.addFinalizer(() => save)
  yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Queue.take(changed), save)))
  return new Sessions((facts) => {
    unsaved = facts
    Queue.unsafeOffer(changed, undefined)
  }, stored)
})
