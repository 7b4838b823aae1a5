/** Installations of worker runtimes: one at most for each kind, with an event sequence for whoever waits. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { task } from "../../core/supervision/child.ts"
import type { SupervisorRef } from "../../core/supervision/supervisor.ts"
import type { ActorSystem } from "../../core/system.ts"
import { type RbeeError, rbeeError, sentence } from "../../../machines/errors.ts"
import { type Backend, workerKind, type WorkerKind } from "../../../machines/vocabulary/device.ts"
import { EventLog, type EventLogs } from "../common/event-log.ts"
import type { Machines } from "./devices.ts"
import type { Identity, Ports } from "../common/ports.ts"

const backends: ReadonlyArray<Backend> = ["cpu", "cuda", "vulkan", "metal"]

export class Installs {
  private readonly running = new Map<Backend, string>()
  private readonly ports: Ports
  private readonly identity: Identity
  private readonly machines: Machines
  private readonly logs: EventLogs
  private readonly supervisor: SupervisorRef

  constructor(ports: Ports, identity: Identity, machines: Machines, logs: EventLogs, supervisor: SupervisorRef) {
    this.ports = ports
    this.identity = identity
    this.machines = machines
    this.logs = logs
    this.supervisor = supervisor
  }

  get count(): number {
    return this.running.size
  }

  /** Undefined: it is there. Else the id of the event sequence that ends when it is, or cannot be. */
  provision(kind: WorkerKind): Effect.Effect<string | undefined, RbeeError, ActorSystem> {
    return Effect.gen(this, function* () {
      const backend = backends.find((each) => workerKind(each) === kind)
      if (backend === undefined) return yield* Effect.fail(rbeeError("INVALID_REQUEST", `there is no worker ${kind}`))
      const id = yield* this.ports.ids.make("install")
      const place = yield* this.ports.runtimes.find(backend)
      if (place !== undefined) return undefined
      // Nothing may suspend between this look and the entry below.
      const joined = this.running.get(backend)
      if (joined !== undefined) return joined
      const log = new EventLog({ hiveId: this.identity.id })
      this.logs.set(id, log)
      this.running.set(backend, id)
      yield* this.supervisor
        .startChild({ id, restart: "temporary", start: task(this.install(backend, log)) })
        .pipe(Effect.catchAll(() => this.failed(backend, log, interrupted(kind))))
      return id
      // Who asked may leave meanwhile: what was entered is started all the same.
    }).pipe(Effect.uninterruptible)
  }

  /** GPUs that only a runtime could tell of are worth its installation, in the background: nobody waits for them. */
  readonly lacking: Effect.Effect<void, never, ActorSystem> = Effect.suspend(() => {
    const { lacks } = this.machines
    if (lacks === undefined) return Effect.void
    return Effect.ignore(this.provision(workerKind(lacks)))
  })

  /** An installation tells its own end, also when it is interrupted. */
  readonly abandon: Effect.Effect<void> = Effect.sync(() => this.running.clear())

  private install(backend: Backend, log: EventLog): Effect.Effect<void, never, ActorSystem> {
    const { runtimes, catalog } = this.ports
    return Effect.gen(this, function* () {
      yield* runtimes.sweep
      const place = yield* runtimes.install(backend, (received) => log.progress({ stage: "install", received }))
      if (place.folder !== undefined) {
        yield* catalog.runtimes.put({ kind: workerKind(backend), version: place.version, folder: place.folder })
      }
      this.running.delete(backend)
      yield* Effect.logInfo(`worker ${workerKind(backend)} installed`)
      // it may see GPUs that nothing else does
      yield* this.machines.look(true)
      const at = yield* Clock.currentTimeMillis
      log.end("ready", { at })
    }).pipe(
      Effect.catchAll((error) => Effect.zipRight(this.failed(backend, log, error), this.inPlaceOf(backend))),
      Effect.onInterrupt(() => this.failed(backend, log, interrupted(workerKind(backend)))),
      Effect.tapDefect(() => this.failed(backend, log, interrupted(workerKind(backend))))
    )
  }

  /** A runtime that does not work here may have another in its place, which a new look at the machine tells. */
  private inPlaceOf(backend: Backend): Effect.Effect<void, never, ActorSystem> {
    return Effect.flatMap(this.machines.look(true), () =>
      this.machines.lacks === backend ? Effect.void : this.lacking
    )
  }

  private failed(backend: Backend, log: EventLog, error: RbeeError): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.running.delete(backend)
      log.end("failed", { code: error.code, message: sentence(error), details: error.details })
      return Effect.logWarning(`worker ${workerKind(backend)}: ${error.what}`)
    })
  }
}

const interrupted = (kind: WorkerKind): RbeeError<"BACKEND_UNAVAILABLE"> =>
  rbeeError("BACKEND_UNAVAILABLE", `the installation of worker ${kind} was interrupted`, "Try again")
