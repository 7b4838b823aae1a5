/**
 * What the parts of a hive share: who it is, its ports, and the living parts. Parts are replaced when their supervisor
 * restarts them, so everybody else reads them here at each use.
 */
import type * as Context from "effect/Context"
import type { DeviceProbe } from "../../layers/devices/index.ts"
import type { HiveCatalog } from "../../layers/hive-catalog/index.ts"
import type { Ids } from "../../layers/ids/index.ts"
import type { Models } from "../../layers/models/index.ts"
import type { Processes } from "../../layers/process/index.ts"
import type { Runtimes } from "../../layers/runtimes/index.ts"
import type { Settings } from "../../layers/settings/index.ts"
import type { WorkerConnector } from "../../layers/worker-api/index.ts"
import type { WorkerLauncher } from "../../layers/worker-launcher/index.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { Machines } from "./machines.ts"
import type { Downloads } from "./downloads.ts"
import type { Installs } from "./installs.ts"
import type { Workers } from "./workers.ts"

/** The outside world of a hive. */
export interface Ports {
  readonly settings: Settings
  readonly catalog: Context.Tag.Service<HiveCatalog>
  readonly probe: Context.Tag.Service<DeviceProbe>
  readonly ids: Context.Tag.Service<Ids>
  readonly models: Context.Tag.Service<Models>
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

/** The living parts; undefined while their supervisor has none. */
export interface Parts {
  machines: Machines | undefined
  downloads: Downloads | undefined
  installs: Installs | undefined
  workers: Workers | undefined
}

export const restarting = (): RbeeError<"SHUTTING_DOWN"> =>
  rbeeError("SHUTTING_DOWN", "this part of the hive is restarting", "Try again")
