/** The hive's interface: what each call asks of which part (docs/api.md#hive). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ActorSystem } from "../core/system.ts"
import { declared, mapCalls } from "../../protocol/endpoint.ts"
import { type HiveApi, hiveApi, type HiveCalls } from "../../protocol/hive.ts"
import { RbeeError, rbeeError } from "../../machines/errors.ts"
import { runtimeNamed } from "../../machines/kinds/kind.ts"
import { makeInspect } from "../inspect/shared.ts"
import { watch } from "../inspect/source.ts"
import type { EventLog, EventLogs } from "./common/event-log.ts"
import type { Heartbeat } from "./heartbeat.ts"
import { noRoom } from "./devices/devices.ts"
import { findModel, markModel } from "./models/models.ts"
import { modelCalls, present, reference } from "./models-api.ts"
import type { Ownership } from "./ownership.ts"
import { type Parts, restarting } from "./parts.ts"
import type { Identity, Ports } from "./common/ports.ts"
import type { Usage } from "./usage.ts"

export interface ApiOptions {
  readonly ports: Ports
  readonly identity: Identity
  readonly parts: Parts
  readonly ownership: Ownership
  readonly heartbeat: Heartbeat
  readonly usage: Usage
  readonly logs: EventLogs
  readonly startedAt: number
  readonly stopping: () => boolean
  /** drains, stops the workers, and lets the hive end */
  readonly shutdown: (drainMs: number) => Effect.Effect<void>
}

export const hiveApiOf = (options: ApiOptions): Effect.Effect<HiveApi, never, ActorSystem | Scope.Scope> =>
  Effect.gen(function* () {
    const system = yield* Effect.context<ActorSystem>()
    const { heartbeat, identity, logs, ownership, parts, ports, usage } = options
    const { catalog, models, settings } = ports
    const daemon = `hive-${identity.id}`
    const inspect = yield* makeInspect(daemon, (trunk, redacted) => watch({ ...redacted, daemon }, trunk.put))

    const part = <K extends keyof Parts>(name: K): Effect.Effect<NonNullable<Parts[K]>, RbeeError> =>
      Effect.suspend(() => {
        const found = parts[name]
        return found === undefined ? Effect.fail(restarting()) : Effect.succeed<NonNullable<Parts[K]>>(found)
      })
    /** For calls that make work: a hive that is about to end takes none. */
    const open: Effect.Effect<void, RbeeError> = Effect.suspend(() =>
      options.stopping()
        ? Effect.fail(rbeeError("SHUTTING_DOWN", "this hive is shutting down", "Try again"))
        : usage.touch
    )
    const logOf = (id: string, what: "a provision" | "a worker"): Effect.Effect<EventLog, RbeeError> =>
      Effect.suspend(() => {
        const log = logs.get(id)
        if (log !== undefined) return Effect.succeed(log)
        const code = what === "a worker" ? "WORKER_NOT_FOUND" : "NOT_FOUND"
        return Effect.fail(rbeeError(code, `this hive knows no such id of ${what}`))
      })
    const feed =
      (what: "a provision" | "a worker") =>
      (input: { readonly id: string; readonly last_event_id?: string | undefined }) =>
        Effect.map(logOf(input.id, what), (log) => log.feed(input.last_event_id))
    /** A queen that lost this hive to another one learns it from whatever she asks. */
    const ofItsOwner = (api: HiveCalls): HiveApi =>
      declared(
        hiveApi,
        mapCalls(api, (call, name) =>
          name === "health" || name === "claim" ? call : Effect.zipRight(ownership.admit, call)
        )
      )

    return ofItsOwner({
      health: () =>
        Effect.map(Clock.currentTimeMillis, (now) => ({
          status: "healthy" as const,
          role: "hive" as const,
          version: settings.version,
          id: identity.id,
          instance: identity.instance,
          pid: ports.processes.self.pid,
          uptime_s: (now - options.startedAt) / 1000
        })),

      claim: (request) =>
        Effect.gen(function* () {
          yield* open
          yield* ownership.claim(request)
          const { models: offers, secret = settings.token, url } = request.queen
          yield* models.offered(offers === true ? { url, token: secret } : undefined)
          yield* heartbeat.claimed
          return { hive_id: identity.id, instance: identity.instance, version: settings.version }
        }),

      devices: () =>
        Effect.gen(function* () {
          const { cpu, driver, gpus } = yield* Effect.flatMap(part("machines"), (machines) => machines.look())
          return {
            cpu: {
              cores: cpu.cores,
              ram_mb: Math.floor(cpu.ramBytes / 1e6),
              ram_free_mb: Math.floor(cpu.ramFreeBytes / 1e6)
            },
            gpus,
            ...(driver === undefined ? {} : { driver }),
            models: (yield* catalog.models.all).length,
            workers: (yield* part("workers")).count
          }
        }),

      capacity: ({ context, device: id, evict, model, slots }) =>
        Effect.gen(function* () {
          yield* open
          const ref = yield* reference(model)
          const machines = yield* part("machines")
          const workers = yield* part("workers")
          const device = yield* machines.device(id)
          yield* machines.inService(device.id)
          const row = yield* findModel(ports, ref.ref)
          const gone = new Set(evict?.split(","))
          const facts = yield* row === undefined
            ? models.preview(ref, workers.fits(ref, device, { context, slots }, gone))
            : models.inspect(row.file)
          const wanted = workers.wanted(facts, { context, slots })
          if (row !== undefined && (yield* workers.joinable(device.id, row.file, wanted)) !== undefined) return
          if (row !== undefined) yield* workers.admits(row, device)
          const available = machines.ledger.available(device.supply, gone)
          const kind = workers.kind(ref)
          const choose = yield* workers.chooser(kind, device, row?.file ?? "", facts, wanted)
          const { bytes, fits } = choose(available)
          if (!fits) return yield* noRoom(device.id, bytes, available, yield* workers.most(kind, device, facts))
        }),

      provisionModel: ({ context, device, evict, model_ref }) =>
        Effect.gen(function* () {
          yield* open
          const ref = yield* reference(model_ref)
          const machines = yield* part("machines")
          const target = yield* device === undefined ? machines.strongest : machines.device(device)
          const fits = (yield* part("workers")).fits(ref, target, { context, slots: undefined }, new Set(evict))
          const id = yield* Effect.flatMap(part("downloads"), (downloads) => downloads.provision(ref, fits))
          return { provision_id: id, events: `/models/provisions/${id}/events` }
        }).pipe(Effect.provide(system)),
      modelEvents: feed("a provision"),
      ...modelCalls(ports, parts),

      provisionWorker: ({ device, kind }) =>
        Effect.gen(function* () {
          yield* open
          const found =
            device === undefined ? undefined : yield* Effect.flatMap(part("machines"), (all) => all.device(device))
          const named = runtimeNamed(ports.kinds, kind)
          if (named instanceof RbeeError) return yield* named
          const needed = found?.isDeclared === true ? { ...named, backend: found.backend } : named
          const id = yield* Effect.flatMap(part("installs"), (installs) => installs.provision(needed))
          if (id === undefined)
            return { _tag: "Json" as const, status: 200 as const, body: { available: true as const } }
          const body = { provision_id: id, events: `/workers/provisions/${id}/events` }
          return { _tag: "Json" as const, status: 202 as const, body }
        }).pipe(Effect.provide(system)),
      runtimeEvents: feed("a provision"),

      startWorker: ({ context, device: id, evict, model_ref, pin, port_hint, slots }) =>
        Effect.gen(function* () {
          yield* open
          const model = yield* present(ports, model_ref)
          const device = yield* Effect.flatMap(part("machines"), (machines) => machines.device(id))
          const now = yield* Clock.currentTimeMillis
          yield* markModel(ports, model.ref, { lastUsedAt: now })
          const workers = yield* part("workers")
          const started = yield* workers.start({
            device,
            model,
            context,
            slots,
            portHint: port_hint,
            pin: pin === true,
            evict: evict ?? []
          })
          return {
            worker_id: started.id,
            ...(started.port === undefined ? {} : { port: started.port }),
            events: `/workers/${started.id}/events`
          }
        }).pipe(Effect.provide(system)),
      workerEvents: feed("a worker"),
      listWorkers: () => Effect.flatMap(part("workers"), (workers) => workers.beats),
      stopWorker: ({ id }) =>
        Effect.gen(function* () {
          yield* usage.touch
          yield* Effect.flatMap(part("workers"), (workers) => workers.stop(id, settings.shutdown.drainMs))
        }),
      inspectEvents: ({ contents }) => Effect.sync(() => inspect({ contents: contents === true })),
      shutdown: ({ deadline_ms }) => options.shutdown(deadline_ms ?? settings.shutdown.drainMs)
    })
  })
