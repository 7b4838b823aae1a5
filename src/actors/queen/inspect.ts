/**
 * `/inspect/events` of the queen: her own actors, those of every hive that she has claimed, and her view of hives,
 * workers and jobs. All of it flows into one bounded box that loses the oldest, so a stalled reader slows nobody; and
 * none of it runs while nobody reads.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import type { EventFeed } from "../../layers/api/endpoint.ts"
import { readEvents } from "../../layers/api/sse.ts"
import type { InspectRecord } from "../../machines/vocabulary/inspect.ts"
import type { ActorSystem } from "../core/system.ts"
import { Outbox } from "../inspect/outbox.ts"
import type { RedactOptions } from "../inspect/redact.ts"
import { watch } from "../inspect/source.ts"
import type { HiveEntry } from "./cluster-view.ts"
import { type InspectWorld, makeViews } from "./inspect-views.ts"

const queen = "queen"
export const hiveDaemon = (id: string): string => `hive-${id}`

/** How often the view is looked at, and hives that came or went, milliseconds. */
const lookMs = 250

export const queenInspect = (
  world: InspectWorld,
  options: RedactOptions
): Effect.Effect<EventFeed, never, ActorSystem> =>
  Effect.map(
    Effect.context<ActorSystem>(),
    (context): EventFeed =>
      (sink) =>
        Effect.gen(function* () {
          const box = new Outbox(queen)
          const hives = yield* FiberMap.make<string>()
          const views = makeViews(world)
          const look = Effect.gen(function* () {
            for (const hive of world.view.allHives()) {
              const { claimed, id } = hive
              if (claimed === undefined) continue
              yield* FiberMap.run(hives, `${id} ${claimed.instance}`, follow(hive, box, options), {
                onlyIfMissing: true
              })
            }
            box.put(yield* views)
            yield* Effect.sleep(lookMs)
          })
          const own = watch({ ...options, daemon: queen }, (records) => Effect.sync(() => box.put(records)))
          // the header of her own stream comes first
          yield* Effect.all([own, Effect.zipRight(Effect.yieldNow(), Effect.forever(look)), box.pour(sink)], {
            concurrency: "unbounded",
            discard: true
          })
        }).pipe(Effect.scoped, Effect.provide(context))
  )

/** One hive's stream, as it comes, until it breaks. */
const follow = (hive: HiveEntry, box: Outbox, options: RedactOptions): Effect.Effect<void> =>
  Effect.gen(function* () {
    const daemon = hiveDaemon(hive.id)
    const api = hive.claimed?.api
    if (api === undefined) return
    const say = (state: "up" | "down") =>
      Effect.map(Clock.currentTimeMillis, (at) => box.put([{ kind: "daemon", at, daemon, state }]))
    yield* say("up")
    yield* api.inspectEvents({ contents: options.contents }).pipe(
      Effect.flatMap((feed) => readEvents(feed, ({ data }) => isHeader(data) || box.putText(data))),
      Effect.ignore,
      Effect.ensuring(say("down"))
    )
    // it is asked again at the next look, if it is still claimed
  })

/** A hive's own header would make readers forget the others. */
const isHeader = (data: string): boolean =>
  data.startsWith('{"kind":"trace"' satisfies `{"kind":"${InspectRecord["kind"]}"`)
