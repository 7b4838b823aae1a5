/** Workers in this process, for `--one-process` and for tests: the same worker actor, without a port and a process. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { type LoadFailure, makeWorker } from "../../actors/worker/worker.ts"
import type { RbeeError } from "../../machines/errors.ts"
import { InProcessNetwork, inProcessUrl } from "../../layers/transport/in-process/network.ts"
import type { Engine } from "../../layers/engine/index.ts"
import type { Ids } from "../../layers/ids/index.ts"
import type { ExitStatus } from "../../layers/process/index.ts"
import type { CurrentSettings } from "../../layers/settings/index.ts"
import type { Turns } from "../../layers/turns/index.ts"
import { workerApi } from "../../protocol/worker.ts"
import { loadFailedCode, WorkerLauncher, type WorkerPlan } from "../../layers/worker-launcher/index.ts"

type Life = Exit.Exit<void, LoadFailure | RbeeError<"CONFLICT">>

/** As the worker program exits. */
const statusOf = (life: Life): ExitStatus => {
  if (Exit.isSuccess(life) || Cause.isInterruptedOnly(life.cause)) return { code: 0, signal: undefined }
  return { code: Cause.isFailure(life.cause) ? loadFailedCode : 1, signal: undefined }
}

const wordsOf = (life: Life): string => {
  if (Exit.isSuccess(life) || Cause.isInterruptedOnly(life.cause)) return ""
  const failure = Cause.failureOption(life.cause)
  return failure._tag === "Some" ? failure.value.message : Cause.pretty(life.cause)
}

/** `engineOf`: the engine that a plan asks for. */
export const layerInProcess = (
  engineOf: (plan: WorkerPlan) => Layer.Layer<Engine>
): Layer.Layer<WorkerLauncher, never, Ids | Turns | CurrentSettings | InProcessNetwork> =>
  Layer.effect(
    WorkerLauncher,
    Effect.gen(function* () {
      const network = yield* InProcessNetwork
      const context = yield* Effect.context<Ids | Turns | CurrentSettings>()
      return {
        launch: (plan, onMessage) =>
          Effect.gen(function* () {
            const url = inProcessUrl("worker", plan.workerId)
            const exit = yield* Deferred.make<ExitStatus>()
            let words = ""
            const life = Effect.gen(function* () {
              const worker = yield* makeWorker({ plan, pid: process.pid, tell: onMessage })
              yield* network.listen(url, workerApi, worker.api)
              // before the streams break, their readers hear why
              yield* Effect.addFinalizer(() => worker.shutdown(0))
              onMessage({ t: "bound", port: 0, url })
              yield* worker.run
            }).pipe(Effect.scoped, Effect.provide(engineOf(plan)), Effect.provide(context))
            // begun uninterruptibly, so that its end is reported however early it is stopped
            yield* Effect.uninterruptibleMask((restore) =>
              restore(life).pipe(
                Effect.onExit((ended) => {
                  words = wordsOf(ended)
                  return Deferred.succeed(exit, statusOf(ended))
                }),
                Effect.forkScoped
              )
            )
            return { process: undefined, exit: Deferred.await(exit), lastWords: () => words }
          })
      }
    })
  )
