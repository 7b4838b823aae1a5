/**
 * A real queen, over fake hives and workers: her actors, her stores in memory, her interface called in process. Time is
 * the test's; the hives beat once a second of it.
 */
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { ActorSystem } from "../../../src/actors/core/system.ts"
import { Reports } from "../../../src/actors/core/reports.ts"
import { layer as layerJobLogs } from "../../../src/actors/queen/log/job-logs.ts"
import { HiveKeys, PersonKeys } from "../../../src/layers/keys/index.ts"
import { layerMetrics } from "../../../src/actors/queen/metrics/metrics.ts"
import { makeQueen, type Queen } from "../../../src/actors/queen/queen.ts"
import { inProcess } from "../../../src/layers/transport/in-process/client.ts"
import { readEvents } from "../../../src/protocol/sse.ts"
import { HiveConnector } from "../../../src/layers/hive-connector/index.ts"
import { hiveApi } from "../../../src/protocol/hive.ts"
import { HiveLauncher } from "../../../src/layers/hive-launcher/index.ts"
import { Ids } from "../../../src/layers/ids/index.ts"
import { Wake } from "../../../src/layers/power/index.ts"
import { layerMemory as layerMemoryCatalog, MemoryCatalog } from "../../../src/layers/queen-catalog/memory.ts"
import { layerMemory, type MemoryStore, memoryStore } from "../../../src/layers/journal/memory.ts"
import { type QueenApi, queenApi } from "../../../src/protocol/queen/index.ts"
import type { ModelOffers } from "../../../src/layers/model-offers/index.ts"
import { CurrentRemotes, type Remotes } from "../../../src/layers/remote/index.ts"
import { CurrentSettings, type Settings } from "../../../src/layers/settings/index.ts"
import { defaults } from "../../../src/layers/settings/defaults.ts"
import { layerNode as layerTurns } from "../../../src/layers/turns/node.ts"
import { WorkerConnector } from "../../../src/layers/worker-connector/index.ts"
import { workerApi } from "../../../src/protocol/worker.ts"
import { type RbeeError, rbeeError } from "../../../src/machines/errors.ts"
import type { Copy } from "../../../src/machines/policy/model-gc.ts"
import type { JobRequest } from "../../../src/machines/vocabulary/job.ts"
import { FakeHive } from "./fake-hive.ts"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"

export interface Seen {
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
}

/** A stream as a reader sees it, from its start until now. */
export interface Reader {
  readonly events: ReadonlyArray<Seen>
  readonly lines: () => ReadonlyArray<string>
  readonly text: () => string
  /** waits until an event fits */
  readonly until: (fits: (seen: Seen) => boolean) => Effect.Effect<Seen>
  readonly saw: (line: string) => Effect.Effect<Seen>
  readonly ended: Effect.Effect<Seen>
}

export interface QueenWorld {
  readonly queen: Queen
  readonly api: QueenApi
  readonly hive: FakeHive
  /** submits a job and reads its stream */
  readonly job: (request?: Partial<JobRequest>) => Effect.Effect<Reader & { readonly id: string }, RbeeError>
  /** reads a job's stream from its start */
  readonly read: (id: string) => Effect.Effect<Reader, RbeeError>
  readonly events: Reader
  /** she dies at once, as of SIGKILL: nothing is said, nothing is ended */
  readonly crash: Effect.Effect<void>
  /** the same stores again, as the next queen finds them */
  readonly stores: Stores
}

export interface Stores {
  readonly catalog: MemoryCatalog
  readonly journal: MemoryStore
  readonly hive: FakeHive
  readonly ids: { count: number }
  /** what her machine's hive has while it sleeps */
  readonly onDisk: Array<Copy>
  /** wakes a hive of another machine, of which none answers by itself */
  wakeFar: (id: string) => Effect.Effect<never, RbeeError>
}

export const makeStores = (): Stores => ({
  catalog: new MemoryCatalog(),
  journal: memoryStore(),
  hive: new FakeHive("localhost"),
  ids: { count: 0 },
  onDisk: [],
  wakeFar: () => Effect.fail(rbeeError("CONNECTION_TIMEOUT", "the machine did not answer"))
})

const terminal = new Set(["done", "error", "cancelled"])

const readerOf = (feed: Parameters<typeof readEvents>[0]): Effect.Effect<Reader, never, Scope.Scope> =>
  Effect.gen(function* () {
    const events: Array<Seen> = []
    const watchers = new Set<() => void>()
    yield* Effect.forkScoped(
      readEvents(feed, ({ event, data }) => {
        events.push({ event, data: JSON.parse(data) })
        for (const watch of watchers) watch()
      })
    )
    const until = (fits: (seen: Seen) => boolean): Effect.Effect<Seen> =>
      Effect.async((resume) => {
        const watch = () => {
          const found = events.find(fits)
          if (found === undefined) return
          watchers.delete(watch)
          resume(Effect.succeed(found))
        }
        watchers.add(watch)
        watch()
      })
    return {
      events,
      until,
      lines: () =>
        events
          .filter(({ event }) => event === "narration")
          .map(({ data }) => `${String(data["actor"])}: ${String(data["human"])}`),
      text: () =>
        events
          .filter(({ event }) => event === "token")
          .map(({ data }) => String(data["t"]))
          .join(""),
      saw: (line) => until(({ event, data }) => event === "narration" && data["human"] === line),
      ended: until(({ event }) => terminal.has(event))
    }
  })

const settingsOf = (change: (settings: Settings) => Settings): Settings =>
  change({ ...defaults, version: "test", home: { state: "/nowhere", logs: "/nowhere", config: "/nowhere" } })

interface WorldOptions {
  readonly settings?: (settings: Settings) => Settings
  readonly stores?: Stores
  /** an older queen handed over to her */
  readonly isSuccessor?: boolean
  readonly remotes?: Remotes
  readonly offers?: ModelOffers
}

export const makeWorld = (options: WorldOptions = {}): Effect.Effect<QueenWorld, RbeeError, Scope.Scope> =>
  Effect.gen(function* () {
    const outer = yield* Effect.scope
    const own = yield* Scope.fork(outer, ExecutionStrategy.sequential)
    return yield* Scope.extend(build(options, own), own)
  })

const build = (options: WorldOptions, own: Scope.CloseableScope): Effect.Effect<QueenWorld, RbeeError, Scope.Scope> =>
  Effect.gen(function* () {
    const stores = options.stores ?? makeStores()
    const { hive } = stores
    const settings = settingsOf(options.settings ?? ((same) => same))
    const made = stores.ids
    const gone = rbeeError("CONNECTION_TIMEOUT", "no connection: nothing listens there", "", { reason: "ECONNREFUSED" })
    const findWorker = (url: string) => [...hive.workers.values()].find((worker) => worker.url === url)
    const nobody = Object.fromEntries(Object.keys(workerApi).map((name) => [name, () => Effect.fail(gone)]))
    const layers = Layer.mergeAll(
      Layer.provide(layerJobLogs, layerMemory(stores.journal)),
      layerMemoryCatalog(stores.catalog),
      Layer.succeed(HiveConnector, { connect: () => inProcess(hiveApi, hive.api) }),
      Layer.succeed(WorkerConnector, {
        // a worker that is gone answers nothing, whatever it is asked
        connect: (url) => inProcess(workerApi, findWorker(url)?.api ?? (nobody as never))
      }),
      Layer.succeed(HiveLauncher, {
        target: (id) => ({ id, at: "localhost:8600", port: 8600 }),
        find: ({ id }) => Effect.sync(() => (id === hive.id && hive.answers() ? hive.url : undefined)),
        present: ({ id }) =>
          Effect.suspend(() =>
            hive.isCutOff || hive.isAsleep ? gone : Effect.succeed(id === hive.id && hive.running && !hive.isAnothers)
          ),
        wake: ({ id }) =>
          Effect.suspend(() => {
            if (id !== hive.id) return stores.wakeFar(id)
            if (hive.isAsleep) return Effect.fail(rbeeError("SSH_UNREACHABLE", "the machine sleeps"))
            if (!hive.wakes) return Effect.fail(rbeeError("CONNECTION_TIMEOUT", "the hive did not answer"))
            return Effect.map(hive.held("wake"), () => {
              hive.wake()
              return { url: hive.url, woken: true }
            })
          }),
        kill: () =>
          Effect.suspend(() => {
            if (hive.isCutOff) return gone
            hive.kills++
            return Effect.sync(() => hive.kill())
          }),
        reachable: ({ id }) =>
          Effect.suspend(() => (hive.isSilent ? Effect.never : Effect.sync(() => id === hive.id && hive.isThere()))),
        letGo: () => Effect.void
      }),
      Layer.succeed(Wake, { call: () => Effect.sync(() => hive.call()) }),
      Layer.effect(ActorSystem, ActorSystem.make)
    ).pipe(
      Layer.provideMerge(
        Layer.mergeAll(
          layerTurns,
          layerMetrics,
          HiveKeys.layer,
          PersonKeys.layer,
          Layer.succeed(Ids, { make: (prefix) => Effect.sync(() => `${prefix}-${++made.count}`) }),
          Layer.succeed(CurrentSettings, settings)
        )
      )
    )
    const context = yield* Layer.build(layers)
    const { isSuccessor = false, offers, remotes } = options
    const queen = yield* makeQueen({
      url: "fake://queen",
      pid: 1,
      onDisk: Effect.sync(() => stores.onDisk),
      isSuccessor,
      ...(offers === undefined ? {} : { offers })
    }).pipe(
      Effect.provide(context),
      (made) => (remotes === undefined ? made : Effect.provideService(made, CurrentRemotes, remotes)),
      Effect.provideService(Reports, { report: () => Effect.void })
    )
    const api = inProcess(queenApi, queen.api)
    const beat = Effect.suspend(() =>
      hive.running && hive.beating && !hive.isCutOff && !hive.isAsleep
        ? Effect.ignore(api.heartbeat(hive.beat()))
        : Effect.void
    )
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(beat, Effect.sleep("1 second"))))
    const runtime = yield* Effect.runtime<never>()
    // the first beat follows the claim at once, as a real hive's does
    hive.onClaim = () => void Runtime.runFork(runtime)(beat)
    const events = yield* readerOf(yield* api.events({}))
    return {
      queen,
      api,
      hive,
      stores,
      events,
      crash: Scope.close(own, Exit.void),
      read: (id) => Effect.flatMap(api.jobEvents({ id: JobId.make(id) }), readerOf).pipe(Scope.extend(own)),
      job: (request = {}) =>
        Effect.gen(function* () {
          const { job_id } = yield* api.submitJob({ model: "minillama", prompt: "hello", ...request })
          const reader = yield* readerOf(yield* api.jobEvents({ id: job_id }))
          return { ...reader, id: job_id }
        }).pipe(Scope.extend(own))
    }
  })
