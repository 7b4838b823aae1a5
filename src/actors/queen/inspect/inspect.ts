/**
 * `/inspect/events` of the queen: her own actors, those of every hive that she has claimed, and her view of hives,
 * workers and jobs. All of it flows into one bounded trunk, however many read it: a stalled reader slows nobody, and none
 * of it runs while nobody reads.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import { readEvents } from "../../../protocol/sse.ts"
import type { InspectRecord } from "../../../machines/vocabulary/inspect.ts"
import type * as Scope from "effect/Scope"
import type { ActorSystem } from "../../core/system.ts"
import type { RedactOptions } from "../../inspect/redact.ts"
import { type Inspect, makeInspect } from "../../inspect/shared.ts"
import { watch } from "../../inspect/source.ts"
import type { Trunk } from "../../inspect/trunk.ts"
import type { HiveEntry } from "../cluster/hive-entry.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import type { Jobs } from "../jobs/jobs.ts"
import type { LiveJobs } from "../log/live-jobs.ts"
import { makeViews } from "./inspect-views.ts"

const queen = "queen"
export const hiveDaemon = (id: string): string => `hive-${id}`

/** How often the view is looked at, and hives that came or went, milliseconds. */
const lookMs = 250

export const queenInspect: Effect.Effect<Inspect, never, ActorSystem | Cluster | Jobs | LiveJobs | Scope.Scope> =
  makeInspect(queen, (trunk, options) =>
    Effect.gen(function* () {
      const view = yield* Cluster
      const hives = yield* FiberMap.make<string>()
      const views = makeViews()
      const look = Effect.gen(function* () {
        for (const hive of view.allHives()) {
          const { claimed, id } = hive
          if (claimed === undefined) continue
          yield* FiberMap.run(hives, `${id} ${claimed.instance}`, follow(hive, trunk, options), { onlyIfMissing: true })
        }
        trunk.put(yield* views)
        yield* Effect.sleep(lookMs)
      })
      const own = watch({ ...options, daemon: queen }, trunk.put)
      // the header of her own stream comes first
      yield* Effect.all([own, Effect.zipRight(Effect.yieldNow(), Effect.forever(look))], {
        concurrency: "unbounded",
        discard: true
      })
    }).pipe(Effect.scoped)
  )

/** One hive's stream, as it comes, until it breaks. */
const follow = (hive: HiveEntry, trunk: Trunk, options: RedactOptions): Effect.Effect<void> =>
  Effect.gen(function* () {
    const daemon = hiveDaemon(hive.id)
    const api = hive.claimed?.api
    if (api === undefined) return
    const say = (state: "up" | "down") =>
      Effect.map(Clock.currentTimeMillis, (at) => trunk.put([{ kind: "daemon", at, daemon, state }]))
    yield* say("up")
    yield* api.inspectEvents({ contents: options.contents }).pipe(
      Effect.flatMap((feed) => readEvents(feed, ({ data }) => isHeader(data) || trunk.putText(data))),
      Effect.ignore,
      Effect.ensuring(say("down"))
    )
    // it is asked again at the next look, if it is still claimed
  })

/** A hive's own header would make readers forget the others. */
const isHeader = (data: string): boolean =>
  data.startsWith('{"kind":"trace"' satisfies `{"kind":"${InspectRecord["kind"]}"`)
