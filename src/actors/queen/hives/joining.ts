/** Hives that are started by hand: invited by whoever manages the cluster, they join with what they were given. */
import * as Effect from "effect/Effect"
import { digest } from "../../../layers/keys/index.ts"
import type { QueenApi } from "../../../protocol/queen/index.ts"
import type { Settings } from "../../../layers/settings/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { isLoopback } from "../../../machines/vocabulary/address.ts"
import { farUrl, invitedAt, readFarUrl } from "../../../machines/vocabulary/place.ts"
import { notInvited } from "./hive.ts"
import type { Hives } from "./hives.ts"
import { invitationMs, type Invitations } from "./invitations.ts"

interface World {
  readonly hives: Hives
  readonly invitations: Invitations
  readonly settings: Pick<Settings, "hive" | "token">
  /** returns when the hive is claimed and beats */
  readonly wake: (id: string) => Effect.Effect<void, RbeeError>
}

const refused = (field: string, what: string, todo: string) =>
  rbeeError("INVALID_REQUEST", what, todo, { field, usage: true })

const forgotten = (id: string) =>
  rbeeError(
    "FORBIDDEN",
    `hive ${id} is not known here any more, or not by this secret`,
    `\`rbee hives invite ${id}\` on the queen's machine prints an invitation`,
    { hive: id }
  )

/** Where it will be reached: the operator's own word, as nothing is sent to an address that the hive chose. */
const placeIn = (id: string, url: string, direct: boolean): Effect.Effect<string, RbeeError<"INVALID_REQUEST">> => {
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

export const joining = (world: World): Pick<QueenApi, "inviteHive" | "joinHive"> => {
  const { hives, invitations, settings, wake } = world
  const oneByOne = Effect.unsafeMakeSemaphore(1)

  /** Let in once; the same hive, which shows the same secret, may come back as often as it is started. */
  const admit = (id: string, invite: string | undefined, secret: string, port: number) =>
    Effect.gen(function* () {
      const local = farUrl({ hive: id, address: "127.0.0.1", port })
      const row = hives.rowOf(id)
      if (row?.joined !== undefined && digest(row.joined.secret) === digest(secret)) {
        const at = row.url === undefined ? undefined : readFarUrl(row.url)?.address
        const isHere = at !== undefined && isLoopback(at)
        return { row, url: isHere ? local : row.url, isKnown: true }
      }
      if (invite === undefined) return yield* forgotten(id)
      const { at = local } = yield* invitations.check(id, invite)
      return { row, url: at, isKnown: false }
    })

  const join: QueenApi["joinHive"] = ({ id, invite, port, queen, secret }) =>
    Effect.gen(function* () {
      if (secret === settings.token) return yield* notInvited(id)
      const { isKnown, row, url } = yield* admit(id, invite, secret, port)
      if (isKnown && row?.url === url && row?.joined?.queen === queen) {
        // another process of it, perhaps, that she has not seen yet
        return yield* hives.suspect(id)
      }
      if (row !== undefined) yield* hives.remove(id)
      if (!isKnown) yield* invitations.spend(id)
      yield* hives.add(id, { ...(url === undefined ? {} : { url }), joined: { secret, queen } })
    })

  return {
    inviteHive: ({ direct, id, url }) =>
      Effect.gen(function* () {
        if (id === settings.hive.id)
          return yield* refused("id", `hive ${id} is this machine's own and needs no invitation`, "Take another name")
        if (hives.rowOf(id)?.ssh !== undefined)
          return yield* rbeeError(
            "CONFLICT",
            `hive ${id} was added over SSH`,
            `Forget it first: \`rbee hives rm ${id}\``
          )
        const at = url === undefined ? undefined : yield* placeIn(id, url, direct === true)
        return { invite: yield* invitations.issue(id, at), valid_s: invitationMs / 1000 }
      }),
    joinHive: (input) => Effect.zipRight(oneByOne.withPermits(1)(join(input)), wake(input.id))
  }
}
