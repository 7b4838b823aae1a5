/** The calls that are about people. */
import * as Effect from "effect/Effect"
import { QueenCatalog } from "../../../layers/queen-catalog/index.ts"
import { rbeeError } from "../../../machines/errors.ts"
import type { KeyName } from "../../../machines/vocabulary/people/key.ts"
import { Call } from "../../../protocol/endpoint.ts"
import type { QueenApi } from "../../../protocol/queen/index.ts"
import { Jobs } from "../jobs/jobs.ts"
import type { JobLogs } from "../log/job-log.ts"
import type { LiveJobs } from "../log/live-jobs.ts"
import type { Cluster } from "../cluster/cluster-view.ts"
import { forgetAccount } from "../hives/parked.ts"
import type { CurrentQueen } from "../identity.ts"
import { Keys } from "./keys.ts"
import { usageFor } from "./usage.ts"

/** entries that are told where nothing is said */
const usualLimit = 100

type PeopleCalls = Pick<QueenApi, "addKey" | "audit" | "listKeys" | "revokeKey" | "usage">

type Needs = Cluster | CurrentQueen | JobLogs | Jobs | Keys | LiveJobs | QueenCatalog

const revoked = (name: KeyName) =>
  rbeeError("INVALID_API_KEY", `key ${name} was revoked while this ran`, "Ask whoever gave it to you for another", {
    name
  })

export const peopleCalls: Effect.Effect<PeopleCalls, never, Needs> = Effect.gen(function* () {
  const context = yield* Effect.context<Needs>()
  const jobs = yield* Jobs
  const keys = yield* Keys
  const { audit } = yield* QueenCatalog
  return {
    addKey: (request) => Effect.flatMap(Call, ({ caller }) => keys.add(request, caller)),
    listKeys: () => Effect.sync(keys.all),
    // first the door, then who is inside
    revokeKey: ({ name }) =>
      Effect.zipRight(
        keys.revoke(name),
        jobs.endThose(name, revoked(name)).pipe(
          Effect.map((ended) => ({ name, ended })),
          Effect.zipLeft(Effect.provide(forgetAccount(name), context))
        )
      ),
    usage: ({ days }) => Effect.flatMap(Call, ({ caller }) => Effect.provide(usageFor(caller, days), context)),
    audit: ({ limit = usualLimit }) => audit.newest(limit)
  } satisfies PeopleCalls
})
