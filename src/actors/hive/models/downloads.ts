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
import type { Fits, ResolvedModel } from "../../../layers/models/index.ts"
import { type DownloadCommand, downloadMachine, type DownloadOutcome } from "../../../machines/download.ts"
import { type RbeeError, rbeeError, sentence } from "../../../machines/errors.ts"
import type { ParsedRef } from "../../../machines/formats/model-ref.ts"
import { toMb } from "../../../machines/policy/memory/fit.ts"
import { downloadDone, downloadFromQueen, downloadResume, downloadStart } from "../../../machines/narration.ts"
import { CurrentLogs, EventLog, type EventLogs } from "../common/event-log.ts"
import { type CatalogError, diskDevice } from "../../../layers/hive-catalog/index.ts"
import type { Supply } from "../devices/ledger.ts"
import { CurrentDevices, type Devices } from "../devices/devices.ts"
import { findModel, keepModel, rowOf } from "./models.ts"
import { Parts } from "../common/parts.ts"
import { CurrentHive, HiveWorld, type Identity, type Ports } from "../common/ports.ts"
import { measured, ProgressNarrator } from "./progress.ts"
import { Waiters } from "../common/waiters.ts"
import type { RunningDownload } from "../../../protocol/models.ts"

interface Provision {
  readonly id: string
  readonly ref: ParsedRef
  readonly log: EventLog
  /** decides where the reference leaves a choice */
  readonly fits: Fits
  readonly waiters: Waiters
  readonly narrator: ProgressNarrator
  /** what is downloaded, once that is known */
  resolved: ResolvedModel | undefined
  /** milliseconds since 1970 */
  startedAt: number
}

const resolvedOf = ({ ref, resolved }: Provision): Effect.Effect<ResolvedModel> =>
  resolved === undefined ? Effect.dieMessage(`${ref.ref} is not resolved`) : Effect.succeed(resolved)

export class CurrentDownloads extends Context.Tag("rbee/hive/Downloads")<CurrentDownloads, Downloads>() {}

export class Downloads {
  private readonly running = new Map<string, Provision>()
  private readonly sideBySide: Effect.Semaphore
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
    this.sideBySide = Effect.unsafeMakeSemaphore(ports.settings.hive.downloads)
  }

  /** `children`: the supervisor that starts them. */
  static over(children: SupervisorRef) {
    return Effect.gen(function* () {
      const devices = yield* (yield* Parts).get(CurrentDevices)
      return new Downloads(yield* HiveWorld, yield* CurrentHive, devices, yield* CurrentLogs, children)
    })
  }

  get count(): number {
    return this.running.size
  }

  /** Those that have not ended. */
  get views(): ReadonlyArray<RunningDownload> {
    return [...this.running.values()].map(({ id, narrator: { now }, ref, resolved }) => ({
      id,
      model_ref: ref.ref,
      received: Math.max(now.received, resolved?.partial ?? 0),
      rate: now.rate,
      ...(resolved === undefined ? {} : { total: resolved.bytes })
    }))
  }

  /** Gives one up whom nobody waits for. */
  dismiss(id: string): Effect.Effect<void, RbeeError<"CONFLICT" | "NOT_FOUND">> {
    return Effect.suspend((): Effect.Effect<void, RbeeError<"CONFLICT" | "NOT_FOUND">> => {
      const found = [...this.running.values()].find((one) => one.id === id)
      if (found === undefined)
        return rbeeError("NOT_FOUND", `there is no download ${id}`, "It has ended, or was never asked for")
      if (found.waiters.dismissed()) return Effect.void
      return rbeeError(
        "CONFLICT",
        `somebody waits for ${found.ref.ref}: a job, or another command`,
        "End that, and the download ends with it"
      )
    })
  }

  /** The id of the event sequence that ends when the model is in the catalog, or cannot be. */
  provision(ref: ParsedRef, fits: Fits): Effect.Effect<string, CatalogError, ActorSystem> {
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
      const narrator = new ProgressNarrator(log)
      const provision: Provision = { id, ref, log, fits, waiters, narrator, resolved: undefined, startedAt: 0 }
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
          Effect.ignoreLogged(this.devices.ledger.release(provision.id)),
          this.failed(provision, rbeeError("SHUTTING_DOWN", "the hive stopped this download", "Ask for it again"))
        ),
      { discard: true }
    )
  )

  private failed({ log, ref }: Pick<Provision, "log" | "ref">, error: RbeeError): Effect.Effect<void> {
    return Effect.sync(() => {
      this.running.delete(ref.ref)
      log.end("failed", { code: error.code, message: sentence(error), details: error.details })
    })
  }

  private download(provision: Provision): ChildSpec<ActorSystem> {
    const { id, ref } = provision
    const { models } = this.ports
    const actor = machineActor({
      path: `hive/downloads/${id}`,
      machine: downloadMachine,
      input: { ref: ref.ref },
      perform: (command) => this.perform(provision, command),
      activities: {
        resolve: () => this.resolve(provision),
        transfer: (_, self) =>
          this.transfer(provision, (received, rate) => self.latest("progress", { type: "PROGRESS", received, rate })),
        publish: () => this.publish(provision),
        discard: () => Effect.flatMap(resolvedOf(provision), models.discard)
      }
    })
    return { id, restart: "transient", start: Effect.tap(actor, ({ ref: own }) => own.tell({ type: "START" })) }
  }

  private resolve(provision: Provision) {
    const { models } = this.ports
    return Effect.gen(this, function* () {
      const model = yield* models.resolve(provision.ref, provision.fits)
      yield* this.leaseDisk(provision, model)
      provision.resolved = model
      provision.startedAt = yield* Clock.currentTimeMillis
      return { bytes: model.bytes, partial: model.partial }
    })
  }

  /** Promises the disk the bytes that are still to come, before the first of them is fetched. */
  private leaseDisk({ id, ref }: Provision, model: ResolvedModel) {
    const { models } = this.ports
    const { ledger } = this.devices
    return Effect.gen(function* () {
      const needed = model.inPlace === undefined ? Math.max(0, model.bytes - model.partial) : 0
      yield* ledger.release(id)
      const freeBytes = model.freeBytes ?? (yield* models.diskFree)
      const supply: Supply = { device: diskDevice, totalBytes: Number.MAX_SAFE_INTEGER, freeBytes }
      const booked = yield* ledger.book(id, ref.ref, supply, (available) =>
        needed <= available ? { bytes: needed } : undefined
      )
      if (booked === undefined) return yield* Effect.fail(noDisk(needed, ledger.available(supply)))
    })
  }

  private transfer(provision: Provision, onProgress: (received: number, rate: number) => Effect.Effect<void>) {
    const { models } = this.ports
    return Effect.flatMap(resolvedOf(provision), (model) =>
      measured(model.partial, (tell) => models.transfer(model, tell), onProgress).pipe(
        // What came of it would only keep the disk full.
        Effect.tapError((error) => (error.code === "DISK_FULL" ? models.discard(model) : Effect.void)),
        this.sideBySide.withPermits(1),
        Effect.raceFirst(provision.waiters.gone(provision.ref))
      )
    )
  }

  private publish(provision: Provision) {
    const { ports } = this
    return Effect.gen(function* () {
      const model = yield* resolvedOf(provision)
      const { facts, file, sha256 } = yield* ports.models.publish(model)
      // What lies in place may be ours all the same, from before its row was lost.
      const isOurs =
        model.inPlace === undefined || (yield* ports.models.notes).some((each) => each.file === file && each.owned)
      const addedAt = yield* Clock.currentTimeMillis
      const { ref } = provision.ref
      const note = { ref, file, sha256, owned: isOurs, pinned: false, why: model.why, addedAt }
      yield* keepModel(ports, rowOf({ ...note, lastUsedAt: undefined }, facts))
      return file
    })
  }

  /** The chart's commands, as lines and events for whoever waits. */
  private perform(provision: Provision, command: DownloadCommand): Effect.Effect<void> {
    const { log, narrator, ref, resolved } = provision
    const resume = (received: number, total: number, now: number) => {
      if (received > 0) log.narrate(downloadResume(Math.floor((100 * received) / Math.max(1, total))), now)
    }
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      switch (command.type) {
        case "resolved": {
          log.narrate(downloadStart(command.bytes), now)
          if (resolved?.fromQueen === true) log.narrate(downloadFromQueen(), now)
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
          return this.end(provision, command.outcome)
      }
    })
  }

  private end({ id, log, narrator, ref, startedAt }: Provision, outcome: DownloadOutcome): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const now = yield* Clock.currentTimeMillis
      yield* Effect.ignoreLogged(this.devices.ledger.release(id))
      if (outcome.outcome === "failed") return yield* this.failed({ ref, log }, outcome.error)
      narrator.complete(now)
      this.running.delete(ref.ref)
      log.narrate(downloadDone(now - startedAt), now)
      log.end("ready", { file: outcome.file })
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
