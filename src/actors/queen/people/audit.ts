/**
 * What operators did: each call that changes something and needs *manage*, with who made it and how it ended. Never what
 * was told with it but names of things, so that no secret gets here.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import type { QueenCatalog } from "../../../layers/queen-catalog/index.ts"
import type { RbeeError } from "../../../machines/errors.ts"
import { isObject } from "../../../machines/formats/json/is-object.ts"
import { Call, mapCalls } from "../../../protocol/endpoint.ts"
import { type QueenApi, queenApi } from "../../../protocol/queen/index.ts"

const acts: ReadonlySet<string> = new Set(
  Object.entries(queenApi).flatMap(([name, { method, scope }]) =>
    scope === "manage" && method !== "GET" ? [name] : []
  )
)

/** fields that are names of what an act is about */
const named = ["id", "name", "ref", "model_ref", "model", "hive", "session", "to"]

const aboutOf = (input: unknown): string | undefined => {
  if (!isObject(input)) return undefined
  const found = named.flatMap((field) => (typeof input[field] === "string" ? [input[field]] : []))
  return found.length === 0 ? undefined : found.join(" ").slice(0, 512)
}

const outcomeOf = (exit: Exit.Exit<unknown, RbeeError>): string =>
  Exit.match(exit, {
    onSuccess: () => "ok",
    onFailure: (cause) =>
      Option.match(Cause.failureOption(cause), {
        onNone: () => (Cause.isInterruptedOnly(cause) ? "CANCELLED" : "INTERNAL"),
        onSome: ({ code }) => code
      })
  })

/** The same calls; those that are acts are written down as they end. */
export const audited = (api: QueenApi, { audit }: QueenCatalog["Type"]): QueenApi =>
  mapCalls(api, (call, name, input) =>
    !acts.has(name)
      ? call
      : Effect.flatMap(Call, ({ caller }) =>
          Effect.onExit(call, (exit) =>
            Effect.gen(function* () {
              const about = aboutOf(input)
              yield* audit.add({
                at: yield* Clock.currentTimeMillis,
                who: caller?.name ?? "token",
                what: name,
                ...(about === undefined ? {} : { about }),
                outcome: outcomeOf(exit)
              })
            }).pipe(
              // who frees a full disk does it by such calls
              Effect.catchAll((error) =>
                Effect.logWarning(`an act was not written down: ${error.message}`, { act: name })
              )
            )
          )
        )
  )
