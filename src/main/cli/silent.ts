/** @effect/cli prints errors and help itself, coloured, whatever the terminal wants. Here it is silenced. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

const nothing = () => Effect.void

const quiet: Console.Console = {
  [Console.TypeId]: Console.TypeId,
  assert: nothing,
  clear: Effect.void,
  count: nothing,
  countReset: nothing,
  debug: nothing,
  dir: nothing,
  dirxml: nothing,
  error: nothing,
  group: nothing,
  groupEnd: Effect.void,
  info: nothing,
  log: nothing,
  table: nothing,
  time: nothing,
  timeEnd: nothing,
  timeLog: nothing,
  trace: nothing,
  warn: nothing,
  // the global console: only loggers use it
  unsafe: console
}

/** Runs without the library's own output; logs still go where the logger sends them. */
export const silent = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Console.withConsole(effect, quiet)
