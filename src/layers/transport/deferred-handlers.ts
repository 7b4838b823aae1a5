/** Handlers of a daemon that has bound its port and is still opening its stores: they wait for the real ones. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Api, Handlers } from "../../protocol/endpoint.ts"

export const deferredHandlers = <const A extends Api>(api: A, ready: Deferred.Deferred<Handlers<A>>): Handlers<A> =>
  // One handler for each declared name: exactly the shape that is asked for.
  Object.fromEntries(
    Object.keys(api).map((name) => [
      name,
      (input: never) => Effect.flatMap(Deferred.await(ready), (handlers) => handlers[name as keyof A](input))
    ])
  ) as Handlers<A>
