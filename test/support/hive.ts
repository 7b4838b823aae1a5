/** A real hive daemon for a test: `dist/hive.js` in a home of its own, reached over HTTP; and a queen that listens. */
import { type ChildProcess, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Scope from "effect/Scope"
import { makeHttpClient } from "../../src/layers/transport/http/client/client.ts"
import { serveHttp } from "../../src/layers/transport/http/server/server.ts"
import { readEvents } from "../../src/protocol/sse.ts"
import type { EventFeed } from "../../src/protocol/endpoint.ts"
import { type HiveApi, hiveApi } from "../../src/protocol/hive.ts"
import { type QueenApi, queenApi } from "../../src/protocol/queen/index.ts"
import { type RbeeError, rbeeError } from "../../src/machines/errors.ts"
import type { Heartbeat } from "../../src/machines/vocabulary/hive.ts"
import { eventually, type Machine } from "./machine.ts"
import { DeviceId, ModelRef } from "../../src/machines/vocabulary/ids.ts"

/** Where the built programs are. */
export const programs = process.env["TEST_PROGRAMS"] ?? fileURLToPath(new URL("../../dist/", import.meta.url))

export interface Event {
  readonly id: string | undefined
  readonly event: string
  // What is asserted on is decided by each test.
  readonly data: Record<string, never> & { readonly [key: string]: unknown }
}

export interface HiveProcess {
  readonly process: ChildProcess
  readonly api: HiveApi
  readonly url: string
  readonly folder: string
  /** what it logged */
  readonly log: () => string
  readonly exit: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

export const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)
/** The typed error of a call that must fail. */
export const refused = <A, E>(effect: Effect.Effect<A, E>): Promise<E> => Effect.runPromise(Effect.flip(effect))

/** Starts a hive on a machine of the test and waits until it answers. */
export const startHive = async (
  machine: Machine,
  env: Record<string, string> = {},
  folder = programs,
  /** bytes that a file of its may have at most, as on a disk that has no more room */
  fileMax?: number
): Promise<HiveProcess> => {
  const program = [process.execPath, join(folder, "hive.js")]
  const limited = ["sh", "-c", 'trap "" XFSZ; ulimit -f "$0"; exec "$@"', String(Math.floor((fileMax ?? 0) / 512))]
  const [command = "", ...args] = fileMax === undefined ? program : [...limited, ...program]
  const child = spawn(command, args, {
    env: { ...machine.env, ...env },
    cwd: machine.home,
    stdio: ["ignore", "ignore", "pipe"]
  })
  let log = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text))
  const exit = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal }))
  )
  const url = `http://127.0.0.1:${machine.ports.hive}`
  const api = makeHttpClient(hiveApi, { baseUrl: url, token: machine.token })
  await eventually(
    async () => {
      if (child.exitCode !== null) throw new Error(`the hive ended: ${log}`)
      return Exit.isSuccess(await Effect.runPromiseExit(api.health({})))
    },
    () => `the hive answers: ${log}`
  )
  return { process: child, api, url, folder: join(machine.home, "hive-localhost"), log: () => log, exit }
}

/** All events of a feed, up to its end. */
export const eventsOf = async (feed: Effect.Effect<EventFeed, unknown>): Promise<ReadonlyArray<Event>> => {
  const events: Array<Event> = []
  await run(
    Effect.flatMap(feed, (each) =>
      readEvents(each, ({ id, event, data }) => events.push({ id, event, data: JSON.parse(data) }))
    )
  )
  return events
}

/** Narrated lines, as a person reads them. */
export const lines = (events: ReadonlyArray<Event>): ReadonlyArray<string> =>
  events.filter(({ event }) => event === "narration").map(({ data }) => String(data["human"]))

/** Provisions a model and gives the events of it. */
export const provision = async (hive: HiveProcess, model_ref: string): Promise<ReadonlyArray<Event>> => {
  const { provision_id } = await run(hive.api.provisionModel({ model_ref: ModelRef.make(model_ref) }))
  return eventsOf(hive.api.modelEvents({ id: provision_id }))
}

/** Starts or joins a worker and waits until it is ready. */
export const startWorker = async (
  hive: HiveProcess,
  request: Partial<Parameters<HiveApi["startWorker"]>[0]> = {}
): Promise<{ readonly id: string; readonly port: number; readonly events: ReadonlyArray<Event> }> => {
  const started = await run(
    hive.api.startWorker({ device: DeviceId.make("cpu"), model_ref: ModelRef.make("minillama"), ...request })
  )
  const events = await eventsOf(hive.api.workerEvents({ id: started.worker_id }))
  return { id: started.worker_id, port: started.port ?? 0, events }
}

export const pidOf = (hive: HiveProcess): number => {
  const state: unknown = JSON.parse(readFileSync(join(hive.folder, "daemon.json"), "utf8"))
  return typeof state === "object" && state !== null && "pid" in state ? Number(state.pid) : 0
}

export interface FakeQueen {
  readonly url: string
  readonly beats: Array<Heartbeat>
  readonly registered: Array<string>
  /** how it answers the next beats */
  answer: "taken" | "unknown" | "unclaimed" | "hangs"
  readonly close: () => Promise<void>
}

/** A queen that only listens. */
export const fakeQueen = async (): Promise<FakeQueen> => {
  const scope = await run(Scope.make())
  const queen: { beats: Array<Heartbeat>; registered: Array<string>; answer: FakeQueen["answer"] } = {
    beats: [],
    registered: [],
    answer: "taken"
  }
  const handlers: Partial<QueenApi> = {
    heartbeat: (beat) =>
      Effect.suspend((): Effect.Effect<void, RbeeError<"HIVE_NOT_FOUND" | "CONFLICT">> => {
        queen.beats.push(beat)
        if (queen.answer === "unknown") return Effect.fail(rbeeError("HIVE_NOT_FOUND", "who is that"))
        if (queen.answer === "unclaimed") return Effect.fail(rbeeError("CONFLICT", "not claimed"))
        return queen.answer === "hangs" ? Effect.never : Effect.void
      }),
    addHive: ({ id }) =>
      Effect.sync(() => {
        queen.registered.push(id)
        return { id, state: "cold" as const, workers: 0, models: 0 }
      })
  }
  const all = Object.fromEntries(
    Object.keys(queenApi).map((name) => [name, () => Effect.fail(rbeeError("NOT_FOUND", "not this queen's business"))])
  )
  const { url } = await run(
    Scope.extend(
      serveHttp({
        // Every declared name is there, and those that are used have their own types.
        apis: [{ api: queenApi, handlers: { ...all, ...handlers } as QueenApi }],
        host: "127.0.0.1",
        port: 0,
        role: "queen",
        graceMs: 50
      }),
      scope
    ).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )
  return Object.assign(queen, { url, close: () => run(Scope.close(scope, Exit.void)) })
}
