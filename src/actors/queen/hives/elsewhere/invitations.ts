/**
 * Invitations of hives that are started by hand: each is for one name, works once, and within the hour. Kept by digest in
 * the catalog, so that they outlive a queen who ends for being idle.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { digest, freshSecret } from "../../../../layers/keys/index.ts"
import { type CatalogError, QueenCatalog } from "../../../../layers/queen-catalog/index.ts"
import { type RbeeError, rbeeError } from "../../../../machines/errors.ts"
import type { HiveId } from "../../../../machines/vocabulary/ids.ts"

export const invitationMs = 3_600_000

const Invitation = Schema.parseJson(
  Schema.Struct({
    digest: Schema.String,
    until: Schema.Number,
    /** where the operator said that it is reached; absent: on the loopback of the queen's machine */
    at: Schema.optional(Schema.String)
  })
)
type Invitation = typeof Invitation.Type

export class Invitations extends Context.Tag("rbee/queen/Invitations")<Invitations, InvitationBook>() {
  static readonly layer = Layer.suspend(() => Layer.effect(Invitations, makeInvitations))
}

interface InvitationBook {
  /** The token. An earlier one for the same name is worth nothing any more. */
  readonly issue: (hive: HiveId, at: string | undefined) => Effect.Effect<string, CatalogError>
  /** Where its hive is reached; FORBIDDEN: it is none for that name, is used, or too old. */
  readonly check: (
    hive: HiveId,
    token: string
  ) => Effect.Effect<Pick<Invitation, "at">, RbeeError<"FORBIDDEN"> | CatalogError>
  readonly spend: (hive: HiveId) => Effect.Effect<void, CatalogError>
}

const keyOf = (hive: HiveId): string => `invitation of ${hive}`

const notValid = (hive: HiveId) =>
  rbeeError(
    "FORBIDDEN",
    `this invitation is not for hive ${hive}, was used already, or is older than an hour`,
    `\`rbee hives invite ${hive}\` on the queen's machine prints another one`,
    { hive }
  )

const makeInvitations: Effect.Effect<InvitationBook, never, QueenCatalog> = Effect.map(
  QueenCatalog,
  ({ settings }) => ({
    issue: (hive, at) =>
      Effect.gen(function* () {
        const token = freshSecret()
        const until = (yield* Clock.currentTimeMillis) + invitationMs
        const invitation = { digest: digest(token), until, ...(at === undefined ? {} : { at }) }
        yield* settings.put({ name: keyOf(hive), value: Schema.encodeSync(Invitation)(invitation) })
        return token
      }),
    check: (hive, token) =>
      Effect.gen(function* () {
        const row = yield* settings.get(keyOf(hive))
        if (row === undefined) return yield* notValid(hive)
        const invitation = yield* Effect.orElseFail(Schema.decode(Invitation)(row.value), () => notValid(hive))
        const now = yield* Clock.currentTimeMillis
        if (invitation.digest !== digest(token) || invitation.until <= now) return yield* notValid(hive)
        return invitation
      }),
    spend: (hive) => settings.remove(keyOf(hive))
  })
)
