/** A queen that says what a test scripted, a terminal that remembers what it was told, in the order it was told. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type QueenApi, queenApi } from "../../../src/protocol/queen/index.ts"
import type { EventFeed } from "../../../src/protocol/endpoint.ts"
import { declared } from "../../support/loose.ts"
import { frame } from "../../../src/protocol/sse.ts"
import { layerRandom } from "../../../src/layers/ids/random.ts"
import { QueenConnector } from "../../../src/layers/queen-connector/index.ts"
import { type ShutdownAnswer } from "../../../src/protocol/queen/operators.ts"
import { QueenLauncher } from "../../../src/layers/queen-launcher/index.ts"
import { type Part, type SignalCode, Terminal } from "../../../src/layers/terminal/index.ts"
import { type RbeeError, rbeeError } from "../../../src/machines/errors.ts"
import { inferConnected, inferDone, keepWarm, type Line } from "../../../src/machines/narration.ts"
import type { Health } from "../../../src/machines/vocabulary/common.ts"
import type { JobRequest } from "../../../src/machines/vocabulary/job.ts"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"

/** One network chunk of a stream, or what happens to the connection. */
export type Step = string | "BREAK" | "END" | "HANG" | { readonly wait: Effect.Effect<unknown> }

export const feed =
  (steps: ReadonlyArray<Step>): EventFeed =>
  (sink) =>
    Effect.gen(function* () {
      for (const step of steps) {
        if (step === "END") return
        if (step === "HANG") return yield* Effect.never
        if (step === "BREAK") return yield* Effect.fail(rbeeError("CONNECTION_TIMEOUT", "the stream broke"))
        if (typeof step === "object") yield* step.wait
        else sink.write(step)
      }
    })

export const narration = (line: Line, id?: number): string =>
  frame({ id, event: "narration", data: { ...line, at: 0 } })
export const token = (i: number, t: string, id?: number): string => frame({ id, event: "token", data: { i, t } })
export const done = (id?: number): string =>
  frame({ id, event: "done", data: { text_length: 5, tokens: 2, finish_reason: "stop", timings: {}, usage: {} } })

/** A warm answer, whole: "he", "llo" in two chunks. */
export const warmAnswer: ReadonlyArray<Step> = [
  narration(inferConnected(), 1),
  token(0, "he", 2),
  token(1, "l", 3) + token(2, "lo", 4),
  narration(inferDone(), 5) + narration(keepWarm(), 6) + done(7)
]

export const healthOf = (instance: string): Health => ({
  status: "healthy",
  role: "queen",
  version: "0.1.0",
  id: "queen-1",
  instance,
  pid: 4242,
  uptime_s: 1
})

export interface Script {
  /** whether she runs at first; absent: she does */
  readonly asleep?: boolean
  /** instance of each `find`, in order, the last repeated; undefined: nobody listens */
  readonly finds?: ReadonlyArray<string | undefined>
  /** false: another keeper's spawn won */
  readonly woken?: boolean
  readonly wakeFails?: RbeeError<"CONFLICT">
  /** each connection to the job's stream */
  readonly streams: ReadonlyArray<ReadonlyArray<Step>>
  readonly events?: ReadonlyArray<Step>
  readonly submit?: ReadonlyArray<RbeeError | "ok">
  readonly shutdown?: ShutdownAnswer | RbeeError
  /** runs when the shutdown is asked for, before it is answered */
  readonly onShutdown?: Effect.Effect<unknown>
  readonly cancel?: RbeeError | "hang"
  readonly isTTY?: boolean
}

export interface Told {
  /** everything that was written, in order: "1" is stdout, "2" is stderr */
  readonly writes: Array<{ readonly to: 1 | 2; readonly text: string }>
  readonly calls: Array<string>
  readonly requests: Array<JobRequest>
  readonly lastEventIds: Array<string | undefined>
}

export const stdoutOf = (told: Told) => told.writes.flatMap(({ to, text }) => (to === 1 ? [text] : [])).join("")
export const stderrOf = (told: Told) =>
  told.writes
    .flatMap(({ to, text }) => (to === 2 ? [text] : []))
    .join("")
    .split("\n")
    .filter((line) => line !== "")

const answer = (given: RbeeError | "ok" | undefined): Effect.Effect<void, RbeeError> =>
  given === undefined || given === "ok" ? Effect.void : Effect.fail(given)

const unscripted = () => Effect.dieMessage("a keeper does not call this")

/** Layers for a run, what it told, and the hands that send signals or close stdout. */
export const stage = (script: Script) => {
  const told: Told = { writes: [], calls: [], requests: [], lastEventIds: [] }
  const signal = Deferred.unsafeMake<SignalCode>(Effect.runSync(Effect.fiberId))
  const closed = Deferred.unsafeMake<{ readonly failure: string | undefined }>(Effect.runSync(Effect.fiberId))
  let finds = 0
  let streams = 0
  let submits = 0
  const nth = <A>(list: ReadonlyArray<A>, index: number): A | undefined => list[Math.min(index, list.length - 1)]
  const call = (name: string) => Effect.sync(() => void told.calls.push(name))

  const api: QueenApi = declared(queenApi, {
    keptLoaded: unscripted,
    parked: unscripted,
    clearParked: unscripted,
    removeJob: unscripted,
    health: unscripted,
    listJobs: unscripted,
    plan: unscripted,
    showModel: unscripted,
    getJob: unscripted,
    heartbeat: unscripted,
    listHives: unscripted,
    inspectEvents: unscripted,
    addHive: unscripted,
    inviteHive: unscripted,
    joinHive: unscripted,
    checkHive: unscripted,
    installHive: unscripted,
    uninstallHive: unscripted,
    hiveLogs: unscripted,
    discoverHives: unscripted,
    searchModels: unscripted,
    fitModels: unscripted,
    listDownloads: unscripted,
    endDownload: unscripted,
    listEntries: unscripted,
    setEntry: unscripted,
    removeEntry: unscripted,
    unlockKey: unscripted,
    addKey: unscripted,
    listKeys: unscripted,
    revokeKey: unscripted,
    usage: unscripted,
    audit: unscripted,
    removeHive: unscripted,
    startHive: unscripted,
    stopHive: unscripted,
    listWorkers: unscripted,
    v1Messages: unscripted,
    v1CountTokens: unscripted,
    v1CreateResponse: unscripted,
    v1Response: unscripted,
    v1CancelResponse: unscripted,
    v1DeleteResponse: unscripted,
    v1ResponseInput: unscripted,
    stopWorker: unscripted,
    listModels: unscripted,
    pullModel: unscripted,
    pullEvents: unscripted,
    pinModel: unscripted,
    retryModel: unscripted,
    removeModel: unscripted,
    scanModels: unscripted,
    collectModels: unscripted,
    v1Models: unscripted,
    v1Model: unscripted,
    v1Chat: unscripted,
    v1Completions: unscripted,
    v1Tokenize: unscripted,
    v1Detokenize: unscripted,
    v1Props: unscripted,
    v1Embeddings: unscripted,
    v1Rerank: unscripted,
    v1Reranking: unscripted,
    v1Score: unscripted,
    ollamaVersion: unscripted,
    ollamaChat: unscripted,
    ollamaGenerate: unscripted,
    ollamaEmbed: unscripted,
    ollamaEmbeddings: unscripted,
    ollamaTags: unscripted,
    ollamaPs: unscripted,
    ollamaShow: unscripted,
    ollamaPull: unscripted,
    ollamaDelete: unscripted,
    ollamaCopy: unscripted,
    metrics: unscripted,
    openapi: unscripted,
    submitJob: (request) =>
      Effect.gen(function* () {
        yield* call("submit")
        told.requests.push(request)
        yield* answer(nth(script.submit ?? ["ok"], submits++))
        return { job_id: JobId.make("job-1"), events: "/jobs/job-1/events" }
      }),
    jobEvents: (input) =>
      Effect.gen(function* () {
        yield* call("stream")
        told.lastEventIds.push(input.last_event_id)
        return feed(script.streams[streams++] ?? ["BREAK"])
      }),
    events: () => Effect.as(call("events"), feed(script.events ?? ["HANG"])),
    cancelJob: () => Effect.zipRight(call("cancel"), script.cancel === "hang" ? Effect.never : answer(script.cancel)),
    handover: () => call("handover"),
    stay: () => call("stay"),
    shutdown: (input) =>
      Effect.zipRight(
        Effect.zipRight(
          call(`shutdown cascade=${input.cascade} session=${input.session !== undefined}`),
          script.onShutdown ?? Effect.void
        ),
        script.shutdown === undefined || "code" in script.shutdown
          ? Effect.fail(script.shutdown ?? rbeeError("INTERNAL", "no shutdown is scripted"))
          : Effect.succeed(script.shutdown)
      )
  })
  const output = (to: 1 | 2) => ({
    isTTY: script.isTTY === true,
    isStyled: false,
    columns: () => 80,
    write: (...parts: ReadonlyArray<Part>) =>
      void told.writes.push({ to, text: parts.map((part) => (typeof part === "string" ? part : part.text)).join("") }),
    writeRaw: (text: string) => void told.writes.push({ to, text: `raw ${text}` }),
    clearLine: () => void told.writes.push({ to, text: "\r\u001b[2K" })
  })
  const layer = Layer.mergeAll(
    layerRandom,
    Layer.succeed(QueenConnector, { connect: () => api }),
    Layer.succeed(QueenLauncher, {
      url: "http://127.0.0.1:8500",
      port: 8500,
      find: Effect.sync(() => {
        const instance = nth(script.finds ?? [script.asleep === true ? undefined : "queen-a"], finds++)
        return instance === undefined ? undefined : healthOf(instance)
      }),
      wake: Effect.zipRight(
        call("wake"),
        script.wakeFails === undefined
          ? Effect.succeed({ health: healthOf("queen-woken"), woken: script.woken !== false })
          : Effect.fail(script.wakeFails)
      ),
      gone: () => Effect.as(call("gone"), true),
      lost: Effect.succeed(undefined),
      hives: Effect.succeed([])
    }),
    Layer.succeed(Terminal, {
      stdout: output(1),
      stderr: output(2),
      stdinIsTTY: false,
      stdinIsPiped: false,
      closed: Deferred.await(closed),
      interrupted: Deferred.await(signal),
      readSecret: () => Effect.succeed(""),
      lines: Effect.never,
      readStdin: () => Effect.succeed("")
    })
  )
  return {
    told,
    layer,
    interrupt: (code: SignalCode) => Deferred.succeed(signal, code),
    closeStdout: (failure?: string) => Deferred.succeed(closed, { failure })
  }
}
