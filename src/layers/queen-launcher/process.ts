/** The queen as a daemon process of this machine. The listening port is the lock: whoever binds it is the queen. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { addressInUse, urlOf } from "../../machines/vocabulary/address.ts"
import type { Health } from "../../machines/vocabulary/common.ts"
import { Processes } from "../process/index.ts"
import { CurrentSettings, type Settings } from "../settings/index.ts"
import { QueenLauncher } from "./index.ts"
import { hivesOnFile } from "./hives-on-file.ts"
import { endedEarly, sizeOf } from "./last-words.ts"
import { type Probe, probe } from "./probe.ts"

const pollMs = 15
/** a queen on a loaded machine, or the winner of a race, has this long to answer */
const wakeMs = 30_000
/** who is silent this long on the queen's port is taken for a stranger; /health answers in under 500 ms */
const silentMs = 4000
/** the shutdown protocol ends by 33 s (docs/design.md#shutdown) */
const goneMs = 40_000
/** a race that nobody won (the winner died) is run again */
const maxSpawns = 3
/** what a queen that is not needed may take to obey SIGTERM */
const graceMs = 1000

export interface Program {
  /** path of the queen program */
  readonly file: string
  /** the whole environment of the daemon */
  readonly env: Readonly<Record<string, string>>
}

const make = (settings: Settings, processes: Processes["Type"], program: Program): QueenLauncher["Type"] => {
  const { host, port } = settings.queen
  const url = urlOf(host, port)
  const logFile = join(settings.home.logs, "queen.log")

  const holder = Effect.map(processes.portOwner(port), (owner = "another program") => owner)
  const stranger = Effect.flatMap(holder, (owner) =>
    rbeeError(
      "CONFLICT",
      `port ${port}, where the queen should be, is taken by ${owner}, which is no rbee queen`,
      "End that program, or choose another port with RBEE_QUEEN_PORT.",
      { port, owner }
    )
  )
  /** A queen that was stopped or hangs, or a stranger: who says nothing cannot be told apart. */
  const silent = Effect.flatMap(holder, (owner) =>
    rbeeError(
      "CONNECTION_TIMEOUT",
      `${owner} listens on port ${port}, where the queen should be, and did not answer /health for ${silentMs / 1000} s`,
      "If it is a queen that was stopped, her jobs go on when she continues (`kill -CONT`); else end that program, or choose another port with RBEE_QUEEN_PORT.",
      { port, owner }
    )
  )
  const checked = (health: Health): Effect.Effect<Health, RbeeError<"VERSION_MISMATCH">> =>
    health.version === settings.version
      ? Effect.succeed(health)
      : Effect.fail(
          rbeeError(
            "VERSION_MISMATCH",
            `the queen on port ${port} is rbee ${health.version}, this is rbee ${settings.version}`,
            "Run `rbee down` to end her, then repeat the command.",
            { queen: health.version, keeper: settings.version, health }
          )
        )
  // a queen that is just ending hangs up, one that is just starting lets wait: both settle
  const settled: Effect.Effect<Probe> = Effect.flatMap(probe(url), (seen) =>
    seen._tag === "Silent" ? Effect.delay(settled, pollMs) : Effect.succeed(seen)
  )
  const find: QueenLauncher["Type"]["find"] = Effect.gen(function* () {
    const seen = yield* Effect.timeoutOption(settled, silentMs)
    if (Option.isNone(seen)) return yield* silent
    if (seen.value._tag === "Queen") return yield* checked(seen.value.health)
    return seen.value._tag === "Nobody" ? undefined : yield* stranger
  })

  /** Not to be interrupted: whoever was started is known. */
  const spawn = Effect.gen(function* () {
    const offset = sizeOf(logFile)
    const child = yield* processes.daemon({
      command: process.execPath,
      args: [program.file],
      env: program.env,
      logFile
    })
    const exit: { code: number | undefined; seen: boolean } = { code: undefined, seen: false }
    yield* child.exit.pipe(
      Effect.map((status) => {
        exit.seen = true
        exit.code = status.code
      }),
      Effect.interruptible,
      Effect.fork
    )
    return { id: child.id, offset, exit }
  })

  /** One that lost the race, or that nobody waits for any more, would come up once the port is free: after `down` too. */
  const endUnneeded = ({ exit, id }: Effect.Effect.Success<typeof spawn>) =>
    Effect.suspend(() =>
      exit.seen
        ? Effect.void
        : Effect.flatMap(probe(url), (seen) =>
            seen._tag === "Queen" && seen.health.pid === id.pid ? Effect.void : processes.end(id, graceMs)
          )
    )

  const wakeWith = (start: Effect.Effect<Effect.Effect.Success<typeof spawn>, RbeeError>) =>
    Effect.gen(function* () {
      let child = yield* start
      let spawns = 1
      for (;;) {
        const seen = yield* probe(url)
        if (seen._tag === "Queen")
          return { health: yield* checked(seen.health), woken: seen.health.pid === child.id.pid }
        if (seen._tag === "Stranger") return yield* stranger
        if (child.exit.seen && child.exit.code !== addressInUse)
          return yield* endedEarly("the queen", logFile, child.offset, "See `rbee logs queen`.")
        if (child.exit.seen && seen._tag === "Nobody" && spawns < maxSpawns) {
          spawns++
          child = yield* start
        }
        yield* Effect.sleep(pollMs)
      }
    }).pipe(
      Effect.timeoutFail({
        duration: wakeMs,
        onTimeout: () =>
          rbeeError(
            "CONNECTION_TIMEOUT",
            `the queen did not answer on port ${port} within ${wakeMs / 1000} s`,
            "See `rbee logs queen`."
          )
      })
    )
  const wake: QueenLauncher["Type"]["wake"] = Effect.suspend(() => {
    let latest: Effect.Effect.Success<typeof spawn> | undefined
    const start = Effect.uninterruptible(Effect.tap(spawn, (child) => Effect.sync(() => (latest = child))))
    return Effect.onExit(wakeWith(start), (exit) =>
      latest === undefined || (Exit.isSuccess(exit) && exit.value.woken) ? Effect.void : endUnneeded(latest)
    )
  })

  const gone: QueenLauncher["Type"]["gone"] = (health) =>
    Effect.gen(function* () {
      const id = yield* processes.identify(health.pid)
      for (;;) {
        const lives = id !== undefined && (yield* processes.alive(id))
        // where it is not free, another keeper may have woken the next queen already
        if (!lives && ["Nobody", "Queen"].includes((yield* probe(url))._tag)) return
        yield* Effect.sleep(pollMs)
      }
    }).pipe(Effect.timeoutTo({ duration: goneMs, onTimeout: () => false, onSuccess: () => true }))

  const hives: QueenLauncher["Type"]["hives"] = Effect.suspend(() =>
    Effect.filter(hivesOnFile(settings.home), (hive) => processes.alive(hive.process))
  )

  return { url, port, find, wake, gone, hives }
}

export const layerProcess = (program: Program) =>
  Layer.effect(
    QueenLauncher,
    Effect.gen(function* () {
      return make(yield* CurrentSettings, yield* Processes, program)
    })
  )
