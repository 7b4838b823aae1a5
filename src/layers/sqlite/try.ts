/** Does SQLite work here at all? A store in memory, which touches no file. */
import * as Reactivity from "@effect/experimental/Reactivity"
import { make as makeClient } from "@effect/sql-sqlite-node/SqliteClient"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { cannotOpen, type OpenError } from "./why.ts"

/** Undefined: it does. */
export const whyNoSqlite: Effect.Effect<OpenError | undefined> = Effect.gen(function* () {
  const sql = yield* makeClient({ filename: ":memory:" })
  yield* sql`SELECT 1`
  return undefined
}).pipe(
  Effect.scoped,
  Effect.provide(Reactivity.layer),
  Effect.catchAllCause((cause) => Effect.succeed(cannotOpen("memory", Cause.squash(cause))))
)
