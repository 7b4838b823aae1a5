/** A worker that does as it is told: it answers with a fixed list of tokens, waits where told to, dies when told to. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { none as noFiber } from "effect/FiberId"
import type { EventFeed } from "../../../src/protocol/endpoint.ts"
import { declared } from "../loose.ts"
import { frame } from "../../../src/protocol/sse.ts"
import { inferIdHeader, type WorkerApi, workerApi } from "../../../src/protocol/worker.ts"
import { type RbeeError, rbeeError } from "../../../src/machines/errors.ts"
import type { AnswerForm } from "../../../src/machines/dialect/answer-form.ts"
import type { InferRequest } from "../../../src/machines/vocabulary/worker.ts"
import type { WorkerId } from "../../../src/machines/vocabulary/ids.ts"

export const answer = ["he", "l", "lo", " wor", "ld"]

/** Where an answer stops until it is let go on: before the token of this index. */
export interface Script {
  readonly holdAt?: number
  /** how it says that its answer is read */
  readonly form?: AnswerForm
  /** its context is full after so many tokens of the answer */
  readonly outgrownAt?: number
  /** what the worker says instead of an answer */
  readonly error?: RbeeError
  /** it dies with the request in its hands, and acknowledges nothing */
  readonly diesUnheard?: boolean
}

interface Infer {
  readonly request: InferRequest
  readonly go: Deferred.Deferred<void>
}

const broken = rbeeError("CONNECTION_TIMEOUT", "no connection: it broke the connection", "", { reason: "ECONNRESET" })

export class FakeWorker {
  readonly id: WorkerId
  readonly url: string
  instance: string
  readonly device: string
  readonly model: string
  readonly slots: number
  readonly context: number
  state: "idle" | "stopped" | "waking" = "idle"
  script: (request: InferRequest) => Script = () => ({})
  /** everything that it was asked to infer, and to cancel */
  readonly asked: Array<InferRequest> = []
  readonly cancelled: Array<string> = []
  private readonly infers = new Map<string, Infer>()
  private died = Deferred.unsafeMake<never, RbeeError>(noFiber)

  constructor(id: WorkerId, device: string, model: string, slots: number, context = 1024) {
    this.id = id
    this.device = device
    this.model = model
    this.slots = slots
    this.context = context
    this.url = `fake://${id}`
    this.instance = `${id}-life-1`
  }

  /** The process dies: all its streams break. */
  crash(): void {
    this.state = "waking"
    Deferred.unsafeDone(this.died, Effect.fail(broken))
  }

  /** Its hive has started it again. */
  revive(life: number): void {
    this.died = Deferred.unsafeMake<never, RbeeError>(noFiber)
    this.infers.clear()
    this.instance = `${this.id}-life-${life}`
    this.state = "idle"
  }

  /** Lets all answers that are held go on. */
  release(): void {
    for (const { go } of this.infers.values()) Deferred.unsafeDone(go, Effect.void)
  }

  busy(): number {
    return this.infers.size
  }

  readonly api: WorkerApi = declared(workerApi, {
    health: () =>
      this.alive(() => ({
        status: "healthy",
        role: "worker",
        version: "test",
        id: this.id,
        instance: this.instance,
        pid: 1,
        uptime_s: 1
      })),
    ready: () => this.alive(() => ({ _tag: "Json", status: 200, body: { state: "idle", slots: 1, busy: 0 } })),
    infer: (request) =>
      Effect.suspend(() => {
        if (this.state !== "idle") return Effect.fail(broken)
        const { diesUnheard, error } = this.script(request)
        this.asked.push(request)
        if (diesUnheard === true) {
          this.crash()
          return Effect.fail(broken)
        }
        if (error !== undefined && error.code !== "WORKER_CRASHED") return Effect.fail(error)
        const id = `${request.job_id}-${request.epoch}`
        this.infers.set(id, { request, go: Deferred.unsafeMake<void>(noFiber) })
        if (error !== undefined) this.crash()
        return Effect.succeed({ _tag: "Events", feed: this.feed(id), headers: { [inferIdHeader]: id } } as const)
      }),
    cancelInfer: ({ id }) =>
      this.alive(() => {
        this.cancelled.push(id)
        this.infers.delete(id)
      }),
    cancelInfers: () => this.alive(() => this.infers.clear()),
    forget: () => this.alive(() => undefined),
    shutdown: () => this.alive(() => undefined)
  })

  private alive<A>(give: () => A): Effect.Effect<A, RbeeError> {
    return Effect.suspend(() => (this.state === "idle" ? Effect.sync(give) : Effect.fail(broken)))
  }

  private feed(id: string): EventFeed {
    return (sink) => {
      const infer = this.infers.get(id)
      if (infer === undefined || this.state !== "idle") return Effect.fail(broken)
      const { request } = infer
      const from = request.resume?.token_ids.length ?? 0
      const { form, holdAt, outgrownAt = Infinity } = this.script(request)
      const stop = Math.min(answer.length, request.max_tokens ?? answer.length, outgrownAt)
      const isOutgrown = stop === outgrownAt
      const pump = Effect.gen(this, function* () {
        if (form !== undefined) sink.write(frame({ event: "form", data: form }))
        for (let i = from; i < stop; i++) {
          if (holdAt === i) yield* Deferred.await(infer.go)
          sink.write(frame({ event: "token", data: { i, t: answer[i], k: i + 100 } }))
          yield* Effect.yieldNow()
        }
        this.infers.delete(id)
        sink.write(
          frame({
            event: "done",
            data: {
              tokens: stop - from,
              finish_reason: stop < answer.length ? "length" : "stop",
              usage: {
                prompt_tokens: isOutgrown ? this.context - stop : 3,
                completion_tokens: stop - from,
                cached_tokens: 0
              },
              ...(isOutgrown ? { outgrown: { context: this.context, trained_context: 131_072 } } : {})
            }
          })
        )
      })
      return Effect.raceFirst(pump, Deferred.await(this.died))
    }
  }
}
