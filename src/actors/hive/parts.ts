/** The living parts of a hive; replaced when their supervisor restarts them, so everybody reads them here at each use. */
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { Machines } from "./devices/devices.ts"
import type { Downloads } from "./models/downloads.ts"
import type { Installs } from "./devices/installs.ts"
import type { Workers } from "./workers/workers.ts"

/** The living parts; undefined while their supervisor has none. */
export interface Parts {
  machines: Machines | undefined
  downloads: Downloads | undefined
  installs: Installs | undefined
  workers: Workers | undefined
}

export const restarting = (): RbeeError<"SHUTTING_DOWN"> =>
  rbeeError("SHUTTING_DOWN", "this part of the hive is restarting", "Try again")
