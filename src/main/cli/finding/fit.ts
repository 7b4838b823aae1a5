/** `rbee models fit REPO`: what of a repository fits which device, with how much context, and how fast it will be. */
import * as Effect from "effect/Effect"
import { connect, startHive } from "../../../actors/keeper/lifecycle.ts"
import { makeRenderer } from "../../../actors/keeper/renderer.ts"
import type { RbeeError } from "../../../machines/errors.ts"
import { askedFor } from "../asked-for.ts"
import type { Context } from "../spec.ts"
import { roomOf } from "../table.ts"
import { inWorld } from "../world.ts"
import { fitText } from "./fit-text.ts"

export interface FitValues {
  readonly context: number | undefined
  readonly json: boolean
}

export const fit = (
  name: string,
  { context: tokens, json }: FitValues,
  context: Context
): Effect.Effect<number, RbeeError> =>
  inWorld(
    context,
    Effect.gen(function* () {
      const { id: local } = context.settings.hive
      const clock = yield* Effect.clock
      const renderer = makeRenderer(context.terminal, json ? "quiet" : "plain", () => clock.unsafeCurrentTimeMillis())
      const look = Effect.gen(function* () {
        const model = yield* askedFor(name)
        yield* startHive(renderer, local, local)
        const api = yield* connect
        const rows = yield* api.fitModels({ model, ...(tokens === undefined ? {} : { context: tokens }) })
        const hives = yield* api.listHives({})
        const unknown = hives.filter(({ devices }) => devices === undefined).map(({ id }) => id)
        const { stdout } = context.terminal
        stdout.write(json ? `${JSON.stringify(rows)}\n` : fitText(rows, unknown, roomOf(stdout)))
        return 0
      })
      return yield* Effect.raceFirst(look, context.terminal.interrupted)
    })
  )
