/**
 * The workers of a hive: whom a request may join, what a new one may take, and who is where. Starting is one at a time
 * up to the booking, so that two requests for the same model on one device end with one worker.
 */
import * as Deferred from "effect/Deferred"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { SupervisorRef } from "../../core/supervision/supervisor.ts"
import type { ActorSystem } from "../../core/system.ts"
import type { ModelRow } from "../../../layers/hive-catalog/index.ts"
import type { Fits } from "../../../layers/models/index.ts"
import type { RuntimePlace } from "../../../layers/runtimes/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { typedWord } from "../../../machines/formats/shell-quote.ts"
import { kindFor, runtimeName, type Terms, type WorkerKind } from "../../../machines/kinds/kind.ts"
import type { ModelFacts } from "../../../machines/formats/gguf/gguf.ts"
import { contextChosen, contextShrunk, kvTypeKept } from "../../../machines/narration.ts"
import { usualContext } from "../../../machines/policy/memory/context.ts"
import { otherSetup, setupOf } from "../../../machines/policy/memory/setup.ts"
import { fit, largestContext, type Need, type Shape, type Wanted } from "../../../machines/policy/memory/fit.ts"
import type { KindId, RuntimeName } from "../../../machines/vocabulary/kind.ts"
import type { KvType } from "../../../machines/vocabulary/common.ts"
import type { WorkerBeat } from "../../../machines/vocabulary/worker.ts"
import { workerLimits, type WorkerOutcome } from "../../../machines/worker-terms.ts"
import { CurrentLogs, type EventLogs } from "../common/event-log.ts"
import { Findings } from "./findings.ts"
import { CurrentDevices, type Device, type Devices, measureKey, type Most, noRoom } from "../devices/devices.ts"
import { Parts } from "../common/parts.ts"
import { CurrentHive, HiveWorld, type Identity, type Ports } from "../common/ports.ts"
import { type Pair, Quarantine, type Verdict } from "./quarantine.ts"
import { type NotStarted, WorkerHandle } from "./worker-handle.ts"
import { beatOf, isInUse, isJoinable, isServing, shapeOf } from "./worker-view.ts"
import { WorkerLife } from "./worker-life.ts"
import { WorkerId, type DeviceId } from "../../../machines/vocabulary/ids.ts"

/** How long memory is waited for whose process has gone. */
const memoryBackEvery = "100 millis"
const memoryBackLooks = 20
/** tokens; what a model should have room for that is chosen for a device */
const modestContext = 4096

export interface StartRequest extends Wanted {
  readonly device: Device
  readonly model: ModelRow
  readonly portHint: number | undefined
  readonly pin: boolean
  /** workers that may be unloaded for it */
  readonly evict: ReadonlyArray<WorkerId>
}

/** What is settled of a worker before it is made. */
interface Beginning {
  readonly id: WorkerId
  readonly kind: WorkerKind
  readonly pair: Pair
  readonly facts: ModelFacts
  readonly pinned: boolean
  readonly shape: Shape
  readonly runtime: RuntimePlace
}

export class CurrentWorkers extends Context.Tag("rbee/hive/Workers")<CurrentWorkers, Workers>() {}

export class Workers {
  private readonly handles = new Map<WorkerId, WorkerHandle>()
  private readonly starting = Effect.unsafeMakeSemaphore(1)
  private readonly ports: Ports
  private readonly identity: Identity
  private readonly devices: Devices
  private readonly logs: EventLogs
  private readonly supervisor: SupervisorRef
  readonly quarantine: Quarantine

  constructor(ports: Ports, identity: Identity, devices: Devices, logs: EventLogs, supervisor: SupervisorRef) {
    this.ports = ports
    this.quarantine = new Quarantine(ports, devices)
    this.identity = identity
    this.devices = devices
    this.logs = logs
    this.supervisor = supervisor
  }

  /** `children`: the supervisor that starts them. */
  static over(children: SupervisorRef) {
    return Effect.gen(function* () {
      const devices = yield* (yield* Parts).get(CurrentDevices)
      return new Workers(yield* HiveWorld, yield* CurrentHive, devices, yield* CurrentLogs, children)
    })
  }

  get count(): number {
    return this.handles.size
  }

  usesFile(file: string): boolean {
    return [...this.handles.values()].some(({ options }) => options.file === file)
  }

  /** Does this while no worker uses the model, and none begins to. */
  unlessUsed<A, E>(
    { file, ref }: Pick<ModelRow, "file" | "ref">,
    effect: Effect.Effect<A, E>
  ): Effect.Effect<A, E | RbeeError<"CONFLICT">> {
    return this.starting.withPermits(1)(
      Effect.suspend((): Effect.Effect<A, E | RbeeError<"CONFLICT">> =>
        this.usesFile(file)
          ? Effect.fail(
              rbeeError("CONFLICT", `model ${ref} is in use by a worker`, `Unload it: \`rbee stop ${typedWord(ref)}\``)
            )
          : effect
      )
    )
  }

  /** Joins a worker or starts one; returns when it has bound its port. */
  start(
    request: StartRequest
  ): Effect.Effect<{ readonly id: WorkerId; readonly port: number | undefined }, NotStarted, ActorSystem> {
    return Effect.gen(this, function* () {
      const handle = yield* this.starting.withPermits(1)(this.joinOrBegin(request))
      const port = yield* Deferred.await(handle.bind)
      return { id: handle.options.id, port }
    })
  }

  /** A worker that serves this already, or will soon. */
  joinable(device: DeviceId, file: string, wanted: Wanted): Effect.Effect<WorkerHandle | undefined> {
    return Effect.gen(this, function* () {
      for (const handle of this.handles.values()) {
        if (handle.options.device.id !== device || handle.options.file !== file) continue
        const snapshot = yield* handle.snapshot
        if (snapshot === undefined || !isJoinable(snapshot)) continue
        const { context, slots } = shapeOf(snapshot)
        const has = { ...handle.setUp, slots }
        if (context >= (wanted.context ?? 0) && otherSetup(wanted, has) === undefined) return handle
      }
      return undefined
    })
  }

  /** Refuses a model whose file is not tried on this device now. */
  admits(model: ModelRow, device: Device, engine?: KindId): ReturnType<Quarantine["admit"]> {
    return Effect.flatMap(this.quarantine.pair(model, device, engine), (pair) => this.quarantine.admit(pair))
  }

  /** What was asked for, within what the model can do; the settings fill in what was left open. */
  wanted(facts: ModelFacts, asked: Wanted): Wanted {
    const context = asked.context ?? this.ports.settings.worker.context
    return { ...asked, context: context === undefined ? undefined : Math.min(context, facts.trainedContext) }
  }

  /** The kind of worker that serves a model. */
  kind({ ref }: Pick<ModelRow, "ref">, engine?: KindId): WorkerKind {
    return kindFor(this.ports.kinds, ref, engine)
  }

  /** With what lies beside the model, where its worker can use it. */
  facts({ takes }: WorkerKind, file: string, facts: ModelFacts): Effect.Effect<ModelFacts> {
    if (!takes.images || facts.measures !== undefined) return Effect.succeed(facts)
    return Effect.map(this.ports.models.projector(file, facts.embedding), (projector) =>
      projector === undefined ? facts : { ...facts, projector }
    )
  }

  /** Has the device room for a model, with the context that is asked for or a usual one? `gone`: workers that would make room. */
  fits(model: Pick<ModelRow, "ref">, device: Device, asked: Wanted, gone: ReadonlySet<string>): Fits {
    const kind = this.kind(model, asked.engine)
    return (facts) => {
      const context = Math.min(facts.trainedContext, this.wanted(facts, asked).context ?? modestContext)
      const available = this.devices.ledger.available(device.supply, gone)
      const need = this.need(kind, device, facts, asked.kv_type)
      return fit(need, facts.trainedContext, { context, slots: asked.slots ?? 1 }, 1, available).fits
    }
  }

  /**
   * What the device could give for one slot of a model if others went. While one of them begins, or has only just gone,
   * the device's own figures are those of the moment and say nothing of it.
   */
  most(kind: WorkerKind, device: Device, facts: ModelFacts, kvType?: KvType): Effect.Effect<Most> {
    return Effect.gen(this, function* () {
      const { ledger } = this.devices
      const here = [...this.handles.values()].filter(({ options }) => options.device.id === device.id)
      const unpinned = new Set<string>()
      let isMoving = yield* this.devices.isComingBack(device.id)
      for (const { options, snapshot } of here) {
        const now = yield* snapshot
        if (now?.context.pinned !== true) unpinned.add(options.id)
        if (now === undefined || !isServing(now)) isMoving = true
      }
      const without = (gone: ReadonlySet<string>) =>
        isMoving ? ledger.conceivable(device.supply, gone) : ledger.available(device.supply, gone)
      const alone = without(new Set(here.map(({ options }) => options.id)))
      const need = this.need(kind, device, facts, kvType)
      return { bytes: without(unpinned), context: largestContext(need, facts.trainedContext, kind.memory.step, alone) }
    })
  }

  /** What would run a model there. */
  private terms({ memory }: WorkerKind, { backend, hasTiles }: Device, facts: ModelFacts, kvType?: KvType): Terms {
    return memory.terms(facts, { backend, hasTiles }, kvType ?? this.ports.settings.worker.kvType)
  }

  /** What it would take there, by estimate. */
  private need(kind: WorkerKind, device: Device, facts: ModelFacts, kvType: KvType | undefined): Need {
    const terms = this.terms(kind, device, facts, kvType)
    return (shape) => kind.memory.bytes(facts, shape, terms)
  }

  /** The largest shape for a room, by estimate and by what was measured here before. */
  chooser(kind: WorkerKind, device: Device, file: string, facts: ModelFacts, wanted: Wanted) {
    const { catalog, settings } = this.ports
    const { kvType } = this.terms(kind, device, facts, wanted.kv_type)
    const estimated = this.need(kind, device, facts, wanted.kv_type)
    return Effect.map(catalog.measured.all, (rows) => {
      const measured = new Map(rows.map(({ bytes, key }) => [key, bytes]))
      // what an earlier worker really took only ever corrects upwards
      const need: Need = (shape) =>
        Math.max(estimated(shape), measured.get(measureKey(device.id, file, shape, kvType, kind)) ?? 0)
      const usual = usualContext(facts.trainedContext, facts.measures !== undefined)
      return (available: number) => fit(need, usual, wanted, settings.worker.slots, available)
    })
  }

  private joinOrBegin(request: StartRequest): Effect.Effect<WorkerHandle, NotStarted, ActorSystem> {
    const { device, model, pin } = request
    return Effect.gen(this, function* () {
      const kind = this.kind(model, request.engine)
      const facts = yield* this.facts(kind, model.file, yield* this.ports.models.inspect(model.file))
      const wanted = this.wanted(facts, request)
      // of a catalog that is older than this number
      if (model.tokenBytes === undefined && facts.tokenBytes !== undefined)
        yield* this.ports.catalog.models.mark(model.ref, { tokenBytes: facts.tokenBytes })
      if (pin) yield* this.ports.catalog.pins.put({ device: device.id, file: model.file })
      const joined = yield* this.joinable(device.id, model.file, wanted)
      if (joined !== undefined) {
        yield* joined.tell({ type: "JOIN", pin })
        return joined
      }
      yield* this.devices.inService(device.id)
      const pair = yield* this.quarantine.pair(model, device, wanted.engine)
      yield* this.quarantine.admit(pair)
      // Who asked may leave meanwhile: what was booked is started all the same.
      return yield* Effect.uninterruptible(this.begin(request, pair, facts, wanted))
    })
  }

  private begin(
    request: StartRequest,
    pair: Pair,
    facts: ModelFacts,
    wanted: Wanted
  ): Effect.Effect<WorkerHandle, NotStarted, ActorSystem> {
    const { device, model, pin } = request
    const { runtimes, ids, catalog } = this.ports
    return Effect.gen(this, function* () {
      const kind = this.kind(model, wanted.engine)
      const runtime = yield* runtimes.find(kind.id, device.backend)
      if (runtime === undefined) return yield* Effect.fail(noRuntime(runtimeName(kind, device.backend)))
      const pinned =
        pin || (yield* catalog.pins.all).some((each) => each.device === device.id && each.file === model.file)
      const id = WorkerId.make(yield* ids.make("w"))
      const shape = yield* this.book(id, kind, request, facts, wanted)
      const handle = this.handle({ id, kind, pair, facts, pinned, shape, runtime }, request)
      const usual = wanted.context ?? usualContext(facts.trainedContext, facts.measures !== undefined)
      const { context } = shape
      if (context < usual) yield* handle.say(contextShrunk(usual, context, device.id))
      else if (wanted.context === undefined && context < facts.trainedContext)
        yield* handle.say(contextChosen(context, facts.trainedContext))
      const { kvType } = handle.options.terms
      if (wanted.kv_type !== undefined && kvType !== wanted.kv_type)
        yield* handle.say(kvTypeKept(kvType, wanted.kv_type))
      this.handles.set(id, handle)
      yield* Effect.logInfo(`worker ${id} starts`, { device: device.id, model: model.ref, ...shape })
      yield* this.startActor(handle)
      return handle
    })
  }

  /** The largest shape that there is room for, once others have gone that may; from now on its memory is spoken for. */
  private book(
    id: WorkerId,
    kind: WorkerKind,
    { device, evict, model }: StartRequest,
    facts: ModelFacts,
    wanted: Wanted
  ): Effect.Effect<Shape, NotStarted> {
    const { ledger } = this.devices
    return Effect.gen(this, function* () {
      const choose = yield* this.chooser(kind, device, model.file, facts, wanted)
      const { supply } = yield* this.makeRoom(device, evict, (now) => choose(ledger.available(now)).fits)
      const booked = yield* ledger.book(id, id, supply, (available) => {
        const chosen = choose(available)
        return chosen.fits ? chosen : undefined
      })
      if (booked !== undefined) return booked.shape
      const available = ledger.available(supply)
      return yield* Effect.fail(noRoom(device.id, choose(available).bytes, available))
    })
  }

  private handle(
    { facts, id, kind, pair, pinned, runtime, shape }: Beginning,
    { device, engine, kv_type, model, portHint, slots }: StartRequest
  ): WorkerHandle {
    const { devices, ports } = this
    const { settings, catalog } = ports
    const terms = this.terms(kind, device, facts, kv_type)
    const parking = ports.parked.placeOf(model.file)
    const plan = {
      workerId: id,
      kind: kind.id,
      ...terms,
      ...(device.uuid === undefined ? {} : { gpuUuid: device.uuid }),
      modelPath: model.file,
      modelRef: model.ref,
      portHint: portHint ?? settings.worker.portBase,
      ...(facts.projector === undefined ? {} : { projector: facts.projector.file }),
      ...(parking === undefined ? {} : { parking }),
      ...(runtime.folder === undefined ? {} : { runtime: runtime.folder }),
      ...(runtime.args === undefined ? {} : { runtimeArgs: runtime.args })
    }
    const findings = new Findings({
      catalog,
      pair: this.quarantine.pair(model, device, engine),
      kvType: terms.kvType,
      exact: settings.worker.exact
    })
    const input = {
      id,
      shape,
      pinned,
      expectedBatchMs: kind.expectedBatchMs(facts),
      failures: kind.failures,
      limits: { ...workerLimits, idleMs: settings.worker.idleMs, drainMs: settings.shutdown.drainMs }
    }
    const life = new WorkerLife(ports, plan, findings, devices.hasRoomAgain(id, device.id))
    return new WorkerHandle(
      {
        id,
        device,
        modelRef: model.ref,
        file: model.file,
        pair,
        facts,
        kind,
        terms,
        asked: setupOf({ engine, kv_type, slots }),
        input,
        life
      },
      {
        ports,
        identity: this.identity,
        devices,
        onLog: (worker, log) => this.logs.set(worker, log),
        onReady: ({ options }) => this.quarantine.worked(options.pair),
        onEnded: (ended, outcome) => this.ended(ended, outcome)
      }
    )
  }

  /** One that cannot be started gives back what was booked for it. */
  private startActor(handle: WorkerHandle): Effect.Effect<void, RbeeError<"WORKER_START_FAILED">, ActorSystem> {
    const { id } = handle.options
    return this.supervisor.startChild(handle.spec(`hive/workers/${id}`)).pipe(
      Effect.catchAllCause((cause) =>
        Effect.gen(this, function* () {
          yield* Effect.logError("worker actor not started", cause)
          yield* Effect.ignoreLogged(this.devices.ledger.release(id))
          this.handles.delete(id)
          return yield* Effect.fail(
            rbeeError("WORKER_START_FAILED", `worker ${id} could not be started`, "See the hive's log")
          )
        })
      )
    )
  }

  /**
   * Unloads workers until there is room; they finish what they have, and pinned ones stay. Returns the device as it is
   * then: a driver gives memory back a moment after the process has gone.
   */
  private makeRoom(
    device: Device,
    evict: ReadonlyArray<WorkerId>,
    isRoom: (supply: Device["supply"]) => boolean
  ): Effect.Effect<Device, RbeeError<"NOT_FOUND">> {
    return Effect.gen(this, function* () {
      let now = device
      let isSomebodyGone = false
      for (const id of evict) {
        const handle = this.handles.get(id)
        const snapshot = yield* handle?.snapshot ?? Effect.succeed(undefined)
        if (handle === undefined || snapshot?.context.pinned === true || isRoom(now.supply)) continue
        yield* handle.stop(this.ports.settings.shutdown.drainMs)
        isSomebodyGone = true
        now = yield* this.devices.device(device.id, true)
      }
      if (!isSomebodyGone) return now
      for (let look = 0; look < memoryBackLooks && !isRoom(now.supply); look++) {
        yield* Effect.sleep(memoryBackEvery)
        now = yield* this.devices.device(device.id, true)
      }
      return now
    })
  }

  private ended({ options: { device, id, pair } }: WorkerHandle, outcome: WorkerOutcome): Effect.Effect<Verdict> {
    return Effect.suspend(() => {
      this.handles.delete(id)
      const verdict =
        outcome.outcome === "failed" ? this.quarantine.charge(pair, device, outcome) : Effect.succeed<Verdict>("none")
      return Effect.zipRight(this.devices.left(device.id), verdict)
    })
  }

  readonly beats: Effect.Effect<ReadonlyArray<WorkerBeat>> = Effect.suspend(() =>
    Effect.map(
      Effect.forEach([...this.handles.values()], (handle) =>
        Effect.map(handle.snapshot, (snapshot) =>
          snapshot === undefined
            ? []
            : [beatOf(handle, snapshot, handle.options.life, this.devices.ledger.bytesOf(handle.options.id))]
        )
      ),
      (beats) => beats.flat()
    )
  )

  /** Something is under way, or was promised to stay (`pinnedCounts`). */
  inUse(pinnedCounts: boolean): Effect.Effect<boolean> {
    return Effect.exists(this.handles.values(), (handle) =>
      Effect.map(
        handle.snapshot,
        (snapshot) => snapshot !== undefined && (isInUse(snapshot) || (pinnedCounts && snapshot.context.pinned))
      )
    )
  }

  /** Drains it and waits until it is gone. A pin ends with the worker that somebody stopped by hand. */
  stop(id: WorkerId, drainMs: number): Effect.Effect<void, RbeeError<"WORKER_NOT_FOUND">> {
    return Effect.suspend(() => {
      const handle = this.handles.get(id)
      if (handle === undefined) {
        return Effect.fail(rbeeError("WORKER_NOT_FOUND", `this hive has no worker ${id}`, "See `rbee workers ls`"))
      }
      const { device, file } = handle.options
      return Effect.zipRight(
        handle.stop(drainMs),
        Effect.ignoreLogged(this.ports.catalog.pins.remove({ device: device.id, file }))
      )
    })
  }

  /** Ends every answer; the workers stay. */
  readonly cancelInfers: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach([...this.handles.values()], (handle) => handle.cancelInfers, {
      concurrency: "unbounded",
      discard: true
    })
  )

  /** Nobody uses any more what was read for this account, or for any. */
  forget(scope: string | undefined): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.handles.values()], (handle) => handle.forget(scope), {
        concurrency: "unbounded",
        discard: true
      })
    )
  }

  /** Ends what its actors can no longer end; their processes are gone by now. */
  readonly abandon: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach([...this.handles.values()], (handle) => handle.abandon, { discard: true })
  )

  /** All at once; returns when they are gone. */
  stopAll(drainMs: number): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.handles.values()], (handle) => handle.stop(drainMs), {
        concurrency: "unbounded",
        discard: true
      })
    )
  }
}

const noRuntime = (name: RuntimeName): RbeeError<"BACKEND_UNAVAILABLE"> =>
  rbeeError(
    "BACKEND_UNAVAILABLE",
    `worker ${name} is not installed on this hive`,
    "Prepare it first, or choose another device"
  )
