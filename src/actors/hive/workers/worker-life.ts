/** What a worker's chart asks for: one process from start to exit, draining it, ending it. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import type { ActorRef } from "../../core/actor.ts"
import type { ExitStatus, ProcessId, ProcessMemory } from "../../../layers/process/index.ts"
import type { WorkerApi } from "../../../protocol/worker.ts"
import type { WorkerPlan } from "../../../layers/worker-launcher/index.ts"
import type { LearnedDialect } from "../../../machines/dialect/dialect.ts"
import type { WorkerKind } from "../../../machines/kinds/kind.ts"
import { isErrorCode } from "../../../machines/errors.ts"
import { signalOf } from "../../../machines/policy/blame.ts"
import type { Shape } from "../../../machines/policy/memory/fit.ts"
import type { ControlMessage, Exactness } from "../../../machines/vocabulary/worker.ts"
import type { WorkerEvent, WorkerExit } from "../../../machines/worker-terms.ts"
import { keepDialect, knownDialect } from "../models/dialects.ts"
import { exactnessOf, type ExactRowKey, type Findings } from "./findings.ts"
import type { Ports } from "../common/ports.ts"

/** what a worker may take to end its answers, milliseconds */
const cancelMs = 1000

const wordsOf = (status: ExitStatus): string =>
  status.signal === undefined ? `exit code ${status.code ?? "unknown"}` : `killed by ${status.signal}`

/** the end of a process that never was */
const untold = { exitCode: undefined, signal: undefined, code: undefined, isEngines: false, hasRoom: true } as const

type Self = Pick<ActorRef<WorkerEvent, unknown>, "tell" | "latest">
type Failed = Extract<ControlMessage, { readonly t: "failed" }>

/** One process of a worker, as its hive holds it. */
export interface Current {
  readonly instance: string
  readonly process: ProcessId | undefined
  /** ends it as its launcher does: SIGTERM, grace, SIGKILL */
  readonly close: Effect.Effect<void>
}

export class WorkerLife {
  current: Current | undefined
  /** processes so far */
  private launches = 0
  /** what its self-test is kept under */
  private key: ExactRowKey | undefined
  /** of the process that `run` is about: completes once it is there to be ended */
  private started = Deferred.unsafeMake<Current>(FiberId.none)
  private readonly ports: Ports
  private readonly plan: Omit<WorkerPlan, "instance" | "context" | "slots">
  private readonly findings: Findings
  private readonly hasRoom: Effect.Effect<boolean>

  /** `hasRoom`: is there the memory that was booked for it, now that its process is gone? */
  constructor(
    ports: Ports,
    plan: Omit<WorkerPlan, "instance" | "context" | "slots">,
    findings: Findings,
    hasRoom: Effect.Effect<boolean>
  ) {
    this.ports = ports
    this.plan = plan
    this.findings = findings
    this.hasRoom = hasRoom
  }

  /** processes so far, less the first */
  get restarts(): number {
    return Math.max(0, this.launches - 1)
  }

  /** One process, until it is gone and all that it said was told to the chart. */
  readonly run = (shape: Shape, self: Self): Effect.Effect<WorkerExit, never, Scope.Scope> =>
    Effect.gen(this, function* () {
      this.started = yield* Deferred.make<Current>()
      const instance = yield* this.ports.ids.make("worker")
      const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
      const said = yield* Queue.unbounded<ControlMessage | "end">()
      const told = yield* Deferred.make<Failed | undefined>()
      yield* Effect.forkScoped(Effect.intoDeferred(relay(said, self, this), told))
      const { context, slots } = shape
      const { key, known } = yield* this.findings.recall(shape)
      this.key = key
      const learned = yield* knownDialect(this.ports, this.plan.modelRef)
      const plan: WorkerPlan = {
        ...this.plan,
        instance,
        context,
        slots,
        ...(known === undefined ? {} : { exactness: known }),
        ...(learned === undefined ? {} : { learned })
      }
      const launched = yield* Effect.either(
        Scope.extend(
          this.ports.launcher.launch(plan, (message) => void Queue.unsafeOffer(said, message)),
          scope
        )
      )
      if (launched._tag === "Left") {
        const { what } = launched.left
        return { ...untold, at: yield* Clock.currentTimeMillis, reason: what, lastWords: what }
      }
      const running = launched.right
      const current = { instance, process: running.process, close: Scope.close(scope, Exit.void) }
      this.current = current
      this.launches++
      yield* Deferred.succeed(this.started, current)
      yield* this.record(undefined)
      const status = yield* running.exit
      yield* Queue.offer(said, "end")
      const failed = yield* Deferred.await(told)
      const at = yield* Clock.currentTimeMillis
      const isAborted = signalOf({ exitCode: status.code, signal: status.signal }) === "SIGABRT"
      return {
        at,
        reason: failed?.what ?? wordsOf(status),
        exitCode: status.code,
        signal: status.signal,
        code: failed !== undefined && isErrorCode(failed.code) ? failed.code : undefined,
        isEngines: failed?.by === "engine",
        // a look at all devices: where nothing depends on it, it is spared
        hasRoom: isAborted ? yield* this.hasRoom : true,
        lastWords: running.lastWords().trim()
      }
    }).pipe(
      Effect.ensuring(
        Effect.suspend(() => {
          this.current = undefined
          return Effect.ignoreLogged(this.ports.catalog.workers.remove(this.plan.workerId))
        })
      )
    )

  /** Its next process need not find it out again. */
  readonly found = (exactness: Exactness): Effect.Effect<void> =>
    Effect.suspend(() => (this.key === undefined ? Effect.void : this.findings.keep(this.key, exactness)))

  readonly learned = (learned: LearnedDialect): Effect.Effect<void> =>
    keepDialect(this.ports, this.plan.modelRef, learned)

  readonly restored = (tokens: number): Effect.Effect<void> => Effect.sync(() => this.ports.parked.restored(tokens))

  /** So that the next hive finds and ends it, if this one dies without a word. */
  readonly record = (port: number | undefined): Effect.Effect<void> =>
    Effect.suspend(() => {
      const process = this.current?.process
      if (process === undefined) return Effect.void
      const { pid, start } = process
      return Effect.ignoreLogged(this.ports.catalog.workers.put({ worker: this.plan.workerId, pid, start, port }))
    })

  /** Of its process, and of its engine's where that has one; undefined where there is none of its own. */
  memory({ hasProcess }: Pick<WorkerKind, "hasProcess">): Effect.Effect<ProcessMemory | undefined> {
    return Effect.suspend(() =>
      this.current?.process === undefined
        ? Effect.succeed(undefined)
        : this.ports.processes.memory(this.current.process, hasProcess)
    )
  }

  private readonly reach = (url: string): WorkerApi =>
    this.ports.workerConnector.connect(url, this.current?.instance ?? "")

  /** Asks it to finish and go; its exit is seen by `run`. */
  readonly drain = (url: string | undefined, drainMs: number): Effect.Effect<void, unknown> =>
    url === undefined ? Effect.fail("not bound") : Effect.asVoid(this.reach(url).shutdown({ deadline_ms: drainMs }))

  /** One that does not answer is for the chart to judge. */
  readonly cancelInfers = (url: string | undefined): Effect.Effect<void> =>
    url === undefined ? Effect.void : this.reach(url).cancelInfers({}).pipe(Effect.timeout(cancelMs), Effect.ignore)

  /** One that does not hear it dies with what it knows, or is killed. */
  readonly forget = (url: string | undefined, scope: string | undefined): Effect.Effect<void> =>
    url === undefined
      ? Effect.void
      : this.reach(url)
          .forget(scope === undefined ? {} : { scope })
          .pipe(Effect.timeout(cancelMs), Effect.ignore)

  /** Ends it. Without grace it is killed at once: it would not hear. */
  readonly end = (graceMs: number): Effect.Effect<void> =>
    Effect.flatMap(
      Effect.suspend(() => Deferred.await(this.started)),
      ({ close, process }) => (process === undefined ? close : this.ports.processes.end(process, graceMs))
    )
}

const readyOf = ({
  backend,
  bits,
  context,
  exact,
  exact_how,
  slots
}: Extract<ControlMessage, { readonly t: "ready" }>) => ({
  type: "READY" as const,
  backend,
  context,
  slots,
  exactness: exact === undefined ? undefined : exactnessOf({ exact, bits, exact_how })
})

/** Tells the chart what the worker said, in order; returns how it said that it failed, if it did. */
const relay = (
  said: Queue.Dequeue<ControlMessage | "end">,
  self: Self,
  life: Pick<WorkerLife, "learned" | "restored">
): Effect.Effect<Failed | undefined> =>
  Effect.gen(function* () {
    let failed: Failed | undefined
    for (;;) {
      const message = yield* Queue.take(said)
      if (message === "end") return failed
      switch (message.t) {
        case "bound":
          // In one process there is no port.
          yield* self.tell({ type: "BOUND", port: message.port === 0 ? undefined : message.port, url: message.url })
          break
        case "loading":
          yield* self.latest("loading", { type: "LOADING", progress: message.progress })
          break
        case "ready":
          yield* self.tell(readyOf(message))
          break
        case "exact":
          yield* self.tell({ type: "EXACT", exactness: exactnessOf(message) })
          break
        case "dialect":
          yield* life.learned({ template: message.template, dialect: message.dialect })
          break
        case "restored":
          yield* life.restored(message.tokens)
          break
        case "beat":
          yield* self.latest("beat", { type: "BEAT", beat: message })
          break
        case "failed":
          failed = message
          break
      }
    }
  })
