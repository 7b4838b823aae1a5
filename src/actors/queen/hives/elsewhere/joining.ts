/** Hives that are started by hand: invited by whoever manages the cluster, they join with what they were given. */
import * as Effect from "effect/Effect"
import { digest } from "../../../../layers/keys/index.ts"
import type { QueenApi } from "../../../../protocol/queen/index.ts"
import { CurrentSettings } from "../../../../layers/settings/index.ts"
import { type RbeeError, rbeeError } from "../../../../machines/errors.ts"
import { isLoopback } from "../../../../machines/vocabulary/address.ts"
import { farUrl, invitedAt, readFarUrl } from "../../../../machines/vocabulary/place.ts"
import type { Events } from "../../log/event-ring.ts"
import type { SessionBook } from "../../sessions/stored-sessions.ts"
import { wakeByHand } from "../by-hand.ts"
import { Hives } from "../hives.ts"
import { notInvited } from "../known-hive.ts"
import { invitationMs, Invitations } from "./invitations.ts"
import type { HiveId } from "../../../../machines/vocabulary/ids.ts"

const refused = (field: string, what: string, todo: string) =>
  rbeeError("INVALID_REQUEST", what, todo, { field, usage: true })

const forgotten = (id: HiveId) =>
  rbeeError(
    "FORBIDDEN",
    `hive ${id} is not known here any more, or not by this secret`,
    `\`rbee hives invite ${id}\` on the queen's machine prints an invitation`,
    { hive: id }
  )

/** Where it will be reached: the operator's own word, as nothing is sent to an address that the hive chose. */
const placeIn = (id: HiveId, url: string, direct: boolean): Effect.Effect<string, RbeeError<"INVALID_REQUEST">> => {
  const far = invitedAt(id, url)
  if (far?.address === undefined)
    return refused(
      "url",
      `${url.slice(0, 100)} is not accepted`,
      "Accepted: http://ADDRESS:PORT, an address and no name"
    )
  if (!isLoopback(far.address) && !direct)
    return refused(
      "direct",
      `HTTP to ${far.address} is not encrypted`,
      `On a network that you trust say --direct; elsewhere: rbee hives add ${id}`
    )
  return Effect.succeed(farUrl(far))
}

/** Let in once; the same hive, which shows the same secret, may come back as often as it is started. */
const admit = (id: HiveId, invite: string | undefined, secret: string, port: number) =>
  Effect.gen(function* () {
    const row = (yield* Hives).rowOf(id)
    const local = farUrl({ hive: id, address: "127.0.0.1", port })
    if (row?.joined !== undefined && digest(row.joined.secret) === digest(secret)) {
      const at = row.url === undefined ? undefined : readFarUrl(row.url)?.address
      const isHere = at !== undefined && isLoopback(at)
      return { row, url: isHere ? local : row.url, isKnown: true }
    }
    if (invite === undefined) return yield* forgotten(id)
    const { at = local } = yield* (yield* Invitations).check(id, invite)
    return { row, url: at, isKnown: false }
  })

/** True: it was invited, so that it is hers whoever had it before: her operator and its own wanted that. */
const join = ({ id, invite, port, queen, secret }: Parameters<QueenApi["joinHive"]>[0]) =>
  Effect.gen(function* () {
    const hives = yield* Hives
    if (secret === (yield* CurrentSettings).token) return yield* notInvited(id)
    const { isKnown, row, url } = yield* admit(id, invite, secret, port)
    // another process of it, perhaps, that she has not seen yet
    if (isKnown && row?.url === url && row?.joined?.queen === queen) return yield* Effect.as(hives.suspect(id), false)
    if (row !== undefined) yield* hives.remove(id)
    if (!isKnown) yield* (yield* Invitations).spend(id)
    yield* hives.add(id, { ...(url === undefined ? {} : { url }), joined: { secret, queen } })
    return !isKnown
  })

const invite = ({ direct, id, url }: Parameters<QueenApi["inviteHive"]>[0]) =>
  Effect.gen(function* () {
    if (id === (yield* CurrentSettings).hive.id)
      return yield* refused("id", `hive ${id} is this machine's own and needs no invitation`, "Take another name")
    if ((yield* Hives).rowOf(id)?.ssh !== undefined)
      return yield* rbeeError("CONFLICT", `hive ${id} was added over SSH`, `Forget it first: \`rbee hives rm ${id}\``)
    const at = url === undefined ? undefined : yield* placeIn(id, url, direct === true)
    return { invite: yield* (yield* Invitations).issue(id, at), valid_s: invitationMs / 1000 }
  })

export const joining = Effect.gen(function* () {
  const context = yield* Effect.context<CurrentSettings | Events | Hives | Invitations | SessionBook>()
  const oneByOne = yield* Effect.makeSemaphore(1)
  return {
    inviteHive: (input) => Effect.provide(invite(input), context),
    joinHive: (input) =>
      oneByOne
        .withPermits(1)(join(input))
        .pipe(
          Effect.flatMap((isInvited) => wakeByHand(input.id, isInvited)),
          Effect.provide(context)
        )
  } satisfies Pick<QueenApi, "inviteHive" | "joinHive">
})
