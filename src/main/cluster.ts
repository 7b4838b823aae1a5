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
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { decoder } from "../machines/formats/json/decode.ts"
import { RbeeError as OwnError } from "../machines/errors.ts"
import { bundledModel } from "../machines/formats/model-ref.ts"
import type { Settings } from "../layers/settings/index.ts"
import { JobRequest } from "../machines/vocabulary/job.ts"
import { explain } from "../protocol/explain.ts"
import type { QueenApi } from "../protocol/queen/index.ts"
import { answerOf } from "./cluster/answer.ts"
import type * as published from "./cluster/published.ts"
import { layerLogs, makeOneProcess, type OneProcess } from "./cluster/world.ts"
import { loadSettings } from "./config.ts"

export type { ClusterOptions, InferRequest, Job, Message, Sampling, Tool, ToolCall } from "./cluster/published.ts"

/** Rejects with the typed error itself (an `RbeeError` has a `code`), not with a wrapper of it. */
const run = async <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
  const exit = await Effect.runPromiseExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}

const asked = (prompt: string, request: published.InferRequest, { defaultModel = bundledModel }: Settings) => {
  const { messages = [{ role: "user", content: prompt }], model = defaultModel, ...rest } = request
  const decode = decoder(JobRequest, { onExcessProperty: "error" })
  return Either.mapLeft(decode({ ...rest, model, messages }), explain)
}

class OneProcessCluster implements published.Cluster {
  private readonly queen: QueenApi
  private readonly scope: Scope.CloseableScope
  private readonly world: OneProcess
  private readonly logs: ReturnType<typeof layerLogs>
  private readonly settings: Settings

  constructor(world: OneProcess, scope: Scope.CloseableScope, logs: ReturnType<typeof layerLogs>, settings: Settings) {
    this.settings = settings
    this.queen = world.api
    this.world = world
    this.scope = scope
    this.logs = logs
  }

  static async start(options: published.ClusterOptions = {}): Promise<OneProcessCluster> {
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
    return new OneProcessCluster(world, scope, logs, settings)
  }

  async *infer(prompt: string, request: published.InferRequest = {}): AsyncGenerator<string, void, void> {
    const { job_id: id } = await this.call(Effect.flatMap(asked(prompt, request, this.settings), this.queen.submitJob))
    let isOver = false
    try {
      for await (const piece of answerOf(this.queen, id, this.logs)) yield piece
      isOver = true
    } finally {
      if (!isOver) await this.call(Effect.ignore(this.queen.cancelJob({ id })))
    }
  }

  jobs(): Promise<ReadonlyArray<published.Job>> {
    return this.call(this.queen.listJobs({}))
  }

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

export type Cluster = published.Cluster
export const Cluster: typeof published.Cluster = OneProcessCluster
export type RbeeError = published.RbeeError
export const RbeeError: typeof published.RbeeError = OwnError
