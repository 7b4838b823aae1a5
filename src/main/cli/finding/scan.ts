/** `rbee models scan`: what other programs have left on a hive's machine can be asked for by name, and is not copied. */
import { isAbsolute, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { connect, startHive } from "../../../actors/keeper/lifecycle.ts"
import { makeRenderer } from "../../../actors/keeper/renderer.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"
import type { Context } from "../spec.ts"
import { roomOf } from "../table.ts"
import { inWorld } from "../world.ts"
import { scanText } from "./scan-text.ts"

/** Of this machine's hive a folder is meant from here. */
const foldersOf = (words: ReadonlyArray<string>, isHere: boolean): Effect.Effect<ReadonlyArray<string>, RbeeError> => {
  const relative = words.find((word) => !isAbsolute(word))
  return isHere || relative === undefined
    ? Effect.succeed(words.map((word) => resolve(word)))
    : Effect.fail(
        rbeeError("INVALID_REQUEST", "a folder of another machine is an absolute path there", "", { usage: true })
      )
}

export const scan = (
  words: ReadonlyArray<string>,
  flags: { readonly hive: HiveId | undefined; readonly json: boolean },
  context: Context
): Effect.Effect<number, RbeeError> =>
  inWorld(
    context,
    Effect.gen(function* () {
      const local = context.settings.hive.id
      const hive = flags.hive ?? local
      const folders = yield* foldersOf(words, hive === local)
      const clock = yield* Effect.clock
      const renderer = makeRenderer(context.terminal, flags.json ? "quiet" : "plain", () =>
        clock.unsafeCurrentTimeMillis()
      )
      const look = Effect.gen(function* () {
        yield* startHive(renderer, hive, local)
        const answer = yield* (yield* connect).scanModels({ hive, folders })
        const { stdout } = context.terminal
        stdout.write(flags.json ? `${JSON.stringify(answer)}\n` : scanText(answer, roomOf(stdout)))
        const named = answer.folders.filter(({ path }) => folders.includes(path))
        return named.length > 0 && named.every(({ problem }) => problem !== undefined) ? 1 : 0
      })
      return yield* Effect.raceFirst(look, context.terminal.interrupted)
    })
  )
