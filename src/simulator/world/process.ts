/**
 * A simulated operating system process: a share of the kernel's work that can be killed, stopped and continued as a
 * whole. Killing is exact: from that step on nothing of it runs, no finalizer, no timer, no late callback. What it
 * wrote before, into a store or onto a connection, stays written.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as HashSet from "effect/HashSet"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import { defaultShouldYield, type Scheduler } from "effect/Scheduler"
import type { ExitStatus, ProcessId, ProcessMemory } from "../../layers/process/index.ts"
import type { Kernel, Work } from "./kernel/kernel.ts"
import type { Files } from "./files.ts"
import type { MachineSpec } from "./machine-spec.ts"
import type { DeviceId } from "../../machines/vocabulary/ids.ts"

/** Nobody reads metrics here, and they ask for the time at the end of each fiber. */
const unmeasured = Runtime.disableRuntimeFlag(Runtime.defaultRuntime, RuntimeFlags.RuntimeMetrics)

/** What a program is started with. */
export interface Start {
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly logFile?: string
  /** what it reads first on its control pipe */
  readonly firstLine?: string
  /** writes a line on its control pipe */
  readonly tell?: (line: string) => void
}

/** A program that a machine has on its disk. */
export interface Program {
  /** what its process is called, by what it was started with */
  readonly role: (start: Start) => string
  readonly boot: (process: SimProcess, start: Start) => void
}

/** What a process has of the machine that it runs on. */
export interface Host {
  readonly name: string
  readonly files: Files
  readonly spec: MachineSpec
  /** those that live, by pid */
  readonly processes: ReadonlyMap<number, SimProcess>
  readonly spawn: (role: string, parent?: SimProcess) => SimProcess
  /** runs the program that the arguments name */
  readonly start: (start: Start, parent?: SimProcess) => SimProcess
  /** takes memory of a device for a process; false: there is not that much */
  readonly take: (pid: number, device: DeviceId, bytes: number) => boolean
  readonly memory: (pid: number) => ProcessMemory
  readonly freeBytes: (device: DeviceId) => number
  readonly totalBytes: (device: DeviceId) => number
  readonly find: (id: ProcessId) => SimProcess | undefined
}

export class SimProcess {
  readonly name: string
  readonly machine: Host
  readonly id: ProcessId
  readonly kernel: Kernel
  /** virtual milliseconds */
  readonly bornMs: number
  /** its parent's end is its own (the leash) */
  readonly parent: SimProcess | undefined
  isAlive = true
  isStopped = false
  /** its machine sleeps */
  isFrozen = false
  /** it beats, and gets nowhere */
  isHung = false
  /** answers that it decodes now */
  decodes = 0
  /** what it said before its end */
  lastWords = ""
  /** where its errors go, besides the trace */
  logFile: string | undefined
  /** how often it was stopped */
  stops = 0
  status: ExitStatus | undefined
  /** how far its wall clock is ahead, milliseconds */
  clockOffsetMs = 0
  private held: Array<Work> = []
  private readonly onExit: Array<(status: ExitStatus) => void> = []
  private onTerm: (() => void) | undefined
  private readonly scheduler: Scheduler
  private runtime: Runtime.Runtime<never> | undefined

  constructor(kernel: Kernel, machine: Host, name: string, id: ProcessId, parent: SimProcess | undefined) {
    this.kernel = kernel
    this.bornMs = kernel.now
    this.machine = machine
    this.name = name
    this.id = id
    this.parent = parent
    this.scheduler = {
      shouldYield: defaultShouldYield,
      scheduleTask: (run, _priority, fiber) => this.schedule({ run, key: fiber ?? run })
    }
  }

  nowMs(): number {
    return this.kernel.wallMs() + this.clockOffsetMs
  }

  /** Runs `run` as a step of this process, in order with others of the same key. */
  post(key: unknown, run: () => void): void {
    this.schedule({ run, key })
  }

  /** A timer of this process: it does not fire while it is stopped, and never once it is dead. */
  at(ms: number, run: () => void): () => void {
    return this.kernel.at(ms, () => this.schedule({ run, key: run })).cancel
  }

  private schedule(work: Work): void {
    if (!this.isAlive) return
    if (this.isStopped || this.isFrozen) this.held.push(work)
    else this.kernel.schedule({ key: work.key, run: () => this.step(work) })
  }

  private step(work: Work): void {
    if (!this.isAlive) return
    if (this.isStopped || this.isFrozen) this.held.push(work)
    else work.run()
  }

  /** Runs an Effect as a fiber of this process. */
  fork<A, E>(effect: Effect.Effect<A, E>): ReturnType<typeof Effect.runFork<A, E>> {
    this.runtime ??= runtimeOf(this)
    return Runtime.runFork(this.runtime)(effect, { scheduler: this.scheduler, immediate: false })
  }

  /** Runs a program: its end is the end of the process. A defect or failure exits 1. */
  main(program: Effect.Effect<number, unknown>): void {
    this.fork(
      Effect.onExit(program, (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit)) this.kernel.remark(() => `${this.name} failed: ${String(exit.cause)}`)
          this.end({ code: Exit.isSuccess(exit) ? exit.value : 1, signal: undefined })
        })
      )
    )
  }

  /** Completes when the process is asked to end. */
  readonly terminated: Effect.Effect<void> = Effect.async((resume) => {
    this.onTerm = () => this.post(this, () => resume(Effect.void))
  })

  /** SIGTERM. Without a handler it is the end. */
  terminate(): void {
    if (!this.isAlive) return
    if (this.onTerm === undefined) this.end({ code: undefined, signal: "SIGTERM" })
    else this.onTerm()
  }

  /** SIGKILL. */
  kill(): void {
    this.end({ code: undefined, signal: "SIGKILL" })
  }

  /** SIGSTOP. */
  stop(): void {
    if (!this.isAlive || this.isStopped) return
    this.kernel.note(`stop ${this.name}`)
    this.isStopped = true
    this.stops++
  }

  /** SIGCONT. */
  continue(): void {
    if (!this.isStopped) return
    this.kernel.note(`continue ${this.name}`)
    this.isStopped = false
    this.goOn()
  }

  /** Its machine sleeps, or is awake again. */
  freeze(isFrozen: boolean): void {
    this.isFrozen = isFrozen
    if (!isFrozen) this.goOn()
  }

  private goOn(): void {
    if (this.isStopped || this.isFrozen) return
    const held = this.held
    this.held = []
    for (const work of held) this.schedule(work)
  }

  /** Calls back once, at its end. */
  exited(then: (status: ExitStatus) => void): void {
    if (this.status === undefined) this.onExit.push(then)
    else then(this.status)
  }

  end(status: ExitStatus): void {
    if (!this.isAlive) return
    this.kernel.note(`end ${this.name} ${status.code ?? status.signal ?? ""}`)
    this.isAlive = false
    this.status = status
    this.held = []
    for (const then of this.onExit) then(status)
    this.onExit.length = 0
  }
}

/** Its clock, chance and log, once for all of its fibers. */
const runtimeOf = (process: SimProcess): Runtime.Runtime<never> =>
  Runtime.runSync(unmeasured)(
    Effect.runtime<never>().pipe(
      Effect.withClock(clockOf(process)),
      Effect.withRandom(Random.make(process.id.start)),
      Effect.locally(FiberRef.currentLoggers, HashSet.make(loggerOf(process)))
    )
  )

const clockOf = (process: SimProcess): Clock.Clock => {
  const millis = () => process.nowMs()
  const nanos = () => BigInt(Math.floor(process.kernel.now * 1000)) * 1000n
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: millis,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const ms = Duration.toMillis(duration)
        // setTimeout's own limit; nobody lives that long here
        const cancel = process.at(Math.min(ms, 2 ** 31), () => resume(Effect.void))
        return Effect.sync(cancel)
      })
  }
}

const loggerOf = (process: SimProcess) =>
  Logger.make(({ cause, logLevel, message }) => {
    if (process.logFile !== undefined && LogLevel.greaterThanEqual(logLevel, LogLevel.Error))
      process.machine.files.append(process.logFile, `${JSON.stringify({ logLevel: logLevel.label, message })}\n`)
    if (!process.kernel.isTraced || LogLevel.lessThan(logLevel, LogLevel.Info)) return
    process.kernel.remark(
      () =>
        `${process.name} ${logLevel.label} ${Array.isArray(message) ? message.map(words).join(" ") : words(message)} ${cause._tag === "Empty" ? "" : String(cause)}`
    )
  })

const words = (part: unknown): string => (typeof part === "string" ? part : (JSON.stringify(part) ?? ""))
