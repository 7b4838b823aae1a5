/** Installations of worker runtimes: one at most of each, with an event sequence for whoever waits. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { task } from "../../core/supervision/child.ts"
import type { SupervisorRef } from "../../core/supervision/supervisor.ts"
import type { ActorSystem } from "../../core/system.ts"
import { type RbeeError, rbeeError, sentence } from "../../../machines/errors.ts"
import { kindOf, runtimeName } from "../../../machines/kinds/kind.ts"
import type { RuntimeId } from "../../../machines/vocabulary/device.ts"
import type { RuntimeName } from "../../../machines/vocabulary/kind.ts"
import { CurrentLogs, EventLog, type EventLogs } from "../common/event-log.ts"
import { CurrentDevices, type Devices } from "./devices.ts"
import { Parts } from "../common/parts.ts"
import { CurrentHive, HiveWorld, type Identity, type Ports } from "../common/ports.ts"

export class CurrentInstalls extends Context.Tag("rbee/hive/Installs")<CurrentInstalls, Installs>() {}

export class Installs {
  private readonly running = new Map<RuntimeName, string>()
  private readonly ports: Ports
  private readonly identity: Identity
  private readonly devices: Devices
  private readonly logs: EventLogs
  private readonly supervisor: SupervisorRef

  constructor(ports: Ports, identity: Identity, devices: Devices, logs: EventLogs, supervisor: SupervisorRef) {
    this.ports = ports
    this.identity = identity
    this.devices = devices
    this.logs = logs
    this.supervisor = supervisor
  }

  /** `children`: the supervisor that starts them. */
  static over(children: SupervisorRef) {
    return Effect.gen(function* () {
      const devices = yield* (yield* Parts).get(CurrentDevices)
      return new Installs(yield* HiveWorld, yield* CurrentHive, devices, yield* CurrentLogs, children)
    })
  }

  get count(): number {
    return this.running.size
  }

  /** Undefined: it is there. Else the id of the event sequence that ends when it is, or cannot be. */
  provision(runtime: RuntimeId): Effect.Effect<string | undefined, never, ActorSystem> {
    return Effect.gen(this, function* () {
      const name = this.nameOf(runtime)
      const id = yield* this.ports.ids.make("install")
      const place = yield* this.ports.runtimes.find(runtime.kind, runtime.backend)
      if (place !== undefined) return undefined
      // Nothing may suspend between this look and the entry below.
      const joined = this.running.get(name)
      if (joined !== undefined) return joined
      const log = new EventLog({ hiveId: this.identity.id })
      this.logs.set(id, log)
      this.running.set(name, id)
      yield* this.supervisor
        .startChild({ id, restart: "temporary", start: task(this.install(runtime, log)) })
        .pipe(Effect.catchAll(() => this.failed(runtime, log, interrupted(name))))
      return id
      // Who asked may leave meanwhile: what was entered is started all the same.
    }).pipe(Effect.uninterruptible)
  }

  /** GPUs that only a runtime could tell of are worth its installation, in the background: nobody waits for them. */
  readonly lacking: Effect.Effect<void, never, ActorSystem> = Effect.suspend(() => {
    const { lacks } = this.devices
    if (lacks === undefined) return Effect.void
    return Effect.ignore(this.provision(lacks))
  })

  /** An installation tells its own end, also when it is interrupted. */
  readonly abandon: Effect.Effect<void> = Effect.sync(() => this.running.clear())

  private nameOf({ backend, kind }: RuntimeId): RuntimeName {
    const known = kindOf(this.ports.kinds, kind)
    return known === undefined ? kind : runtimeName(known, backend)
  }

  private install(runtime: RuntimeId, log: EventLog): Effect.Effect<void, never, ActorSystem> {
    const { runtimes, catalog } = this.ports
    const name = this.nameOf(runtime)
    return Effect.gen(this, function* () {
      yield* runtimes.sweep
      const place = yield* runtimes.install(runtime.kind, runtime.backend, (received) =>
        log.progress({ stage: "install", received })
      )
      if (place.folder !== undefined) {
        yield* catalog.runtimes.put({ kind: name, version: place.version, folder: place.folder })
      }
      this.running.delete(name)
      yield* Effect.logInfo(`worker ${name} installed`)
      // it may see GPUs that nothing else does
      yield* this.devices.look(true)
      const at = yield* Clock.currentTimeMillis
      log.end("ready", { at })
    }).pipe(
      Effect.catchAll((error) => Effect.zipRight(this.failed(runtime, log, error), this.inPlaceOf(runtime))),
      Effect.onInterrupt(() => this.failed(runtime, log, interrupted(name))),
      Effect.tapDefect(() => this.failed(runtime, log, interrupted(name)))
    )
  }

  /** A runtime that does not work here may have another in its place, which a new look at the machine tells. */
  private inPlaceOf({ backend, kind }: RuntimeId): Effect.Effect<void, never, ActorSystem> {
    return Effect.flatMap(this.devices.look(true), () => {
      const { lacks } = this.devices
      return lacks?.kind === kind && lacks.backend === backend ? Effect.void : this.lacking
    })
  }

  private failed(runtime: RuntimeId, log: EventLog, error: RbeeError): Effect.Effect<void> {
    return Effect.suspend(() => {
      const name = this.nameOf(runtime)
      this.running.delete(name)
      log.end("failed", { code: error.code, message: sentence(error), details: error.details })
      return Effect.logWarning(`worker ${name}: ${error.what}`)
    })
  }
}

const interrupted = (name: RuntimeName): RbeeError<"BACKEND_UNAVAILABLE"> =>
  rbeeError("BACKEND_UNAVAILABLE", `the installation of worker ${name} was interrupted`, "Try again")
