/** `rbee hives discover`: machines that could be added. Wakes nobody. */
import * as Effect from "effect/Effect"
import { discovered } from "../../../layers/lan/discovered.ts"
import type { Context } from "../spec.ts"
import { roomOf } from "../table.ts"
import { discoveredText } from "./discovered-text.ts"

export const discover = (json: boolean, context: Context): Effect.Effect<number> =>
  Effect.map(Effect.raceFirst(discovered(context.settings), context.terminal.interrupted), (found) => {
    if (typeof found === "number") return found
    const { stdout } = context.terminal
    stdout.write(json ? `${JSON.stringify(found)}\n` : discoveredText(found, roomOf(stdout)))
    return 0
  })
