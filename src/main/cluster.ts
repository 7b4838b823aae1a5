/**
 * The library: a whole cluster inside your process, without daemons and ports. The engine runs inside too, so a native
 * crash of it ends your process; daemons are the way where that must not happen.
 *
 * @example
 *   const cluster = await Cluster.start()
 *   for await (const text of cluster.infer("hello")) process.stdout.write(text)
 *   await cluster.stop()
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { QueenApi } from "../protocol/queen/index.ts"
import { bundledModel } from "../machines/formats/model-ref.ts"
import type { JobRequest } from "../machines/vocabulary/job.ts"
import { answerOf } from "./cluster/answer.ts"
import { layerLogs, makeOneProcess, type OneProcess } from "./cluster/world.ts"
import { loadSettings } from "./config.ts"

export { RbeeError } from "../machines/errors.ts"
export type { JobRequest, QueenApi }

export interface ClusterOptions {
  /** settings by name, as `rbee help settings` lists them: `{"worker.slots": 2}`; they win over environment and file */
  readonly settings?: Readonly<Record<string, string | number>>
  /** the environment that settings are read from; absent: that of the process */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** What a job is asked for; the model is `minillama` if it is absent. */
export type InferRequest = Partial<Omit<JobRequest, "session">>

/** Rejects with the typed error itself (an `RbeeError` has a `code`), not with a wrapper of it. */
const run = async <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
  const exit = await Effect.runPromiseExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}

export class Cluster implements AsyncDisposable {
  /** the queen's interface; every call is an Effect that needs nothing */
  readonly queen: QueenApi
  private readonly scope: Scope.CloseableScope
  private readonly world: OneProcess
  private readonly logs: ReturnType<typeof layerLogs>

  private constructor(world: OneProcess, scope: Scope.CloseableScope, logs: ReturnType<typeof layerLogs>) {
    this.queen = world.api
    this.world = world
    this.scope = scope
    this.logs = logs
  }

  /** Starts the queen; a hive and workers wake when the first job needs them. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const settings = await run(loadSettings({ flags: options.settings ?? {}, env: options.env ?? process.env }))
    const logs = layerLogs(settings)
    const scope = await run(Scope.make())
    const world = await run(
      makeOneProcess(settings).pipe(
        Scope.extend(scope),
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
        Effect.provide(logs)
      )
    )
    return new Cluster(world, scope, logs)
  }

  /**
   * The answer to a prompt, piece by piece as it is decoded. Leaving the loop cancels the job; a job that fails throws
   * its `RbeeError`.
   */
  async *infer(prompt: string, request: InferRequest = {}): AsyncGenerator<string, void, void> {
    const { job_id: id } = await this.call(
      this.queen.submitJob({ model: bundledModel, messages: [{ role: "user", content: prompt }], ...request })
    )
    let isOver = false
    try {
      for await (const piece of answerOf(this.queen, id, this.logs)) yield piece
      isOver = true
    } finally {
      if (!isOver) await this.call(Effect.ignore(this.queen.cancelJob({ id })))
    }
  }

  /** Ends workers, hives and queen, and removes the folder of this cluster. */
  async stop(): Promise<void> {
    await this.call(Effect.ignore(Effect.zipRight(this.world.api.shutdown({ cascade: true }), this.world.ended)))
    await this.call(Scope.close(this.scope, Exit.void))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  private call<A, E>(effect: Effect.Effect<A, E>): Promise<A> {
    return run(Effect.provide(effect, this.logs))
  }
}
