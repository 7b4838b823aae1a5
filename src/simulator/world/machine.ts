/** A simulated machine: its processes, and what its devices have left. */
import type { ExitStatus, ProcessId, ProcessMemory } from "../../layers/process/index.ts"
import type { Kernel } from "./kernel/kernel.ts"
import type { MachineSpec } from "./machine-spec.ts"
import { Files } from "./files.ts"
import { type Host, type Program, SimProcess, type Start } from "./process.ts"
import type { DeviceId } from "../../machines/vocabulary/ids.ts"

/** what a process takes that has loaded nothing */
export const processBytes = 60e6

export class Machine implements Host {
  readonly kernel: Kernel
  readonly spec: MachineSpec
  readonly processes = new Map<number, SimProcess>()
  readonly files = new Files()
  /** by the name of their files */
  programs: Readonly<Record<string, Program>> = {}
  /** told of each new process */
  onSpawn: (process: SimProcess) => void = () => undefined
  /** memory that a process has taken: pid → device → bytes */
  private readonly taken = new Map<number, { readonly device: DeviceId; readonly bytes: number }>()
  private nextPid: number
  /** told of each process that has ended */
  onEnd: (process: SimProcess) => void = () => undefined
  isAsleep = false
  /** told when it is awake again */
  onAwake: () => void = () => undefined

  constructor(kernel: Kernel, spec: MachineSpec, firstPid: number) {
    this.kernel = kernel
    this.spec = spec
    this.nextPid = firstPid
  }

  get name(): string {
    return this.spec.name
  }

  /** A process that does nothing yet. A child is on its parent's leash: when that dies it does, unless it is stopped. */
  spawn(role: string, parent?: SimProcess): SimProcess {
    const pid = this.nextPid++
    const id: ProcessId = { pid, start: `${this.name}-${pid}-${Math.floor(this.kernel.now * 1000)}` }
    const process = new SimProcess(this.kernel, this, `${this.name}/${role}#${pid}`, id, parent)
    this.processes.set(pid, process)
    this.kernel.note(`spawn ${process.name}`)
    this.onSpawn(process)
    process.exited(() => {
      this.processes.delete(pid)
      this.onEnd(process)
      // a driver gives memory back a moment after the process is gone; the system at once
      const isRam = this.taken.get(pid)?.device === "cpu"
      this.kernel.at(isRam ? 0 : this.kernel.random.between(0, 50), () => this.taken.delete(pid))
    })
    parent?.exited(() => {
      this.kernel.at(this.kernel.random.between(0, 20), () => process.post(process, () => process.kill()))
    })
    return process
  }

  /** A process that runs a program, which its arguments name. */
  start(start: Start, parent?: SimProcess): SimProcess {
    const program = start.args.flatMap((arg) => this.programs[arg] ?? [])[0]
    if (program === undefined) throw new Error(`${this.name} has no program ${start.args.join(" ")}`)
    const process = this.spawn(program.role(start), parent)
    process.logFile = start.logFile
    program.boot(process, start)
    return process
  }

  find(id: ProcessId): SimProcess | undefined {
    const process = this.processes.get(id.pid)
    return process?.id.start === id.start ? process : undefined
  }

  /** A process takes memory of a device. False: there is not that much. */
  take(pid: number, device: DeviceId, bytes: number): boolean {
    if (bytes > this.freeBytes(device)) return false
    this.taken.set(pid, { device, bytes })
    return true
  }

  memory(pid: number): ProcessMemory {
    const own = this.taken.get(pid)?.bytes ?? 0
    return { resident: own + processBytes, own }
  }

  totalBytes(device: DeviceId): number {
    return device === "cpu" ? this.spec.ramBytes : (this.spec.gpus.find(({ id }) => id === device)?.bytes ?? 0)
  }

  freeBytes(device: DeviceId): number {
    let free = this.totalBytes(device)
    for (const each of this.taken.values()) if (each.device === device) free -= each.bytes
    return free
  }

  /** Nothing of it runs any more, and nothing is lost. */
  sleep(): void {
    this.turn(true)
  }

  /** All goes on as if no time had passed. */
  awake(): void {
    this.turn(false)
  }

  private turn(isAsleep: boolean): void {
    if (this.isAsleep === isAsleep) return
    this.isAsleep = isAsleep
    this.kernel.note(`${this.name} ${isAsleep ? "sleeps" : "is awake"}`)
    for (const process of [...this.processes.values()]) process.freeze(isAsleep)
    if (!isAsleep) this.onAwake()
  }

  /** Every process ends at once. */
  crash(): void {
    for (const process of [...this.processes.values()]) process.end({ code: undefined, signal: "SIGKILL" })
  }
}

export type { ExitStatus }
