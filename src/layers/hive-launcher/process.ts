/**
 * Hives as daemon processes of this machine. A hive outlives the queen that woke it, so it is found again by its state
 * file, and only by it: by pid and start time, never by name or port.
 */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { addressInUse } from "../../machines/vocabulary/address.ts"
import { makeHttpClient } from "../transport/http/client/client.ts"
import { hiveApi } from "../../protocol/hive.ts"
import { hiveFolder } from "../paths/index.ts"
import { Processes } from "../process/index.ts"
import { endedEarly, sizeOf } from "../queen-launcher/last-words.ts"
import { CurrentSettings, type Settings } from "../settings/index.ts"
import { readDaemonFile } from "./daemon-file.ts"
import { HiveLauncher, type HiveTarget, wokenMark } from "./index.ts"

export interface Program {
  /** path of the hive program */
  readonly file: string
  /** the whole environment of the daemon */
  readonly env: Readonly<Record<string, string>>
}

const pollMs = 10
/** a hive binds its port and answers within a fraction of this, also on a loaded machine */
const wakeMs = 15_000
/** /health answers in under 500 ms while everything else is busy */
const healthMs = 1000
/** what a hive that does not answer may take to obey SIGTERM */
const graceMs = 1000

const make = (settings: Settings, processes: Processes["Type"], program: Program): HiveLauncher["Type"] => {
  const folderOf = (target: HiveTarget) => hiveFolder(settings.home, target.id)

  /** The hive process that the state file names, if it lives. */
  const living = (target: HiveTarget) =>
    Effect.suspend(() => {
      const file = readDaemonFile(folderOf(target))
      return file === undefined
        ? Effect.succeed(undefined)
        : Effect.map(processes.alive(file), (alive) => (alive ? file : undefined))
    })
  /** Does this very hive answer there? */
  const answers = (target: HiveTarget, url: string): Effect.Effect<boolean> =>
    makeHttpClient(hiveApi, { baseUrl: url, timeoutMs: healthMs })
      .health({})
      .pipe(Effect.option, Effect.map(Option.exists(({ role, id }) => role === "hive" && id === target.id)))

  const find = (target: HiveTarget): Effect.Effect<string | undefined> =>
    Effect.flatMap(living(target), (file) =>
      file === undefined
        ? Effect.succeed(undefined)
        : Effect.map(answers(target, file.url), (yes) => (yes ? file.url : undefined))
    )

  const conflict = ({ id, port }: HiveTarget): Effect.Effect<never, RbeeError<"CONFLICT">> =>
    Effect.flatMap(processes.portOwner(port), (owner = "another program") =>
      rbeeError(
        "CONFLICT",
        `port ${port}, where hive ${id} should be, is taken by ${owner}`,
        "End that program, or choose another port with RBEE_HIVE_PORT",
        { port, owner }
      )
    )

  const wake: HiveLauncher["Type"]["wake"] = (target) =>
    Effect.gen(function* () {
      const running = yield* find(target)
      if (running !== undefined) return { url: running, woken: false }
      const logFile = join(settings.home.logs, `hive-${target.id}.log`)
      const offset = sizeOf(logFile)
      const child = yield* processes.daemon({
        command: process.execPath,
        args: [program.file],
        env: { ...program.env, RBEE_HIVE_ID: target.id, [wokenMark]: "1" },
        logFile
      })
      const exit: { code: number | undefined; seen: boolean } = { code: undefined, seen: false }
      yield* Effect.forkScoped(
        Effect.map(child.exit, ({ code }) => {
          exit.seen = true
          exit.code = code
        })
      )
      const ready = Effect.gen(function* () {
        for (;;) {
          // Its own file, or that of another process of the same hive, which was faster.
          const url = yield* find(target)
          if (url !== undefined) return { url, woken: (yield* living(target))?.pid === child.id.pid }
          // This very hive may hold its address, woken by somebody before us, and be slow to answer.
          const holds = exit.seen && exit.code === addressInUse && (yield* living(target)) !== undefined
          if (exit.seen && exit.code === addressInUse && !holds) return yield* conflict(target)
          if (exit.seen && !holds)
            return yield* endedEarly(`hive ${target.id}`, logFile, offset, "See `rbee logs hive`")
          yield* Effect.sleep(pollMs)
        }
      })
      return yield* ready.pipe(
        Effect.timeoutFail({
          duration: wakeMs,
          onTimeout: () =>
            rbeeError(
              "CONNECTION_TIMEOUT",
              `hive ${target.id} did not answer on port ${target.port} within ${wakeMs / 1000} s`,
              "See `rbee logs hive`"
            )
        }),
        // Whoever does not come up, or is not wanted any more, must not stay behind.
        Effect.onError(() => processes.end(child.id, graceMs))
      )
    }).pipe(Effect.scoped)

  return {
    target: (id) => ({ id, at: `localhost:${settings.hive.port}`, port: settings.hive.port }),
    find,
    wake,
    present: (target) => Effect.map(living(target), (file) => file !== undefined),
    kill: (target) =>
      Effect.flatMap(living(target), (file) => (file === undefined ? Effect.void : processes.end(file, graceMs)))
  }
}

export const layerProcess = (program: Program): Layer.Layer<HiveLauncher, never, CurrentSettings | Processes> =>
  Layer.effect(
    HiveLauncher,
    Effect.gen(function* () {
      return make(yield* CurrentSettings, yield* Processes, program)
    })
  )
