/** The outside world of a hive, and who the hive is. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DeviceProbe } from "../../../layers/devices/index.ts"
import { HiveCatalog } from "../../../layers/hive-catalog/index.ts"
import { Kinds } from "../../../layers/kinds/index.ts"
import { Ids } from "../../../layers/ids/index.ts"
import { Models } from "../../../layers/models/index.ts"
import { Parked } from "../../../layers/parked/index.ts"
import { Processes } from "../../../layers/process/index.ts"
import { Runtimes } from "../../../layers/runtimes/index.ts"
import { CurrentSettings, type Settings } from "../../../layers/settings/index.ts"
import { WorkerConnector } from "../../../layers/worker-connector/index.ts"
import type { WorkerKinds } from "../../../machines/kinds/kind.ts"
import { WorkerLauncher } from "../../../layers/worker-launcher/index.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"

/** The outside world of a hive. */
export interface Ports {
  readonly settings: Settings
  readonly catalog: Context.Tag.Service<HiveCatalog>
  readonly probe: Context.Tag.Service<DeviceProbe>
  readonly ids: Context.Tag.Service<Ids>
  readonly models: Context.Tag.Service<Models>
  readonly kinds: WorkerKinds
  readonly runtimes: Context.Tag.Service<Runtimes>
  readonly processes: Context.Tag.Service<Processes>
  readonly launcher: Context.Tag.Service<WorkerLauncher>
  readonly parked: Context.Tag.Service<Parked>
  readonly workerConnector: Context.Tag.Service<WorkerConnector>
}

export interface Identity {
  readonly id: HiveId
  /** fresh for every hive process */
  readonly instance: string
}

export class HiveWorld extends Context.Tag("rbee/hive/World")<HiveWorld, Ports>() {
  static readonly layer = Layer.effect(
    HiveWorld,
    Effect.all({
      settings: CurrentSettings,
      catalog: HiveCatalog,
      probe: DeviceProbe,
      ids: Ids,
      models: Models,
      kinds: Kinds,
      runtimes: Runtimes,
      processes: Processes,
      launcher: WorkerLauncher,
      parked: Parked,
      workerConnector: WorkerConnector
    })
  )
}

/** Who this hive is. */
export class CurrentHive extends Context.Tag("rbee/CurrentHive")<
  CurrentHive,
  Identity & {
    /** milliseconds since 1970 */
    readonly startedAt: number
    /** where it is reached; known once its server has bound */
    readonly url: Deferred.Deferred<string>
  }
>() {
  static readonly layer = Layer.effect(
    CurrentHive,
    Effect.gen(function* () {
      const { ids, settings } = yield* HiveWorld
      const instance = yield* ids.make("hive")
      const startedAt = yield* Clock.currentTimeMillis
      return { id: settings.hive.id, instance, startedAt, url: yield* Deferred.make<string>() }
    })
  )
}
