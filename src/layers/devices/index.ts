/** The devices of this machine, as the operating system and the drivers tell. Implementation: `probe.ts`. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Backend, Gpu, RuntimeId } from "../../machines/vocabulary/device.ts"
import type { KindId } from "../../machines/vocabulary/kind.ts"

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

/** What the runtimes of a kind of worker know of the GPUs of this machine. */
export interface GpuTeller {
  /** whose runtime is lacking where it could tell of GPUs and is not here */
  readonly kind: KindId
  /** The GPUs that it would use. Undefined: its runtime for this backend is not here. */
  readonly ask: (backend: "vulkan" | "metal") => Promise<ReadonlyArray<Gpu>> | undefined
  /** Has somebody named the devices of this backend that its processes may use? */
  readonly areNamed: (backend: "vulkan" | "metal") => boolean
  /** False where it is known that its runtime for this backend cannot work here. */
  readonly isFit: (backend: Backend) => Promise<boolean>
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
