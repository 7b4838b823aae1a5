/** The outside world of a hive, and who the hive is. */
import type * as Context from "effect/Context"
import type { DeviceProbe } from "../../../layers/devices/index.ts"
import type { HiveCatalog } from "../../../layers/hive-catalog/index.ts"
import type { Ids } from "../../../layers/ids/index.ts"
import type { Models } from "../../../layers/models/index.ts"
import type { Processes } from "../../../layers/process/index.ts"
import type { Runtimes } from "../../../layers/runtimes/index.ts"
import type { Settings } from "../../../layers/settings/index.ts"
import type { WorkerConnector } from "../../../layers/worker-connector/index.ts"
import type { WorkerKinds } from "../../../machines/kinds/kind.ts"
import type { WorkerLauncher } from "../../../layers/worker-launcher/index.ts"

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
  readonly workerConnector: Context.Tag.Service<WorkerConnector>
}

export interface Identity {
  readonly id: string
  /** fresh for every hive process */
  readonly instance: string
}
