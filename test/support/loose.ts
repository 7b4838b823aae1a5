/** Handlers that fail as a test says, whatever their endpoints declare, and held to that as a client holds an answer. */
import * as Effect from "effect/Effect"
import { type Api, type Handlers, type InputOf, mapCalls, type OutputOf } from "../../src/protocol/endpoint.ts"
import { heldTo } from "../../src/protocol/failures.ts"
import type { RbeeError } from "../../src/machines/errors.ts"

export type Loose<A extends Api> = {
  readonly [K in keyof A]: (input: InputOf<A[K]>) => Effect.Effect<OutputOf<A[K]>, RbeeError>
}

export const declared = <A extends Api>(api: A, handlers: Loose<A>): Handlers<A> => {
  const codes = new Map(Object.entries(api).map(([name, { errors }]) => [name, heldTo(errors)]))
  // each call fails now with what its own endpoint declares, which is what the type says
  return mapCalls(handlers, (call, name) => Effect.mapError(call, codes.get(name) ?? ((error) => error))) as Handlers<A>
}
