/** What a simulated machine is made of. */
export interface GpuSpec {
  readonly id: string
  readonly bytes: number
}

export interface MachineSpec {
  readonly name: string
  readonly ramBytes: number
  readonly gpus: ReadonlyArray<GpuSpec>
}
