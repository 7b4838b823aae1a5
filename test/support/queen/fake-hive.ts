/** A hive that does as it is told: what it has and what it refuses is set by the test, its lines are the real ones. */
import type { Exactness } from "../../../src/machines/vocabulary/worker.ts"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { none as noFiber } from "effect/FiberId"
import type { AnswerOf } from "../../../src/protocol/answers.ts"
import type { EventFeed, Sink } from "../../../src/protocol/endpoint.ts"
import { declared } from "../loose.ts"
import type { RunningDownload } from "../../../src/protocol/models.ts"
import { frame } from "../../../src/protocol/sse.ts"
import { type HiveApi, hiveApi } from "../../../src/protocol/hive.ts"
import { type RbeeError, rbeeError, sentence } from "../../../src/machines/errors.ts"
import * as say from "../../../src/machines/narration.ts"
import type { Gpu } from "../../../src/machines/vocabulary/device.ts"
import type { ClaimRequest, Heartbeat } from "../../../src/machines/vocabulary/hive.ts"
import type { ModelView } from "../../../src/machines/vocabulary/model.ts"
import type { InferRequest, WorkerBeat } from "../../../src/machines/vocabulary/worker.ts"
import { FakeWorker, type Script } from "./fake-worker.ts"
import { WorkerId, HiveId, DeviceId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const gone = rbeeError("CONNECTION_TIMEOUT", "no connection: nothing listens there", "", { reason: "ECONNREFUSED" })

/** A stream of a hive: replayed from its start, then live. */
class Life {
  private readonly frames: Array<string> = []
  private readonly sinks = new Set<Sink>()

  add(event: string, data: unknown): void {
    const text = frame({ id: this.frames.length + 1, event, data })
    this.frames.push(text)
    for (const sink of this.sinks) sink.write(text)
  }

  feed(after: string | undefined): EventFeed {
    return (sink) =>
      Effect.async<void>(() => {
        for (const text of this.frames.slice(Number(after ?? 0))) sink.write(text)
        this.sinks.add(sink)
        return Effect.sync(() => this.sinks.delete(sink))
      })
  }
}

const workerMb = 500

/** `most`: what it could give if others went */
const noRoom = (
  device: string,
  required_mb: number,
  available_mb: number,
  most: { readonly most_mb?: number; readonly context_max?: number } = {}
) =>
  Effect.fail(
    rbeeError("VRAM_EXHAUSTED", `needs ${required_mb} MB, ${device} has ${available_mb} MB`, "", {
      status: 409,
      required_mb,
      available_mb,
      ...most,
      device
    })
  )

const quarantine = (model: string, device: string) =>
  rbeeError("MODEL_INVALID", `model ${model} cannot be loaded on ${device} (killed by SIGABRT: assert)`, "", {
    device,
    quarantined: true
  })

const noteOf = (device: DeviceId) => ({
  device,
  engine: "test",
  reason: "killed by SIGABRT",
  last_words: "assert",
  since: 1_700_000_000_000
})

type Held = "wake" | "download" | "install" | "load"

type RuntimeAnswer = AnswerOf<(typeof hiveApi)["provisionWorker"]["answers"]>

export class FakeHive {
  readonly id: string
  readonly url: string
  instance = "hive-life-1"
  version = "test"
  running = false
  beating = true
  gpus: ReadonlyArray<Gpu> = []
  slots = 2
  readonly models = new Set<string>()
  /** what it says that it fetches */
  downloads: ReadonlyArray<RunningDownload> = []
  readonly pinned = new Set<string>()
  /** what it knows of the models' vocabulary */
  vocabulary: Pick<ModelView, "context" | "token_bytes"> = {}
  readonly hasRuntime = new Set<string>(["cpu-llm-worker-rbee", "cuda-llm-worker-rbee"])
  /** devices without room, and what is free there */
  readonly full = new Map<string, number>()
  /** workers that its CPU has room for, of 500 MB each */
  room = 16
  /** tokens a slot that a device of it can hold */
  contextMax = Infinity
  /** devices on which no worker boots */
  readonly broken = new Set<string>()
  /** models whose file ends every worker that loads it, on any device; and where that was found out: "model device" */
  readonly deadly = new Set<string>()
  readonly quarantined = new Set<string>()
  /** holds a wake, a download, an installation, a load until it is let go on */
  readonly holds = new Map<Held, Deferred.Deferred<void>>()
  readonly workers = new Map<string, FakeWorker>()
  readonly lives = new Map<string, Life>()
  script: (worker: FakeWorker, request: InferRequest) => Script = () => ({})
  /** what it was asked, by name */
  readonly calls: Array<string> = []
  readonly claims: Array<ClaimRequest> = []
  /** whose conversations it was told to delete */
  readonly cleared: Array<string | undefined> = []
  /** hears of each claim */
  onClaim: () => void = () => {}
  private seq = 0
  private made = 0

  constructor(id: string) {
    this.id = id
    this.url = `fake://hive/${id}`
  }

  hold(what: Held): { readonly release: Effect.Effect<boolean> } {
    const deferred = Deferred.unsafeMake<void>(noFiber)
    this.holds.set(what, deferred)
    return { release: Deferred.succeed(deferred, undefined) }
  }
  held(what: Held): Effect.Effect<void> {
    const deferred = this.holds.get(what)
    return deferred === undefined ? Effect.void : Deferred.await(deferred)
  }

  /** another queen has taken it over */
  stolen = false
  /** at its address answers a hive of the same name that is another cluster's */
  isAnothers = false
  /** it has been told to end, and finishes what runs */
  ending = false
  /** the network between it and the queen is cut */
  isCutOff = false
  /** can it be woken? */
  wakes = true
  /** times that it was ended by force */
  kills = 0
  /** its machine sleeps */
  isAsleep = false
  /** how its machine takes packets that are to wake it: by being there at once, or not at all */
  hears = true
  /** looks whether it is there are not answered */
  isSilent = false
  /** packets that were sent to wake it, and looks whether it is there */
  packets = 0
  looks = 0
  /** how long it has been idle, milliseconds, as it tells; undefined: it does not tell */
  idleMs: number | undefined
  /** why it would not sleep */
  refusesSleep: RbeeError | undefined

  /** A packet for its card. */
  call(): void {
    this.packets++
    if (this.hears) this.isAsleep = false
  }
  isThere(): boolean {
    this.looks++
    return !this.isAsleep && !this.isCutOff
  }
  private frozen = false

  /** The process is there and does nothing any more, as after SIGSTOP; its workers are out of reach. */
  freeze(): void {
    this.frozen = true
    this.beating = false
    for (const worker of this.workers.values()) worker.crash()
  }
  answers(): boolean {
    return this.running && !this.frozen && !this.isCutOff && !this.isAnothers && !this.isAsleep
  }
  wake(): void {
    this.running = true
    this.ending = false
    this.frozen = false
    this.beating = true
  }

  /** Dies with its workers. */
  kill(): void {
    this.running = false
    for (const worker of this.workers.values()) worker.crash()
    this.workers.clear()
    this.instance = `${this.instance}+`
  }

  beat(): Heartbeat {
    const workers = [...this.workers.values()].map((worker): WorkerBeat => ({
      id: worker.id,
      instance: worker.instance,
      state: worker.state,
      load_progress: 1,
      url: worker.url,
      device: DeviceId.make(worker.device),
      model: ModelRef.make(worker.model),
      context: worker.context,
      slots: worker.slots,
      memory_mb: workerMb,
      busy: worker.busy(),
      tokens_out: 0,
      ...this.exactness,
      restarts: 0,
      infers: []
    }))
    return {
      hive_id: HiveId.make(this.id),
      instance: this.instance,
      seq: ++this.seq,
      version: this.version,
      url: this.url,
      devices: [{ id: DeviceId.make("cpu"), state: "healthy", leased_mb: 0, free_mb: this.freeMb() }],
      workers,
      models: this.models.size,
      ...(this.idleMs === undefined ? {} : { idle_ms: this.idleMs })
    }
  }

  /** on the CPU, once these are gone */
  private freeMb(evict: ReadonlyArray<string> = []): number {
    const stays = [...this.workers.keys()].filter((id) => !evict.includes(id))
    return workerMb * (this.room - stays.length)
  }

  private modelView(ref: string): ModelView {
    const refused = [...this.quarantined].filter((pair) => pair.startsWith(`${ref} `))
    return {
      model_ref: ModelRef.make(ref),
      file: `/models/${ref}.gguf`,
      bytes: 3_300_000,
      ...this.vocabulary,
      pinned: this.pinned.has(ref),
      owned: true,
      in_use: false,
      ...(refused.length === 0
        ? {}
        : { quarantined: refused.map((pair) => noteOf(DeviceId.make(pair.slice(ref.length + 1)))) })
    }
  }

  private answer<A>(name: string, give: () => Effect.Effect<A, RbeeError>): Effect.Effect<A, RbeeError> {
    return Effect.suspend(() => {
      if (!this.running || this.isCutOff) return Effect.fail(gone)
      if (this.frozen) return Effect.never
      this.calls.push(name)
      if (this.isAnothers && name !== "health")
        return Effect.fail(rbeeError("INVALID_API_KEY", "the token is not this cluster's"))
      if (this.stolen) return Effect.fail(rbeeError("HIVE_OWNED", "this hive belongs to queen other", "Take it over"))
      return give()
    })
  }

  private readonly provisions = new Map<string, EventFeed>()
  private readonly open = Effect.suspend(() =>
    this.ending ? Effect.fail(rbeeError("SHUTTING_DOWN", "this hive is shutting down", "Try again")) : Effect.void
  )

  readonly api: HiveApi = declared(hiveApi, {
    inspectEvents: () => Effect.fail(gone),
    health: () =>
      this.answer("health", () =>
        Effect.succeed({
          status: "healthy",
          role: "hive",
          version: this.version,
          id: this.id,
          instance: this.instance,
          pid: 1,
          uptime_s: 1
        } as const)
      ),
    claim: (request) =>
      this.answer("claim", () =>
        Effect.map(this.open, () => {
          this.claims.push(request)
          this.onClaim()
          return { hive_id: HiveId.make(this.id), instance: this.instance, version: this.version }
        })
      ),
    devices: () =>
      this.answer("devices", () =>
        Effect.succeed({
          cpu: { cores: 2, ram_mb: 16_000, ram_free_mb: 8000 },
          gpus: this.gpus,
          models: this.models.size,
          workers: this.workers.size
        })
      ),
    capacity: ({ context = 0, device, evict, model }) =>
      this.answer(`capacity ${device}`, () => {
        if (this.quarantined.has(`${model} ${device}`)) return Effect.fail(quarantine(model, device))
        const available = this.full.get(device)
        if (available !== undefined) return noRoom(device, 5000, available)
        if (context > this.contextMax) return noRoom(device, 5000, 4000, { context_max: this.contextMax })
        const left = device === "cpu" ? this.freeMb(evict?.split(",")) : workerMb
        return left < workerMb ? noRoom(device, workerMb, left, { most_mb: workerMb * this.room }) : this.open
      }),
    parked: () => this.answer("parked", () => Effect.succeed({ files: 3, mb: 12, answers: 2, tokens: 900 })),
    clearParked: ({ scope }) =>
      this.answer("clearParked", () => {
        this.cleared.push(scope)
        return Effect.succeed({ files: 3, mb: 12 })
      }),
    provisionModel: ({ model_ref }) =>
      this.answer("provisionModel", () => {
        const id = `provision-${this.provisions.size + 1}`
        this.provisions.set(id, (sink) =>
          Effect.gen(this, function* () {
            sink.write(frame({ id: 1, event: "narration", data: { ...say.downloadStart(3_300_000), at: 0 } }))
            yield* this.held("download")
            sink.write(frame({ event: "progress", data: { stage: "download", received: 10, total: 10 } }))
            sink.write(frame({ id: 2, event: "narration", data: { ...say.downloadProgress(100, 410.2e6), at: 0 } }))
            sink.write(frame({ id: 3, event: "narration", data: { ...say.downloadDone(10), at: 0 } }))
            this.models.add(model_ref)
            sink.write(frame({ id: 4, event: "ready", data: { file: "/models/x.gguf" } }))
          })
        )
        return Effect.succeed({ provision_id: id, events: "" })
      }),
    listDownloads: () => this.answer("listDownloads", () => Effect.succeed(this.downloads)),
    endDownload: ({ id }) =>
      this.answer("endDownload", () =>
        Effect.sync(() => void (this.downloads = this.downloads.filter((one) => one.id !== id)))
      ),
    modelEvents: ({ id }) => this.answer("modelEvents", () => this.provision(id)),
    listModels: () =>
      this.answer("listModels", () => Effect.succeed([...this.models].map((ref) => this.modelView(ref)))),
    getModel: ({ ref }) =>
      this.answer("getModel", () =>
        this.models.has(ref)
          ? Effect.succeed(this.modelView(ref))
          : Effect.fail(rbeeError("MODEL_NOT_FOUND", `no model ${ref} here`))
      ),
    pinModel: ({ ref, pinned }) =>
      this.answer("pinModel", () => Effect.sync(() => void (pinned ? this.pinned.add(ref) : this.pinned.delete(ref)))),
    scanModels: () =>
      this.answer("scanModels", () =>
        Effect.succeed({ hive: HiveId.make(this.id), folders: [], models: [], skipped: [] })
      ),
    readModel: () => this.answer("readModel", () => Effect.succeed({})),
    retryModel: ({ ref }) =>
      this.answer("retryModel", () =>
        Effect.sync(() => {
          for (const pair of this.quarantined) if (pair.startsWith(`${ref} `)) this.quarantined.delete(pair)
        })
      ),
    removeModel: ({ ref }) => this.answer("removeModel", () => Effect.sync(() => void this.models.delete(ref))),
    provisionWorker: ({ kind }) =>
      this.answer("provisionWorker", () => {
        if (this.hasRuntime.has(kind))
          return Effect.succeed<RuntimeAnswer>({ _tag: "Json", status: 200, body: { available: true } })
        const id = `provision-${this.provisions.size + 1}`
        this.provisions.set(id, (sink) =>
          Effect.gen(this, function* () {
            yield* this.held("install")
            if (kind.startsWith("vulkan")) {
              const error = rbeeError("BACKEND_UNAVAILABLE", `${kind} cannot be installed here`)
              sink.write(
                frame({ id: 1, event: "failed", data: { code: error.code, message: sentence(error), details: {} } })
              )
              return
            }
            this.hasRuntime.add(kind)
            sink.write(frame({ id: 1, event: "ready", data: {} }))
          })
        )
        return Effect.succeed<RuntimeAnswer>({ _tag: "Json", status: 202, body: { provision_id: id, events: "" } })
      }),
    runtimeEvents: ({ id }) => this.answer("runtimeEvents", () => this.provision(id)),
    startWorker: ({ context, device, evict = [], model_ref }) =>
      this.answer("startWorker", () => {
        const same = [...this.workers.values()].find(
          (one) => one.device === device && one.model === model_ref && one.context >= (context ?? 0)
        )
        if (same !== undefined) return Effect.succeed({ worker_id: same.id, events: "" })
        for (const id of evict) this.workers.delete(id)
        return Effect.succeed({ worker_id: this.boot(device, model_ref, context), events: "" })
      }),
    workerEvents: ({ id, last_event_id }) =>
      this.answer("workerEvents", () => {
        const life = this.lives.get(id)
        return life === undefined
          ? Effect.fail(rbeeError("WORKER_NOT_FOUND", `no worker ${id}`))
          : Effect.succeed(life.feed(last_event_id))
      }),
    listWorkers: () => this.answer("listWorkers", () => Effect.succeed(this.beat().workers)),
    stopWorker: ({ id }) =>
      this.answer("stopWorker", () =>
        Effect.sync(() => {
          this.workers.get(id)?.crash()
          this.workers.delete(id)
        })
      ),
    suspend: () =>
      this.answer("suspend", () =>
        Effect.suspend(() => {
          if (this.refusesSleep !== undefined) return this.refusesSleep
          this.kill()
          this.isAsleep = true
          return Effect.void
        })
      ),
    shutdown: () =>
      this.answer("shutdown", () =>
        Effect.sync(() => {
          this.kill()
        })
      )
  })

  private provision(id: string): Effect.Effect<EventFeed, RbeeError> {
    const feed = this.provisions.get(id)
    return feed === undefined ? Effect.fail(rbeeError("NOT_FOUND", "no such provision")) : Effect.succeed(feed)
  }

  /** A worker process starts; when it is loaded its stream says so. */
  private boot(device: string, model: string, context?: number): WorkerId {
    const worker = new FakeWorker(WorkerId.make(`w${++this.made}`), device, model, this.slots, context)
    const life = new Life()
    worker.script = (request) => this.script(worker, request)
    this.lives.set(worker.id, life)
    if (this.broken.has(device)) {
      life.add("narration", { ...say.workerRestart(worker.id, "exit code 1", 1, 3), at: 0 })
      const details = { degraded: true, attempts: 4, last_words: "no such device" }
      life.add("failed", { code: "WORKER_START_FAILED", attempts: 4, last_words: "no such device", details })
      return worker.id
    }
    if (this.deadly.has(model)) {
      this.quarantined.add(`${model} ${device}`)
      const { code, details, message } = quarantine(model, device)
      life.add("failed", { code, message, details })
      return worker.id
    }
    this.workers.set(worker.id, worker)
    life.add("narration", { ...say.workerWake(8601, `/models/${model}.gguf`), at: 0 })
    Effect.runFork(Effect.map(this.held("load"), () => this.ready(worker)))
    return worker.id
  }

  /** what its workers tell of their self-tests; absent: nothing yet */
  exactness: Exactness | undefined = { exact: true, bits: "scripted" }

  private ready(worker: FakeWorker): void {
    this.lives.get(worker.id)?.add("ready", {
      instance: worker.instance,
      port: 8601,
      url: worker.url,
      backend: worker.device === "cpu" ? "CPU" : "CUDA",
      context: worker.context,
      slots: worker.slots,
      ...this.exactness
    })
  }

  private restarts = 1
  /** What a hive does after a crash: the same worker, a new process. */
  restart(worker: FakeWorker): void {
    worker.revive(++this.restarts)
    this.lives.get(worker.id)?.add("narration", { ...say.workerWake(8601, `/models/${worker.model}.gguf`), at: 0 })
    this.ready(worker)
  }
}
