/** A hive in this process over stand-ins for its world: nothing runs but the hive, and its workers do as they are told. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { ActorSystem } from "../../src/actors/core/system.ts"
import { Reports } from "../../src/actors/core/reports.ts"
import { type Hive, makeHive } from "../../src/actors/hive/hive.ts"
import { DeviceProbe } from "../../src/layers/devices/index.ts"
import { HiveCatalog, type LeaseRow } from "../../src/layers/hive-catalog/index.ts"
import { layerMemory, MemoryCatalog } from "../../src/layers/hive-catalog/memory.ts"
import { Ids } from "../../src/layers/ids/index.ts"
import { Models } from "../../src/layers/models/index.ts"
import { Parked } from "../../src/layers/parked/index.ts"
import { type ExitStatus, Processes } from "../../src/layers/process/index.ts"
import { QueenConnector } from "../../src/layers/queen-connector/index.ts"
import { type QueenApi } from "../../src/protocol/queen/index.ts"
import { Suspend } from "../../src/layers/power/index.ts"
import { Runtimes } from "../../src/layers/runtimes/index.ts"
import { CurrentSettings, type Settings } from "../../src/layers/settings/index.ts"
import { defaults } from "../../src/layers/settings/defaults.ts"
import { WorkerConnector } from "../../src/layers/worker-connector/index.ts"
import { type WorkerApi } from "../../src/protocol/worker.ts"
import { WorkerLauncher, type WorkerPlan } from "../../src/layers/worker-launcher/index.ts"
import { rbeeError } from "../../src/machines/errors.ts"
import type { ModelFacts } from "../../src/machines/formats/gguf/gguf.ts"
import type { Proof } from "../../src/machines/policy/blame.ts"
import type { ControlMessage, ExactWish } from "../../src/machines/vocabulary/worker.ts"
import { ModelRef } from "../../src/machines/vocabulary/ids.ts"

export const facts: ModelFacts = {
  fileBytes: 1e9,
  architecture: "llama",
  parameters: 1e9,
  trainedContext: 4096,
  quantization: "Q8_0",
  kvElementsPerToken: 1024,
  headLengths: [64],
  stateBytes: 0,
  embedding: 1024,
  feedForward: 4096,
  heads: 16,
  layers: 16,
  vocabulary: 32_000,
  template: true,
  merges: 0
}

/** One process that the hive has started. */
export interface Launched {
  readonly plan: WorkerPlan
  readonly say: (message: ControlMessage) => void
  readonly die: (status?: Partial<ExitStatus>) => void
  /** the hive ended it */
  readonly ended: () => boolean
}

export interface World {
  readonly hive: Hive
  readonly launched: Array<Launched>
  /** what the next launches do */
  launching: "works" | "is a bug"
  /** how the bundled model does on its devices */
  proof: Proof
  /** what processes say from now on before they end */
  lastWords: string
  /** sizes and ages of the files */
  stamp: string
  /** does its queen answer heartbeats? */
  queen: "answers" | "is out of reach"
  /** urls of workers whose answers the hive has ended, in order */
  readonly cancelled: Array<string>
  /** what workers were told to forget, in order */
  readonly forgotten: Array<string | undefined>
  /** how its machine takes the command to sleep, and how often it was given */
  suspending: "sleeps" | "fails"
  suspends: number
  readonly leases: Effect.Effect<ReadonlyArray<LeaseRow>>
  /** file names of models that are in the catalog */
  readonly addModel: (ref: string) => Effect.Effect<void>
}

/** Nothing here is meant to be called: a call is a mistake of the test. */
const unused = <T extends object>(name: string): T =>
  new Proxy({} as T, {
    get: (_, key) => {
      throw new Error(`${name}.${String(key)} is not part of this test`)
    }
  })

/** Lets everything run that can run now. TestClock looks twice, 10 ms apart, whether all sleep: so it is asked rarely. */
const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
export const settle = Effect.repeatN(turn, 20).pipe(Effect.zipRight(TestClock.adjust(0)), Effect.repeatN(1))

export const makeWorld = (
  settings: Partial<Settings["hive"]> = {},
  around: {
    readonly runtimes?: Runtimes["Type"]
    readonly look?: DeviceProbe["Type"]["look"]
    readonly catalog?: MemoryCatalog
    readonly engine?: string
    /** of all its models, other than those above */
    readonly facts?: Partial<ModelFacts>
    readonly parked?: Parked["Type"]
    readonly isWoken?: boolean
    readonly exact?: ExactWish
  } = {}
): Effect.Effect<World, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const launched: Array<Launched> = []
    const world: Omit<World, "hive" | "launched" | "leases" | "addModel"> = {
      launching: "works",
      proof: "works",
      lastWords: "planted words",
      stamp: "1",
      queen: "answers",
      cancelled: [],
      forgotten: [],
      suspending: "sleeps",
      suspends: 0
    }
    let count = 0
    const launcher: WorkerLauncher["Type"] = {
      launch: (plan, onMessage) =>
        Effect.gen(function* () {
          if (world.launching === "is a bug") return yield* Effect.dieMessage("planted")
          const exit = yield* Deferred.make<ExitStatus>()
          let over = false
          const die = (status: Partial<ExitStatus> = {}) =>
            Deferred.unsafeDone(exit, Effect.succeed({ code: 1, signal: undefined, ...status }))
          launched.push({ plan, say: onMessage, die, ended: () => over })
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              over = true
              die({ code: 0 })
            })
          )
          return { process: undefined, exit: Deferred.await(exit), lastWords: () => world.lastWords }
        })
    }
    const models: Partial<Models["Type"]> = {
      inspect: () => Effect.succeed({ ...facts, ...around.facts }),
      projector: () => Effect.succeed(undefined),
      offered: () => Effect.void,
      isThere: () => Effect.succeed(true),
      stamp: () => Effect.sync(() => world.stamp),
      sweep: Effect.void
    }
    const cpu = { cores: 4, ramBytes: 16e9, ramFreeBytes: 15e9 }
    const look = around.look ?? Effect.succeed({ cpu, gpus: [], driver: undefined })
    const layers = Layer.mergeAll(
      layerMemory(around.catalog ?? new MemoryCatalog()),
      ActorSystem.layer,
      Layer.succeed(CurrentSettings, {
        ...defaults,
        home: { state: "/nowhere", logs: "/nowhere/logs", config: "/nowhere/config.toml" },
        version: "0",
        isWoken: around.isWoken ?? false,
        hive: { ...defaults.hive, ...settings },
        worker: { ...defaults.worker, exact: around.exact ?? defaults.worker.exact }
      }),
      Layer.succeed(DeviceProbe, { look, ram: Effect.map(look, ({ cpu }) => cpu) }),
      Layer.succeed(Ids, { make: (prefix) => Effect.sync(() => `${prefix}-${++count}`) }),
      Layer.succeed(Models, {
        ...unused<Models["Type"]>("Models"),
        note: () => Effect.void,
        ...models
      } as Models["Type"]),
      Layer.succeed(
        Runtimes,
        around.runtimes ?? {
          find: () => Effect.succeed({ version: around.engine ?? "0", folder: undefined }),
          install: () => Effect.never,
          prove: () => Effect.sync(() => world.proof),
          learn: () => Effect.succeed(undefined),
          read: () => Effect.succeed(undefined),
          sweep: Effect.void
        }
      ),
      Layer.succeed(Processes, unused<Processes["Type"]>("Processes")),
      Layer.succeed(Suspend, {
        suspend: Effect.suspend(() => {
          world.suspends++
          return world.suspending === "sleeps" ? Effect.void : rbeeError("INTERNAL", "planted: it does not sleep")
        })
      }),
      Layer.succeed(WorkerLauncher, launcher),
      around.parked === undefined ? Layer.empty : Layer.succeed(Parked, around.parked),
      Layer.succeed(WorkerConnector, {
        connect: (url) => {
          const api: Partial<WorkerApi> = {
            cancelInfers: () => Effect.sync(() => void world.cancelled.push(url)),
            forget: ({ scope }) => Effect.sync(() => void world.forgotten.push(scope))
          }
          return { ...unused<WorkerApi>("WorkerApi"), ...api } as WorkerApi
        }
      }),
      Layer.succeed(QueenConnector, {
        connect: () => {
          const api: Partial<QueenApi> = {
            heartbeat: () => Effect.suspend(() => (world.queen === "answers" ? Effect.void : Effect.never))
          }
          return { ...unused<QueenApi>("QueenApi"), ...api } as QueenApi
        }
      })
    )
    const context = yield* Layer.build(layers)
    return yield* Effect.gen(function* () {
      const catalog = yield* HiveCatalog
      const hive = yield* makeHive
      return Object.assign(world, {
        hive,
        launched,
        leases: Effect.orDie(catalog.leases.all),
        addModel: (ref: string) =>
          Effect.orDie(
            catalog.models.put({
              ref: ModelRef.make(ref),
              file: `/models/${ref}.gguf`,
              bytes: facts.fileBytes,
              sha256: undefined,
              architecture: "llama",
              parameters: facts.parameters,
              context: facts.trainedContext,
              tokenBytes: undefined,
              purpose: undefined,
              quantization: "Q8_0",
              template: true,
              templateHash: undefined,
              owned: true,
              pinned: false,
              why: undefined,
              addedAt: 0,
              lastUsedAt: undefined
            })
          )
      })
    }).pipe(Effect.provide(context), Effect.provideService(Reports, { report: () => Effect.void }))
  })
