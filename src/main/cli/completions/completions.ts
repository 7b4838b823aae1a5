/** `rbee completions SHELL`: the script by which a shell asks `rbee __complete` what can stand at the cursor. */
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { Context } from "../spec.ts"
import { scripts, shells } from "./scripts.ts"

export const completions = (shell: string, context: Context): Effect.Effect<number, RbeeError> => {
  const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined
  if (script === undefined)
    return Effect.fail(
      rbeeError("INVALID_REQUEST", `there are no completions for '${shell}'`, `Known: ${shells.join(", ")}.`, {
        usage: true
      })
    )
  context.terminal.stdout.write(script)
  return Effect.succeed(0)
}
