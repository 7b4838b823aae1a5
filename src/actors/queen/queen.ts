/**
 * The queen (docs/design.md#who-supervises-whom): her parts, her tree, her interface.
 *
 *   queen (rest_for_one)
 *   ├ hives (one_for_one)   one actor a known hive; starts by re-reading the catalog
 *   ├ jobs (one_for_one)    one temporary actor a job; starts by re-reading the journal
 *   └ queen (significant)   her own life, and the shutdown protocol; its end ends the tree
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { HiveConnector } from "../../layers/hive-connector/index.ts"
import type { HiveKeys, PersonKeys } from "../../layers/keys/index.ts"
import type { HiveLauncher } from "../../layers/hive-launcher/index.ts"
import type { Ids } from "../../layers/ids/index.ts"
import type { QueenApi } from "../../protocol/queen/index.ts"
import type { Wake } from "../../layers/power/index.ts"
import type { QueenCatalog } from "../../layers/queen-catalog/index.ts"
import { CurrentSettings } from "../../layers/settings/index.ts"
import type { Turns } from "../../layers/turns/index.ts"
import type { WorkerConnector } from "../../layers/worker-connector/index.ts"
import { RbeeError } from "../../machines/errors.ts"
import { supervisor } from "../core/supervision/supervisor.ts"
import type { ActorSystem } from "../core/system.ts"
import { Cluster } from "./cluster/cluster-view.ts"
import { OwnLife } from "./endings/own-life.ts"
import { endWhatARebootCut } from "./endings/reboot.ts"
import { queenActor } from "./endings/shutdown.ts"
import { Teardown } from "./endings/teardown.ts"
import { Invitations } from "./hives/elsewhere/invitations.ts"
import { Hives } from "./hives/hives.ts"
import { Wakings } from "./hives/waking.ts"
import { CurrentQueen, type QueenOptions } from "./identity.ts"
import { Jobs } from "./jobs/jobs.ts"
import { Events } from "./log/event-ring.ts"
import type { JobLogs } from "./log/job-log.ts"
import { LiveJobs } from "./log/live-jobs.ts"
import type { Metrics } from "./metrics/metrics.ts"
import { Admission } from "./people/admission.ts"
import { Keys } from "./people/keys.ts"
import { Scheduler } from "./placement/scheduler.ts"
import { queenApi } from "./server.ts"
import { SessionBook } from "./sessions/stored-sessions.ts"

export interface Queen {
  readonly api: QueenApi
  readonly id: string
  readonly instance: string
  /** The whole protocol; returns at once. */
  readonly shutdown: (cascade: boolean) => Effect.Effect<void>
  /** Comes true when she was told to stay; she may have been started so. */
  readonly stayed: Effect.Effect<void>
  /** Comes true when her end has begun. */
  readonly leaving: Effect.Effect<void>
  /**
   * Comes true when she was told to hand over, and nothing runs any more or it had its time (`shutdown.drain_ms`): her process
   * is to end as it is, without goodbye. What is left is in the journal, and the next queen goes on with it.
   */
  readonly handedOver: Effect.Effect<void>
  /** Comes true, with its version, when she was told to whom. */
  readonly handingOver: Effect.Effect<string>
  /** Comes true when she has said goodbye and her tree has stopped; dies if her tree gave up. */
  readonly ended: Effect.Effect<void>
}

/** The world of a queen. */
type Ports =
  | ActorSystem
  | CurrentSettings
  | HiveConnector
  | HiveKeys
  | HiveLauncher
  | Ids
  | JobLogs
  | Metrics
  | PersonKeys
  | QueenCatalog
  | Turns
  | Wake
  | WorkerConnector

/** Her parts, each over those below it. They outlive what her tree restarts. */
const parts = (options: QueenOptions) =>
  Teardown.layer.pipe(
    Layer.provideMerge(Jobs.layer),
    Layer.provideMerge(Admission.layer),
    Layer.provideMerge(Invitations.layer),
    Layer.provideMerge(Hives.layer),
    Layer.provideMerge(Wakings.layer),
    Layer.provideMerge(OwnLife.layer),
    Layer.provideMerge(LiveJobs.layer),
    Layer.provideMerge(Scheduler.layer),
    Layer.provideMerge(Keys.layer),
    Layer.provideMerge(SessionBook.layer),
    Layer.provideMerge(Cluster.layer),
    Layer.provideMerge(Events.layer),
    Layer.provideMerge(CurrentQueen.layer(options))
  )

const start = Effect.gen(function* () {
  const { boot, id, instance } = yield* CurrentQueen
  yield* endWhatARebootCut(boot)
  const tree = yield* supervisor({
    path: "queen/tree",
    strategy: "rest_for_one",
    intensity: 3,
    period: "30 seconds",
    autoShutdown: "any_significant",
    children: [
      { id: "hives", shutdown: "infinity", start: (yield* Hives).supervised },
      { id: "jobs", shutdown: "infinity", start: (yield* Jobs).supervised },
      queenActor
    ]
  }).pipe(Effect.catchTag("ChildStartFailed", (failure) => startFailed(failure.cause)))
  const teardown = yield* Teardown
  teardown.adopt((yield* SessionBook).open())
  const { handingOver, leaving, shutdown, stayed } = yield* OwnLife
  const { drainMs } = (yield* CurrentSettings).shutdown
  const handedOver = Effect.zipRight(handingOver, (yield* Jobs).handOver(Effect.sleep(drainMs)))
  return {
    api: yield* queenApi,
    id,
    instance,
    shutdown,
    stayed,
    leaving,
    handedOver,
    handingOver,
    ended: Effect.orDie(Fiber.join(tree.fiber))
  }
})

export const makeQueen = (options: QueenOptions): Effect.Effect<Queen, RbeeError, Ports | Scope.Scope> =>
  Effect.flatMap(Layer.build(parts(options)), (context) => Effect.provide(start, context))

/** A store that cannot be read is said as what it is; anything else is a bug. */
const startFailed = (cause: Cause.Cause<unknown>): Effect.Effect<never, RbeeError> => {
  const reason = Cause.squash(cause)
  return reason instanceof RbeeError ? Effect.fail(reason) : Effect.die(reason)
}
