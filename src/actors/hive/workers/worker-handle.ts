/** One worker that the hive has: its actor, what it holds, and what it says to whoever waits for it. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type { ActorRef } from "../../core/actor.ts"
import type { ChildSpec } from "../../core/supervision/child.ts"
import { machineActor } from "../../core/machine/machine-actor.ts"
import { ActorSystem } from "../../core/system.ts"
import { rbeeError } from "../../../machines/errors.ts"
import { type Failing, heldTo, ofStarting } from "../../../protocol/failures.ts"
import type { ModelFacts } from "../../../machines/formats/gguf/gguf.ts"
import { contextShrunk, type Line, notExact, workerRestart, workerWake } from "../../../machines/narration.ts"
import type { Terms, WorkerKind } from "../../../machines/kinds/kind.ts"
import type { Setup } from "../../../machines/policy/memory/setup.ts"
import { toMb } from "../../../machines/policy/memory/fit.ts"
import { plainWords } from "../../../machines/policy/blame.ts"
import { workerRestarts } from "../../../machines/policy/restart.ts"
import type { KvType } from "../../../machines/vocabulary/common.ts"
import { deviceLabel } from "../../../machines/vocabulary/device.ts"
import type { Exactness } from "../../../machines/vocabulary/worker.ts"
import { workerMachine } from "../../../machines/worker.ts"
import type { WorkerCommand, WorkerEvent, WorkerInput, WorkerOutcome } from "../../../machines/worker-terms.ts"
import { EventLog } from "../common/event-log.ts"
import { type Device, type Devices, measureKey } from "../devices/devices.ts"
import type { Identity, Ports } from "../common/ports.ts"
import { type Pair, refusal, type Verdict } from "./quarantine.ts"
import type { Snapshot } from "./worker-view.ts"
import type { WorkerLife } from "./worker-life.ts"
import type { WorkerId, ModelRef } from "../../../machines/vocabulary/ids.ts"
import { fact } from "../../../machines/facts.ts"

export interface WorkerHandleOptions {
  readonly id: WorkerId
  readonly device: Device
  readonly modelRef: ModelRef
  /** the file as it was when this worker was begun, on its device */
  readonly pair: Pair
  readonly file: string
  readonly facts: ModelFacts
  readonly kind: WorkerKind
  readonly terms: Terms
  /** what of its setup was asked for */
  readonly asked: Setup | undefined
  readonly input: WorkerInput
  readonly life: WorkerLife
}

export interface Surroundings {
  readonly ports: Ports
  readonly identity: Identity
  readonly devices: Devices
  /** a new life of the worker has a new sequence */
  readonly onLog: (id: WorkerId, log: EventLog) => void
  readonly onReady: (handle: WorkerHandle) => void
  /** settles what its end means for others, before it is told; returns whom it is charged to */
  readonly onEnded: (handle: WorkerHandle, outcome: WorkerOutcome) => Effect.Effect<Verdict>
}

/** Why a worker does not serve. Its last words may be anything; what nobody is told of comes as INTERNAL. */
export type NotStarted = Failing<typeof ofStarting>
const told = heldTo(ofStarting)

type Ref = ActorRef<WorkerEvent, Snapshot>

export class WorkerHandle {
  readonly options: WorkerHandleOptions
  /** the port of the process that serves now; waits while there is none that is bound */
  bind = Deferred.unsafeMake<number | undefined, NotStarted>(FiberId.none)
  private isBound = false
  private readonly gone = Deferred.unsafeMake<void>(FiberId.none)
  private ref: Ref | undefined
  private log: EventLog
  private readonly around: Surroundings

  constructor(options: WorkerHandleOptions, around: Surroundings) {
    this.options = options
    this.around = around
    this.log = this.newLog(0)
  }

  /** Transient: a bug in it starts it anew from its beginning; an end by itself is an outcome. */
  spec(path: string): ChildSpec<ActorSystem> {
    const { id, input, life } = this.options
    return {
      id,
      restart: "transient",
      shutdown: "10 seconds",
      kill: life.end(0),
      start: Effect.gen(this, function* () {
        const system = yield* ActorSystem
        const actor = yield* machineActor({
          path,
          machine: workerMachine,
          input,
          perform: (command, self) =>
            Effect.zipRight(observeRestart(system, path, command, self), this.perform(command, self)),
          activities: {
            run: ({ shape }, self) => Effect.scoped(life.run(shape, self)),
            drain: ({ drainMs }, self) =>
              Effect.flatMap(self.state, ({ context }) => life.drain(context.bound?.url, drainMs)),
            end: ({ graceMs }) => life.end(graceMs)
          }
        })
        this.ref = actor.ref
        yield* actor.ref.tell({ type: "START" })
        return actor
      })
    }
  }

  /** Besides its slots, which may come to be fewer. */
  get setUp(): { readonly kv_type: KvType; readonly asked?: Setup } {
    const { asked, terms } = this.options
    return { kv_type: terms.kvType, ...(asked === undefined ? {} : { asked }) }
  }

  /** Lost without a word if it has ended. */
  tell(event: WorkerEvent): Effect.Effect<void> {
    return Effect.suspend(() => this.ref?.tell(event) ?? Effect.void)
  }

  /** Running work may finish within `drainMs`; returns when its process is gone. */
  stop(drainMs: number): Effect.Effect<void> {
    return Effect.zipRight(this.tell({ type: "STOP", drainMs }), Deferred.await(this.gone))
  }

  /** Ends every answer that is decoded now. */
  readonly cancelInfers: Effect.Effect<void> = Effect.suspend(() =>
    Effect.flatMap(this.snapshot, (snapshot) =>
      snapshot !== undefined && snapshot.context.beat.busy > 0
        ? this.options.life.cancelInfers(snapshot.context.bound?.url)
        : Effect.void
    )
  )

  /** It uses nothing any more that was read for this account, or for any. */
  forget(scope: string | undefined): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.flatMap(this.snapshot, (snapshot) => this.options.life.forget(snapshot?.context.bound?.url, scope))
    )
  }

  /** Its actor is gone without an outcome: whoever waits hears that, and what it held goes back. */
  readonly abandon: Effect.Effect<void> = Effect.suspend(() => this.ended({ outcome: "stopped" }))

  /** A line to whoever waits for it. */
  say(line: Line): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => this.log.narrate(line, now))
  }

  /** Undefined: it has not been started yet. */
  readonly snapshot: Effect.Effect<Snapshot | undefined> = Effect.suspend(
    (): Effect.Effect<Snapshot | undefined> => this.ref?.state ?? Effect.succeed(undefined)
  )

  private newLog(before: number): EventLog {
    const { id, modelRef } = this.options
    const log = new EventLog({ hiveId: this.around.identity.id, workerId: id, modelRef }, before)
    this.around.onLog(id, log)
    return log
  }

  /** The chart's commands, as lines and events of this life. Short, and never fails. */
  private perform(command: WorkerCommand, self: Ref): Effect.Effect<void> {
    const { id, device, facts, file, kind } = this.options
    const { ledger } = this.around.devices
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      switch (command.type) {
        case "bound":
          this.log.narrate(workerWake(command.port, file), now)
          this.isBound = true
          return Effect.zipRight(Deferred.succeed(this.bind, command.port), this.options.life.record(command.port))
        case "progress":
          this.log.progress({ stage: "load", received: command.progress * facts.fileBytes, total: facts.fileBytes })
          return Effect.void
        case "ready":
          this.around.onReady(this)
          // measured first: who waits is told what it really takes
          return Effect.flatMap(self.state, (snapshot) =>
            Effect.zipRight(
              this.settle(snapshot),
              Effect.sync(() => this.ready(snapshot, now))
            )
          )
        case "exact":
          return Effect.zipRight(this.options.life.found(command.exactness), this.judgeExact(command.exactness))
        case "restarting":
          this.restarting(command, now)
          return Effect.zipRight(
            Effect.ignoreLogged(ledger.renew(id, Number.MAX_SAFE_INTEGER)),
            Effect.logWarning(`worker ${id}: ${command.reason}; restarting (${command.n}/${workerRestarts.max})`)
          )
        case "shrunk":
          if (command.to.context < command.from.context) {
            this.log.narrate(contextShrunk(command.from.context, command.to.context, device.id), now)
          }
          return Effect.ignoreLogged(ledger.renew(id, kind.memory.bytes(facts, command.to, this.options.terms)))
        case "ended":
          return this.ended(command.outcome)
      }
    })
  }

  /** It took its memory: the ledger and the next estimate go by what was measured, if that is more. */
  private settle({ context: { shape } }: Snapshot): Effect.Effect<void> {
    const { id, device, facts, file, kind, life, terms } = this.options
    const { devices, ports } = this.around
    return Effect.gen(function* () {
      // On a GPU that is there the process's own memory says nothing about the device's.
      const memory = device.backend === "cpu" ? yield* life.memory(kind) : undefined
      // The first long prompt will take the buffers that are only reserved now.
      const bytes = memory === undefined ? 0 : memory.resident + kind.memory.laterBytes(facts, shape, terms)
      yield* devices.settle(id, bytes, device.isDeclared ? undefined : memory?.own)
      if (bytes > 0)
        yield* ports.catalog.measured.put({ key: measureKey(device.id, file, shape, terms.kvType, kind), bytes })
    }).pipe(Effect.ignoreLogged)
  }

  /** It was to be exact, and is known not to be. */
  private refusal(exactness: Exactness | undefined): Line | undefined {
    const isAsked = this.around.ports.settings.worker.exact === "always"
    return isAsked && exactness?.exact === false ? notExact(exactness.exact_how) : undefined
  }

  /** Nobody waits for it any more when its test is done. */
  private judgeExact(exactness: Exactness): Effect.Effect<void> {
    const refused = this.refusal(exactness)
    return refused === undefined ? Effect.void : Effect.logWarning(`worker ${this.options.id}: ${refused.human}`)
  }

  private ready({ context }: Snapshot, now: number): void {
    const { device, id, life } = this.options
    if (context.ready === undefined || context.bound === undefined) return
    const { port, url } = context.bound
    const { exactness: { threads: _, ...exactness } = {}, ...ready } = context.ready
    const bytes = this.around.devices.ledger.bytesOf(id)
    const refused = this.refusal(context.ready.exactness)
    if (refused !== undefined) this.log.narrate(refused, now)
    this.log.end("ready", {
      instance: life.current?.instance ?? "",
      ...(port === undefined ? {} : { port }),
      url,
      ...ready,
      ...this.setUp,
      ...exactness,
      ...(bytes === undefined ? {} : { memory_mb: toMb(bytes) }),
      ...(device.isDeclared ? { backend: device.name.toUpperCase() } : {})
    })
  }

  private restarting(command: Extract<WorkerCommand, { readonly type: "restarting" }>, now: number): void {
    // A crash after it was ready begins a new life: who waited for the old one has its answer.
    if (this.log.ended) this.log = this.newLog(this.log.lastId)
    if (command.boot)
      this.log.narrate(workerRestart(this.options.id, command.reason, command.n, workerRestarts.max), now)
    // Nobody is asked to wait for a port that is gone.
    if (this.isBound) this.bind = Deferred.unsafeMake(FiberId.none)
    this.isBound = false
  }

  private ended(outcome: WorkerOutcome): Effect.Effect<void> {
    const { id } = this.options
    return Effect.gen(this, function* () {
      // Its process is gone by now: the chart saw the exit.
      yield* Effect.ignoreLogged(this.around.devices.ledger.release(id))
      const verdict = yield* this.around.onEnded(this, outcome)
      const failure = failureOf(this.options, outcome, verdict)
      const { code, message, details } = failure
      const [attempts, last_words] = [fact(failure, "attempts"), fact(failure, "last_words")]
      this.log.end("failed", { code, message, attempts, last_words, details })
      yield* Deferred.fail(this.bind, failure)
      yield* Deferred.succeed(this.gone, undefined)
      if (outcome.outcome === "failed") yield* Effect.logError(`${failure.what}; last words: ${outcome.lastWords}`)
    })
  }
}

const failureOf = ({ id, pair }: WorkerHandleOptions, outcome: WorkerOutcome, verdict: Verdict): NotStarted => {
  if (outcome.outcome === "stopped") {
    return rbeeError("SHUTTING_DOWN", `worker ${id} was stopped`, "Ask for it again", {
      reason: "stopped",
      attempts: 0
    })
  }
  const { attempts, reason } = outcome
  const words = plainWords(outcome.lastWords)
  // whose events tell of every try, also of one that never bound
  const about = { worker_id: id, attempts }
  if (verdict === "file") return refusal(pair, { reason, words }, about)
  // what was taken for the file's doing, and was the device's
  const code = verdict === "device" ? "WORKER_START_FAILED" : outcome.code
  const lastWords = words === "" || words === reason ? "" : `; its last words: ${words}`
  const tries = `${attempts} ${attempts === 1 ? "try" : "tries"}`
  const what = `worker ${id} on ${deviceLabel(pair.device)} failed after ${tries}: ${reason}${lastWords}`
  return told(
    rbeeError(code, what, "See `rbee logs worker`", {
      ...about,
      ...(code === "WORKER_START_FAILED" ? { status: 500 } : {}),
      ...(verdict === "device" ? { degraded: true } : {}),
      reason,
      last_words: words,
      device: pair.device
    })
  )
}

/** The restart of its process, for who watches: a chart keeps count and backoff, where a supervisor has only a fuse. */
const observeRestart = (
  system: ActorSystem["Type"],
  path: string,
  command: WorkerCommand,
  self: Ref
): Effect.Effect<void> =>
  command.type !== "restarting" || !system.watched()
    ? Effect.void
    : Effect.map(self.state, ({ context: { backoffMs } }) => {
        const { max, periodMs } = workerRestarts
        const { n, reason } = command
        const restarts = { count: n, max, period_ms: periodMs }
        system.publish({
          type: "supervision",
          path,
          child: "process",
          context: "restarting",
          reason,
          restarts,
          backoffMs
        })
      })
