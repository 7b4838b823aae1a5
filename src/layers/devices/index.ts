/** The devices of this machine, as the operating system and the drivers tell. Implementation: `probe.ts`. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Gpu } from "../../machines/vocabulary/device.ts"
import type { RuntimeId } from "../../machines/vocabulary/kind.ts"

export interface Machine {
  readonly cpu: {
    readonly cores: number
    /** bytes that this machine, or the control group that we are in, has */
    readonly ramBytes: number
    readonly ramFreeBytes: number
    /** it multiplies matrices in tiles (AMX): models are rearranged for that */
    readonly hasTiles?: boolean
  }
  readonly gpus: ReadonlyArray<Gpu>
  /** versions of the drivers that answered; undefined where there is none */
  readonly driver: string | undefined
  /** there is a driver, and no runtime that could tell of its GPUs */
  readonly lacks?: RuntimeId
}

export class DeviceProbe extends Context.Tag("rbee/DeviceProbe")<
  DeviceProbe,
  {
    /** Asks everything anew; takes up to 5 s where a driver hangs, and no time where there is none. */
    readonly look: Effect.Effect<Machine>
    /** Memory alone, and only what is cheap: the CPU's, as of now. */
    readonly ram: Effect.Effect<Machine["cpu"]>
  }
>() {}
