/**
 * The worker: one loaded model that answers (docs/api.md#worker). It is what runs inside a worker process; its
 * supervised chart lives in the hive, which hears of it by control messages only.
 *
 * loading → healthy {idle, busy} → draining → ended.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Scope from "effect/Scope"
import { Engine, type LoadOptions } from "../../layers/engine/index.ts"
import type { Ids } from "../../layers/ids/index.ts"
import { CurrentSettings } from "../../layers/settings/index.ts"
import { Turns } from "../../layers/turns/index.ts"
import type { WorkerApi } from "../../protocol/worker.ts"
import type { RbeeError } from "../../machines/errors.ts"
import { Answers } from "./answers.ts"
import { workerApiOf } from "./api.ts"
import { shuttingDown, type WorkerOptions, type WorkerStatus } from "./status.ts"
import { fact } from "../../machines/facts.ts"

export type { WorkerOptions } from "./status.ts"

const beatEvery = "1 second"
/** milliseconds between two reports of load progress: at most four a second */
const loadingEveryMs = 250

export type LoadFailure = RbeeError<"MODEL_INVALID" | "VRAM_EXHAUSTED" | "BACKEND_UNAVAILABLE">

export interface Worker {
  readonly api: WorkerApi
  /**
   * Loads the model and serves until a shutdown has drained it. Tells `loading` and `ready`, and a `beat` each second
   * from the start. An expected failure to load is told (`failed`) and fails this effect.
   */
  readonly run: Effect.Effect<void, LoadFailure>
  /**
   * Refuses new work from now on; what runs may finish for `deadlineMs`, then it ends with SHUTTING_DOWN. Returns when
   * nothing runs; then `run` completes. Asked again, the shorter time counts.
   */
  readonly shutdown: (deadlineMs: number) => Effect.Effect<void>
}

// long: one worker's steps over its one status, each of them short
export const makeWorker = (
  options: WorkerOptions
): Effect.Effect<Worker, never, Scope.Scope | Engine | Ids | Turns | CurrentSettings> =>
  Effect.gen(function* () {
    const { plan, tell } = options
    // of the model and its answers: closed after whatever the caller adds to its own scope, such as a last shutdown
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const engine = yield* Engine
    const turns = yield* Turns
    const clock = yield* Effect.clock
    const runtime = yield* Effect.runtime<never>()
    const settings = yield* CurrentSettings
    const ended = yield* Deferred.make<void>()
    const status: WorkerStatus = {
      loaded: 0,
      answers: undefined,
      slots: plan.slots,
      draining: false,
      forget: () => undefined
    }
    let loadSteps = 0
    let batches = (): number => 0
    /** what its slots hold goes to files, which its successor reads */
    let park: Effect.Effect<void> = Effect.void

    const beat = (): void => {
      const running = status.answers?.running() ?? []
      tell({
        t: "beat",
        busy: running.length,
        tokens_out: status.answers?.tokensOut ?? 0,
        progress: loadSteps + batches(),
        infers: running.map(({ alone, epoch, jobId, next }) => ({
          job_id: jobId,
          epoch,
          next,
          ...(alone ? { alone } : {})
        }))
      })
    }
    const beating = Effect.forever(
      Effect.sleep(beatEvery).pipe(
        Effect.zipRight(Effect.sync(beat)),
        Effect.zipRight(Effect.suspend(() => status.answers?.sweep ?? Effect.void))
      )
    )

    let toldAt = Number.NEGATIVE_INFINITY
    const onProgress: LoadOptions["onProgress"] = (fraction) => {
      if (fraction <= status.loaded) return
      loadSteps++
      status.loaded = fraction
      const now = clock.unsafeCurrentTimeMillis()
      if (now - toldAt < loadingEveryMs) return
      toldAt = now
      tell({ t: "loading", progress: fraction })
    }
    const onRuntime: LoadOptions["onRuntime"] = () => tell({ t: "loading", progress: 0 })
    const { exact, threads, maxTokensPerS } = settings.worker
    const load = engine
      .load({
        modelPath: plan.modelPath,
        slots: plan.slots,
        exact,
        onProgress,
        onRuntime,
        onExact: (exactness) => tell({ t: "exact", ...exactness }),
        onRestored: (tokens) => tell({ t: "restored", tokens }),
        onLearned: (learned) => tell({ t: "dialect", ...learned }),
        ...(plan.learned === undefined ? {} : { learned: plan.learned }),
        ...(plan.exactness === undefined ? {} : { exactness: plan.exactness }),
        ...(plan.context === undefined ? {} : { context: plan.context }),
        ...(plan.kvType === undefined ? {} : { kvType: plan.kvType }),
        ...(plan.projector === undefined ? {} : { projector: plan.projector }),
        ...(plan.parking === undefined ? {} : { parking: plan.parking }),
        ...(threads === undefined ? {} : { threads }),
        ...(maxTokensPerS === undefined ? {} : { maxTokensPerS })
      })
      .pipe(
        Scope.extend(scope),
        Effect.tap((model) =>
          Effect.sync(() => {
            status.loaded = 1
            status.slots = model.slots
            status.answers = new Answers({ model, clock, scope, runtime, atEndOfTurn: turns.atEndOfTurn, beat })
            batches = model.progress
            park = model.parking?.all ?? Effect.void
            status.forget = model.parking?.forget ?? status.forget
            const { backend, context, slots } = model
            tell({ t: "ready", backend, context, slots, ...model.exactness() })
          })
        ),
        Effect.tapError((error) =>
          Effect.sync(() => {
            const { code, todo, what } = error
            const by = fact(error, "by")
            tell({ t: "failed", code, what, todo, ...(by === undefined ? {} : { by }) })
          })
        )
      )

    const drain = (deadlineMs: number): Effect.Effect<void> => {
      const { answers } = status
      if (answers === undefined) return Effect.void
      const cut = Effect.zipRight(Effect.sleep(deadlineMs), answers.endAll(shuttingDown()))
      return Effect.zipRight(Effect.raceFirst(answers.idle, cut), answers.idle)
    }
    const shutdown = (deadlineMs: number): Effect.Effect<void> =>
      Effect.suspend(() => {
        status.draining = true
        return drain(deadlineMs).pipe(
          Effect.zipRight(Effect.suspend(() => park)),
          Effect.zipRight(Deferred.succeed(ended, undefined))
        )
      })

    return {
      api: yield* workerApiOf({ ...options, status, shutdown, scope }),
      run: Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.forkScoped(beating)
          yield* Effect.raceFirst(load, Deferred.await(ended))
          yield* Deferred.await(ended)
        })
      ),
      shutdown
    }
  })
