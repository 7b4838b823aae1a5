/**
 * Downloads of a hive: one at most for each model, however many ask for it. Each is an actor (machines/download.ts)
 * with an event sequence that everybody who waits for it reads.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { ChildSpec } from "../../core/supervision/child.ts"
import { machineActor } from "../../core/machine/machine-actor.ts"
import type { SupervisorRef } from "../../core/supervision/supervisor.ts"
import type { ActorSystem } from "../../core/system.ts"
import type { Fits, PublishedModel, ResolvedModel } from "../../../layers/models/index.ts"
import { type DownloadCommand, downloadMachine, type DownloadOutcome } from "../../../machines/download.ts"
import { type RbeeError, rbeeError, sentence } from "../../../machines/errors.ts"
import type { ModelRef } from "../../../machines/formats/model-ref.ts"
import { toMb } from "../../../machines/policy/memory/fit.ts"
import { downloadDone, downloadFromQueen, downloadResume, downloadStart } from "../../../machines/narration.ts"
import { CurrentLogs, EventLog, type EventLogs } from "../common/event-log.ts"
import { diskDevice } from "../devices/ledger.ts"
import { CurrentMachines, type Machines } from "../devices/devices.ts"
import { findModel, keepModel, rowOf } from "./models.ts"
import { Parts } from "../common/parts.ts"
import { CurrentHive, HiveWorld, type Identity, type Ports } from "../common/ports.ts"
import { measured, ProgressNarrator } from "./progress.ts"
import { Waiters } from "../common/waiters.ts"

interface Provision {
  readonly id: string
  readonly ref: ModelRef
  readonly log: EventLog
  /** decides where the reference leaves a choice */
  readonly fits: Fits
  readonly waiters: Waiters
}

export class CurrentDownloads extends Context.Tag("rbee/hive/Downloads")<CurrentDownloads, Downloads>() {}

export class Downloads {
  private readonly running = new Map<string, Provision>()
  private readonly sideBySide: Effect.Semaphore
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
    this.sideBySide = Effect.unsafeMakeSemaphore(ports.settings.hive.downloads)
  }

  /** `children`: the supervisor that starts them. */
  static over(children: SupervisorRef) {
    return Effect.gen(function* () {
      const machines = yield* (yield* Parts).get(CurrentMachines)
      return new Downloads(yield* HiveWorld, yield* CurrentHive, machines, yield* CurrentLogs, children)
    })
  }

  get count(): number {
    return this.running.size
  }

  /** The id of the event sequence that ends when the model is in the catalog, or cannot be. */
  provision(ref: ModelRef, fits: Fits): Effect.Effect<string, RbeeError, ActorSystem> {
    return Effect.gen(this, function* () {
      const id = yield* this.ports.ids.make("provision")
      const here = yield* findModel(this.ports, ref.ref)
      // Nothing may suspend between this look and the entry below, or two would download the same file.
      const joined = this.running.get(ref.ref)
      if (joined !== undefined) {
        joined.waiters.asked()
        return joined.id
      }
      const log = new EventLog({ hiveId: this.identity.id, modelRef: ref.ref })
      this.logs.set(id, log)
      if (here !== undefined) {
        log.end("ready", { file: here.file })
        return id
      }
      const waiters = new Waiters(log, this.ports.settings.hive.lostMs)
      const provision: Provision = { id, ref, log, fits, waiters }
      this.running.set(ref.ref, provision)
      yield* this.supervisor
        .startChild(this.download(provision))
        .pipe(Effect.catchAllCause((cause) => this.failed(provision, notStarted(cause))))
      return id
      // Who asked may leave meanwhile: what was entered is started all the same.
    }).pipe(Effect.uninterruptible)
  }

  /** Ends what its actors can no longer end; what they fetched so far stays for the next try. */
  readonly abandon: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(
      [...this.running.values()],
      (provision) =>
        Effect.zipRight(
          Effect.ignoreLogged(this.machines.ledger.release(provision.id)),
          this.failed(provision, rbeeError("SHUTTING_DOWN", "the hive stopped this download", "Ask for it again"))
        ),
      { discard: true }
    )
  )

  private failed(provision: Provision, error: RbeeError): Effect.Effect<void> {
    return Effect.sync(() => {
      this.running.delete(provision.ref.ref)
      provision.log.end("failed", { code: error.code, message: sentence(error), details: error.details })
    })
  }

  // long: what the chart of a download asks for, over one resolved model
  private download(provision: Provision): ChildSpec<ActorSystem> {
    const { fits, id, ref, log } = provision
    const { ports, sideBySide } = this
    const { models } = ports
    const { ledger } = this.machines
    const found: { resolved: ResolvedModel | undefined; startedAt: number } = { resolved: undefined, startedAt: 0 }
    const resolved = Effect.suspend(() =>
      found.resolved === undefined ? Effect.dieMessage(`${ref.ref} is not resolved`) : Effect.succeed(found.resolved)
    )
    const narrator = new ProgressNarrator(log)

    /** Promises the disk the bytes that are still to come, before the first of them is fetched. */
    const leaseDisk = (model: ResolvedModel) =>
      Effect.gen(function* () {
        const needed = model.inPlace === undefined ? model.bytes - model.partial : 0
        yield* ledger.release(id)
        const freeBytes = model.freeBytes ?? (yield* models.diskFree)
        const supply = { device: diskDevice, totalBytes: Number.MAX_SAFE_INTEGER, freeBytes }
        const booked = yield* ledger.book(id, ref.ref, supply, (available) =>
          needed <= available ? { bytes: needed } : undefined
        )
        if (booked === undefined) return yield* Effect.fail(noDisk(needed, ledger.available(supply)))
      })

    const resume = (received: number, total: number, now: number) => {
      if (received > 0) log.narrate(downloadResume(Math.floor((100 * received) / Math.max(1, total))), now)
    }

    const perform = (command: DownloadCommand) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        switch (command.type) {
          case "resolved": {
            log.narrate(downloadStart(command.bytes), now)
            if (found.resolved?.fromQueen === true) log.narrate(downloadFromQueen(), now)
            resume(command.partial, command.bytes, now)
            return Effect.void
          }
          case "resuming":
            resume(command.received, command.total, now)
            return Effect.void
          case "progress":
            narrator.progress(command, now)
            return Effect.void
          case "retrying":
            return Effect.logWarning(`download of ${ref.ref}: ${command.error.what}; attempt ${command.attempt + 1}`)
          case "ended":
            return this.end(provision, command.outcome, found.startedAt, narrator)
        }
      })

    const published = (model: ResolvedModel, result: PublishedModel) =>
      Effect.gen(function* () {
        const { facts, file, sha256 } = result
        // What lies in place may be ours all the same, from before its row was lost.
        const isOurs =
          model.inPlace === undefined || (yield* models.notes).some((each) => each.file === file && each.owned)
        const addedAt = yield* Clock.currentTimeMillis
        const note = { ref: ref.ref, file, sha256, owned: isOurs, pinned: false, why: model.why, addedAt }
        yield* keepModel(ports, rowOf({ ...note, lastUsedAt: undefined }, facts))
        return file
      })

    return {
      id,
      restart: "transient",
      start: Effect.gen(function* () {
        const actor = yield* machineActor({
          path: `hive/downloads/${id}`,
          machine: downloadMachine,
          input: { ref: ref.ref },
          perform,
          activities: {
            resolve: () =>
              Effect.gen(function* () {
                const model = yield* models.resolve(ref, fits)
                yield* leaseDisk(model)
                found.resolved = model
                found.startedAt = yield* Clock.currentTimeMillis
                return { bytes: model.bytes, partial: model.partial }
              }),
            transfer: (_, self) =>
              Effect.flatMap(resolved, (model) =>
                measured(
                  model.partial,
                  (tell) => models.transfer(model, tell),
                  (received, rate) => self.latest("progress", { type: "PROGRESS", received, rate })
                ).pipe(
                  // What came of it would only keep the disk full.
                  Effect.tapError((error) => (error.code === "DISK_FULL" ? models.discard(model) : Effect.void)),
                  sideBySide.withPermits(1),
                  Effect.raceFirst(provision.waiters.gone(ref))
                )
              ),
            publish: () =>
              Effect.flatMap(resolved, (model) =>
                Effect.flatMap(models.publish(model), (result) => published(model, result))
              ),
            discard: () => Effect.flatMap(resolved, models.discard)
          }
        })
        yield* actor.ref.tell({ type: "START" })
        return actor
      })
    }
  }

  private end(
    provision: Provision,
    outcome: DownloadOutcome,
    startedAt: number,
    narrator: ProgressNarrator
  ): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const now = yield* Clock.currentTimeMillis
      yield* Effect.ignoreLogged(this.machines.ledger.release(provision.id))
      if (outcome.outcome === "failed") return yield* this.failed(provision, outcome.error)
      narrator.complete(now)
      this.running.delete(provision.ref.ref)
      provision.log.narrate(downloadDone(now - startedAt), now)
      provision.log.end("ready", { file: outcome.file })
    })
  }
}

const noDisk = (neededBytes: number, availableBytes: number): RbeeError<"DISK_FULL"> => {
  const [needed, available] = [toMb(neededBytes), Math.floor(availableBytes / 1e6)]
  return rbeeError(
    "DISK_FULL",
    `the model needs ${needed} MB on the hive's disk, ${available} MB are free`,
    "Free some space, or remove a model with `rbee models rm`",
    { needed_mb: needed, available_mb: available }
  )
}

const notStarted = (cause: Cause.Cause<unknown>): RbeeError =>
  rbeeError("INTERNAL", "the download could not be started", "See the hive's log", {
    cause: Cause.pretty(cause).split("\n", 1)[0]
  })
