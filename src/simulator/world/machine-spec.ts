/** What a simulated machine is made of. */
import type { DeviceId } from "../../machines/vocabulary/ids.ts"
export interface GpuSpec {
  readonly id: DeviceId
  readonly bytes: number
}

export interface MachineSpec {
  readonly name: string
  readonly ramBytes: number
  readonly gpus: ReadonlyArray<GpuSpec>
}
