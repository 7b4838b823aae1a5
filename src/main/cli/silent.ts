/** @effect/cli without its own output and prompts: it parses, everything else is said by us. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as PlatformTerminal from "@effect/platform/Terminal"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

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

const prompted = Effect.dieMessage("rbee has no prompts")

/**
 * Prompts and file options would need these; we declare none. NodeContext would bring the real ones, and cost a sixth
 * of a warm call's start.
 */
export const layerUnused = Layer.mergeAll(
  FileSystem.layerNoop({}),
  Path.layer,
  Layer.succeed(PlatformTerminal.Terminal, {
    columns: prompted,
    rows: prompted,
    isTTY: prompted,
    readInput: prompted,
    readLine: prompted,
    display: () => prompted
  })
)

/** Runs without the library's own output; logs still go where the logger sends them. */
export const silent = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Console.withConsole(effect, quiet)
