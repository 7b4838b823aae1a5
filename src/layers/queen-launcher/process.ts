/**
 * The queen as a daemon process of this machine. The listening port is the lock: whoever binds it is the queen. Where systemd
 * has it for her while she sleeps (daemon/held-address.ts), to look is not to connect, and to connect is to wake.
 */
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Option from "effect/Option"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { urlOf } from "../../machines/vocabulary/address.ts"
import type { Health } from "../../machines/vocabulary/common.ts"
import { DaemonProbe, type Ports } from "../daemon/index.ts"
import { type Seen, settled, silentMs, type Sure, wake as launch } from "../daemon/launch.ts"
import { askAwake, sleepsAt } from "../daemon/held-address.ts"
import { HiveId } from "../../machines/vocabulary/ids.ts"
import { awaitedSuccessor, livingHives, lostToStay } from "../daemon/state-file.ts"
import { queenFolder } from "../paths/index.ts"
import { Processes } from "../process/index.ts"
import { CurrentSettings, type Settings } from "../settings/index.ts"
import { QueenLauncher } from "./index.ts"

const isHiveId = Schema.is(HiveId)
const pollMs = 15
/** a queen on a loaded machine, or the winner of a race, has this long to answer */
const wakeMs = 30_000
/** the shutdown protocol ends by 33 s (docs/design.md#shutdown) */
const goneMs = 40_000
/** a queen to whom another one handed over is there by then */
const successorMs = 20_000
export interface Program {
  /** path of the queen program */
  readonly file: string
  /** the whole environment of the daemon */
  readonly env: Readonly<Record<string, string>>
}

// long: the calls of one port over one state file, each of them short
const make = (settings: Settings, ports: Context.Context<Ports>, program: Program): QueenLauncher["Type"] => {
  const processes = Context.get(ports, Processes)
  const { ask } = Context.get(ports, DaemonProbe)
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
  const whoIs = (seen: Sure): Effect.Effect<Health | undefined, RbeeError> => {
    if (seen._tag === "Nobody") return Effect.succeed(undefined)
    return seen._tag === "Daemon" && seen.health.role === "queen" ? checked(seen.health) : stranger
  }

  const folder = queenFolder(settings.home)
  const found = Effect.flatMap(settled(url), (seen) => (Option.isNone(seen) ? silent : whoIs(seen.value)))
  const find: QueenLauncher["Type"]["find"] = Effect.flatMap(sleepsAt(folder, url), (sleeps) =>
    sleeps ? Effect.succeed(undefined) : found
  ).pipe(Effect.provide(ports))

  /** Undefined: nobody has her address for her any more. */
  const woken = Effect.gen(function* () {
    for (;;) {
      const seen = yield* ask(url)
      if (seen._tag !== "Silent") return yield* whoIs(seen)
      yield* Effect.sleep(pollMs)
    }
  }).pipe(
    Effect.timeoutFail({
      duration: wakeMs,
      onTimeout: () =>
        rbeeError(
          "CONNECTION_TIMEOUT",
          `the queen whom systemd starts did not answer on port ${port} within ${wakeMs / 1000} s`,
          "See `rbee service logs` and `rbee logs queen`."
        )
    })
  )

  const look: Effect.Effect<Seen<Health>, RbeeError> = Effect.gen(function* () {
    const seen = yield* ask(url)
    if (seen._tag === "Silent") return seen
    const health = yield* whoIs(seen)
    return health === undefined ? { _tag: "Nobody" } : { _tag: "There", pid: health.pid, value: health }
  })

  /** Of an older rbee: a queen of the newer one is on her way, and this one would only take her place. */
  const giveWay = Effect.gen(function* () {
    const successor = yield* awaitedSuccessor(folder)
    if (successor === undefined || successor === settings.version) return
    while ((yield* ask(url))._tag !== "Daemon") yield* Effect.sleep(pollMs)
  }).pipe(Effect.timeoutOption(successorMs), Effect.provide(ports))

  const launched = launch({
    who: "the queen",
    program: { command: process.execPath, args: [program.file], env: program.env, logFile },
    look,
    // she is looked for at the address itself
    isFree: Effect.succeed(true),
    where: `on port ${port}`,
    logs: "See `rbee logs queen`.",
    pollMs,
    wakeMs,
    staysOnceUp: true
  }).pipe(Effect.map(({ value, woken }) => ({ health: value, woken })))

  const wake: QueenLauncher["Type"]["wake"] = Effect.gen(function* () {
    yield* giveWay
    const health = (yield* sleepsAt(folder, url)) ? yield* woken : undefined
    // she is systemd's, and ends with nobody's session
    return health === undefined ? yield* launched : { health, woken: false }
  }).pipe(Effect.provide(ports))

  const gone: QueenLauncher["Type"]["gone"] = (health) =>
    Effect.gen(function* () {
      const id = yield* processes.identify(health.pid)
      for (;;) {
        const lives = id !== undefined && (yield* processes.alive(id))
        // where it is not free, another keeper may have woken the next queen already
        if (!lives && ["Nobody", "Daemon"].includes((yield* askAwake(folder, url))._tag)) return
        yield* Effect.sleep(pollMs)
      }
    }).pipe(
      Effect.provide(ports),
      Effect.timeoutTo({ duration: goneMs, onTimeout: () => false, onSuccess: () => true })
    )

  const hives: QueenLauncher["Type"]["hives"] = livingHives(settings.home.state).pipe(
    Effect.map((found) =>
      found.flatMap(({ id, pid, start }) => (isHiveId(id) ? [{ id, process: { pid, start } }] : []))
    ),
    Effect.provide(ports)
  )

  const lost: QueenLauncher["Type"]["lost"] = Effect.provide(lostToStay(folder), ports)

  return { url, port, find, wake, gone, lost, hives }
}

export const layerProcess = (program: Program) =>
  Layer.effect(
    QueenLauncher,
    Effect.gen(function* () {
      return make(yield* CurrentSettings, yield* Effect.context<Ports>(), program)
    })
  )
