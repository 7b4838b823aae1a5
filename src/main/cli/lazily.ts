import * as Effect from "effect/Effect"

/** Only the command that runs is loaded: the start is most of a short call. */
export const lazily = <M, A, E>(load: () => Promise<M>, use: (module: M) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.flatMap(Effect.promise(load), use)
