/** A hive that was invited makes itself known to its queen: at each start, as she may have forgotten its process. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { makeHttpClient } from "../../layers/transport/http/client/client.ts"
import { peersApi } from "../../protocol/queen/peers.ts"
import type { Settings } from "../../layers/settings/index.ts"
import { type ErrorCode, type RbeeError, rbeeError } from "../../machines/errors.ts"
import { type Joining, keepJoined } from "./membership.ts"

/** She sleeps, ends, or still takes an earlier process of this hive for alive: that passes. */
const passing: ReadonlySet<ErrorCode> = new Set(["CONFLICT", "CONNECTION_TIMEOUT", "SHUTTING_DOWN"])

/** Returns when the queen has claimed this hive; fails where she will not have it. */
export const join = (settings: Settings, port: number, joining: Joining): Effect.Effect<void, RbeeError> =>
  Effect.gen(function* () {
    const { hive, token } = settings
    const { queen: url } = joining
    if (token === undefined) return yield* rbeeError("INTERNAL", "this hive has no secret of its own")
    const { joinHive } = makeHttpClient(peersApi, { baseUrl: url })
    yield* Effect.logInfo(`hive ${hive.id} joins the queen at ${url}`)
    yield* joinHive({ ...joining, id: hive.id, port, secret: token }).pipe(
      Effect.tapError((error) => Effect.logWarning(`not joined: ${error.message}`)),
      Effect.retry({ while: ({ code }) => passing.has(code), schedule: Schedule.spaced("1 second") })
    )
    // from now on it needs no invitation; where that cannot be kept, it needs the same one again
    yield* Effect.ignoreLogged(Effect.try(() => keepJoined(settings, joining)))
    yield* Effect.logInfo(`hive ${hive.id} has joined`)
  })
