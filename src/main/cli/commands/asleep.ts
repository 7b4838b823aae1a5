/** The hives that a queen knows, while she sleeps: read, and nobody is woken for it. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { livingHives } from "../../../layers/daemon/state-file.ts"
import { queenFolder } from "../../../layers/paths/index.ts"
import type { Settings } from "../../../layers/settings/index.ts"
import type { HiveView } from "../../../machines/vocabulary/hive.ts"

export const asleepNote = "queen is not running: these are the hives that she knows\n"

/** One of this machine that lives on without her is `degraded`; of others nobody knows better than that they sleep. */
export const hivesAsleep = ({ home }: Settings) =>
  Effect.gen(function* () {
    const { hivesKnownIn } = yield* Effect.promise(() => import("../../../layers/queen-catalog/read.ts"))
    const [known, living] = yield* Effect.all([
      hivesKnownIn(join(queenFolder(home), "catalog.sqlite")),
      livingHives(home.state)
    ])
    return known.map(({ devices, id, isAsleep, power, ssh }): HiveView => {
      const alive = living.find((one) => one.id === id)
      return {
        id,
        state: alive !== undefined ? "degraded" : isAsleep ? "asleep" : "cold",
        ...(alive === undefined ? {} : { pid: alive.pid, url: alive.url }),
        ...(ssh === undefined ? {} : { ssh }),
        ...(power === undefined ? {} : { power }),
        ...(devices === undefined ? {} : { devices }),
        workers: 0,
        models: devices?.models ?? 0
      }
    })
  })
