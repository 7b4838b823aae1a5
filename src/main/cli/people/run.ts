/** `rbee keys add|ls|revoke|usage` and `rbee audit`. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { decoder } from "../../../machines/formats/json/decode.ts"
import { connect, startQueen } from "../../../actors/keeper/lifecycle.ts"
import { makeRenderer } from "../../../actors/keeper/renderer.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { expiryOf } from "../../../machines/people/expiry.ts"
import { KeyName, KeyRequest } from "../../../machines/vocabulary/people/key.ts"
import type { OwnApi } from "../../../protocol/queen/own.ts"
import { withQueen } from "../commands/lists.ts"
import type { Context } from "../spec.ts"
import { roomOf } from "../table.ts"
import { inWorld } from "../world.ts"
import { actsTable, keysTable, made, usageTable } from "./views.ts"

export interface AddValues {
  readonly models: string | undefined
  readonly tokensPerDay: number | undefined
  readonly concurrent: number | undefined
  readonly weight: number | undefined
  readonly expires: string | undefined
  readonly scope: string | undefined
  readonly json: boolean
}

const usageError = (what: string, todo: string) => rbeeError("INVALID_REQUEST", what, todo, { usage: true })

const listed = (text: string): ReadonlyArray<string> => text.split(",").map((one) => one.trim())

const given = (name: string, values: AddValues, now: number): Effect.Effect<KeyRequest, RbeeError> => {
  const { concurrent, expires, models, scope, tokensPerDay, weight } = values
  const until = expires === undefined ? undefined : expiryOf(expires, now)
  if (expires !== undefined && until === undefined)
    return usageError(`--expires takes a time to come, not '${expires.slice(0, 60)}'`, "For example 30d or 2027-01-31")
  return decoder(KeyRequest)({
    name,
    ...(models === undefined ? {} : { models: listed(models) }),
    ...(scope === undefined ? {} : { scopes: listed(scope) }),
    ...(tokensPerDay === undefined ? {} : { tokens_per_day: tokensPerDay }),
    ...(concurrent === undefined ? {} : { concurrent }),
    ...(weight === undefined ? {} : { weight }),
    ...(until === undefined ? {} : { expires_at: until })
  }).pipe(
    Effect.mapError(() =>
      Schema.is(KeyName)(name)
        ? usageError(
            `--scope takes infer, manage and observe, not '${scope?.slice(0, 60) ?? ""}'`,
            "Part them by commas"
          )
        : usageError(`'${name.slice(0, 70)}' is no name of a key`, "Letters, digits, dots, dashes and underscores")
    )
  )
}

const show = (context: Context, json: boolean, value: unknown, text: (room: number | undefined) => string): number => {
  const { stdout } = context.terminal
  stdout.write(json ? `${JSON.stringify(value)}\n` : text(roomOf(stdout)))
  return 0
}

/** Wakes her: keys are hers. */
const withWoken = (context: Context, use: (api: OwnApi) => Effect.Effect<number, RbeeError>) =>
  inWorld(
    context,
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      yield* startQueen(makeRenderer(context.terminal, "plain", () => clock.unsafeCurrentTimeMillis()))
      return yield* use(yield* connect)
    })
  )

const now = Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis())

export const add = (name: string, values: AddValues, context: Context): Effect.Effect<number, RbeeError> =>
  Effect.flatMap(
    Effect.flatMap(now, (at) => given(name, values, at)),
    (request) =>
      withWoken(context, (api) =>
        Effect.map(api.addKey(request), (key) => {
          if (!values.json && context.terminal.stdout.isTTY)
            context.terminal.stderr.write("This is the key. It is shown this once: nobody can read it again.\n")
          return show(context, values.json, key, () => made(key))
        })
      )
  )

export const list = (json: boolean, context: Context) =>
  withQueen(context, json, (api) =>
    Effect.map(api.listKeys({}), (keys) => show(context, json, keys, (room) => keysTable(keys, room)))
  )

export const revoke = (name: string, json: boolean, context: Context): Effect.Effect<number, RbeeError> =>
  Schema.is(KeyName)(name)
    ? withWoken(context, (api) =>
        Effect.map(api.revokeKey({ name }), (answer) =>
          show(
            context,
            json,
            answer,
            () => `key ${name} is revoked${answer.ended === 0 ? "" : `; ${answer.ended} of its jobs were ended`}\n`
          )
        )
      )
    : Effect.fail(usageError(`'${name.slice(0, 70)}' is no name of a key`, "`rbee keys ls` lists them"))

export const usage = (
  name: string | undefined,
  { days, json }: { readonly days: number | undefined; readonly json: boolean },
  context: Context
) =>
  withQueen(context, json, (api) =>
    Effect.gen(function* () {
      const all = yield* api.usage(days === undefined ? {} : { days })
      const keys = name === undefined ? all.keys : all.keys.filter(({ key }) => key === name)
      if (name !== undefined && keys.length === 0)
        return yield* rbeeError(
          "NOT_FOUND",
          `there is no key ${name}, and it has used nothing`,
          "`rbee keys ls` lists them"
        )
      return show(context, json, { ...all, keys }, (room) => usageTable({ ...all, keys }, room))
    })
  )

export const audit = (limit: number | undefined, json: boolean, context: Context) =>
  withQueen(context, json, (api) =>
    Effect.map(api.audit(limit === undefined ? {} : { limit }), (acts) =>
      show(context, json, acts, (room) => actsTable(acts, room))
    )
  )
