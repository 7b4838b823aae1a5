/** Starting and stopping queen and hives by hand: `up`, `down`, `queen start|stop`, `hives start|stop`. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Processes } from "../../layers/process/index.ts"
import { QueenConnector } from "../../layers/queen-connector/index.ts"
import { type OwnApi } from "../../protocol/queen/own.ts"
import { type LivingHive, QueenLauncher } from "../../layers/queen-launcher/index.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { isOlder } from "../../machines/policy/version.ts"
import { cascadeAsk, queenAsleep, queenAwake, queenLaunch } from "../../machines/narration.ts"
import type { Health } from "../../machines/vocabulary/common.ts"
import type { HiveView } from "../../machines/vocabulary/hive.ts"
import { makeQueenLink } from "./queen-link.ts"
import type { Renderer } from "./renderer.ts"
import type { HiveId } from "../../machines/vocabulary/ids.ts"
import { fact } from "../../machines/facts.ts"

const pollMs = 25
/** a hive started by hand is healthy, or has failed, within this time */
const hiveStartMs = 60_000
/** a hive whose queen is gone re-attaches with its next heartbeats */
const attachMs = 15_000
/** after the cascade a hive has this long to leave, then this keeper ends it */
const leaveMs = 5000

export const running: ReadonlySet<string> = new Set(["healthy", "degraded"])
const settled: ReadonlySet<string> = new Set([...running, "failed", "stopped"])

/** What happened: already so, or done now. */
export interface Change {
  readonly changed: boolean
}

/** The queen, also of another version: she can still be stopped and shown. */
export const findAnyQueen: Effect.Effect<Health | undefined, RbeeError, QueenLauncher> = Effect.flatMap(
  QueenLauncher,
  ({ find }) =>
    Effect.catchAll(find, (error) => {
      const other = error.code === "VERSION_MISMATCH" ? fact(error, "health") : undefined
      return other === undefined ? Effect.fail(error) : Effect.succeed(other)
    })
)

/** Finds or wakes the queen. */
export const startQueen = (
  renderer: Renderer
): Effect.Effect<Change & { readonly health: Health }, RbeeError, QueenLauncher> =>
  Effect.gen(function* () {
    const launcher = yield* QueenLauncher
    const found = yield* launcher.find
    if (found !== undefined) return { changed: false, health: found }
    renderer.say(queenAsleep())
    renderer.say(queenLaunch(launcher.port))
    const { health } = yield* launcher.wake
    renderer.say(queenAwake())
    return { changed: true, health }
  })

export const connect: Effect.Effect<OwnApi, never, QueenLauncher | QueenConnector> = Effect.gen(function* () {
  return (yield* QueenConnector).connect((yield* QueenLauncher).url)
})

const hiveView = (api: OwnApi, id: HiveId): Effect.Effect<HiveView | undefined, RbeeError> =>
  Effect.map(api.listHives({}), (hives) => hives.find((hive) => hive.id === id))

/** The hive as soon as `condition` holds; as it was last seen when the time is up. */
const awaitHive = (
  api: OwnApi,
  id: HiveId,
  condition: (hive: HiveView | undefined) => boolean,
  limitMs: number
): Effect.Effect<HiveView | undefined, RbeeError> =>
  Effect.gen(function* () {
    let seen: HiveView | undefined
    const watch = Effect.gen(function* () {
      for (;;) {
        seen = yield* hiveView(api, id)
        if (condition(seen)) return
        yield* Effect.sleep(pollMs)
      }
    })
    yield* Effect.timeoutOption(watch, limitMs)
    return seen
  })

/** Wakes a hive, the queen before it if she sleeps. `local` is the id of this machine's own hive, always known. */
export const startHive = (
  renderer: Renderer,
  id: HiveId,
  local: HiveId,
  takeOver = false
): Effect.Effect<Change & { readonly hive: HiveView }, RbeeError, QueenLauncher | QueenConnector> =>
  Effect.gen(function* () {
    yield* startQueen(renderer)
    const api = yield* connect
    const before = yield* hiveView(api, id)
    if (before !== undefined && running.has(before.state)) return { changed: false, hive: before }
    if (before === undefined && id === local)
      yield* Effect.catchIf(
        api.addHive({ id }),
        (error) => error.code === "CONFLICT",
        () => Effect.void
      )
    yield* api.startHive({ id, ...(takeOver ? { take_over: true } : {}) })
    const hive = yield* awaitHive(api, id, (seen) => seen !== undefined && settled.has(seen.state), hiveStartMs)
    if (hive === undefined || !running.has(hive.state))
      return yield* Effect.fail(
        rbeeError(
          "CONNECTION_TIMEOUT",
          `hive ${id} did not start: it is ${hive?.state ?? "unknown"}`,
          "See `rbee logs hive`."
        )
      )
    return { changed: true, hive }
  })

const awaitGone = (hives: ReadonlyArray<LivingHive>, limitMs: number) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    const wait = Effect.gen(function* () {
      for (const hive of hives) while (yield* processes.alive(hive.process)) yield* Effect.sleep(pollMs)
    })
    yield* Effect.timeoutOption(wait, limitMs)
    return yield* Effect.filter(hives, (hive) => processes.alive(hive.process))
  })

/** A hive that lives without its queen is taken back by the next one, who alone may stop it. */
const reattach = (renderer: Renderer, hives: ReadonlyArray<LivingHive>) =>
  Effect.gen(function* () {
    yield* startQueen(renderer)
    const api = yield* connect
    for (const hive of hives)
      yield* awaitHive(api, hive.id, (seen) => seen !== undefined && running.has(seen.state), attachMs)
  })

export const stopHive = (
  renderer: Renderer,
  id: HiveId
): Effect.Effect<Change, RbeeError, QueenLauncher | QueenConnector | Processes> =>
  Effect.gen(function* () {
    const launcher = yield* QueenLauncher
    const alive = (yield* launcher.hives).filter((hive) => hive.id === id)
    if ((yield* findAnyQueen) === undefined) {
      if (alive.length === 0) return { changed: false }
      yield* reattach(renderer, alive)
    }
    const api = yield* connect
    const before = yield* hiveView(api, id)
    const idle = before === undefined || before.state === "cold" || before.state === "stopped"
    if (idle && alive.length === 0) return { changed: false }
    yield* api.stopHive({ id })
    yield* awaitHive(api, id, (seen) => seen === undefined || !["stopping", ...running].includes(seen.state), leaveMs)
    const left = yield* awaitGone(alive, leaveMs)
    if (left.length > 0)
      return yield* Effect.fail(
        rbeeError("CONNECTION_TIMEOUT", `hive ${id} is still there after ${leaveMs / 1000} s`, "See `rbee logs hive`.")
      )
    return { changed: true }
  })

/** Ends the queen; with `cascade` workers and hives first. Returns when everything that ends is gone. */
export const stopQueen = (
  renderer: Renderer,
  cascade: boolean
): Effect.Effect<Change, RbeeError, QueenLauncher | QueenConnector | Processes> =>
  Effect.scoped(
    Effect.gen(function* () {
      const launcher = yield* QueenLauncher
      const processes = yield* Processes
      const hives = cascade ? yield* launcher.hives : []
      const found = yield* findAnyQueen
      if (found === undefined) {
        if (hives.length === 0) return { changed: false }
        yield* reattach(renderer, hives)
      }
      const health = found ?? (yield* findAnyQueen)
      const link = yield* makeQueenLink(renderer)
      if (cascade) yield* Effect.ignore(link.watch)
      link.hold()
      yield* Effect.catchIf(
        link.api.shutdown({ cascade }),
        // another keeper was faster
        (error) => error.code === "SHUTTING_DOWN",
        () => Effect.void
      )
      if (cascade) renderer.say(cascadeAsk())
      link.release()
      if (cascade) yield* link.leave
      const gone = health === undefined || (yield* launcher.gone(health))
      if (!gone)
        return yield* Effect.fail(
          rbeeError("CONNECTION_TIMEOUT", "the queen is still there after 40 s", "See `rbee logs queen`.")
        )
      // the queen ends a hive before herself; what she could not reach is ended by pid and start time
      for (const hive of yield* awaitGone(hives, leaveMs)) yield* processes.end(hive.process, leaveMs)
      return { changed: true }
    })
  )

/** What an upgrade found and did. */
export type Upgrade =
  | { readonly _tag: "Asleep" }
  | { readonly _tag: "Same" }
  /** the hives of other machines that ran: why one is not of the newer version now */
  | { readonly _tag: "Done"; readonly from: string; readonly remote: ReadonlyArray<RemoteUpgrade> }

export interface RemoteUpgrade {
  readonly id: HiveId
  readonly error?: RbeeError
}

/** how one that has no such call says so */
const unknownCall: ReadonlySet<string> = new Set(["NOT_FOUND", "METHOD_NOT_ALLOWED"])
/** she drains, and is gone within this time besides, milliseconds */
const handoverMs = 10_000
/** whoever looks after her has started the next one by then */
const restartMs = 20_000
/** rbee is brought to another machine within this time: npm may compile there */
const installMs = 15 * 60_000

/** Where systemd starts the next one she is not to be woken beside it. */
const nextOne = (version: string) =>
  Effect.gen(function* () {
    while ((yield* findAnyQueen)?.version !== version) yield* Effect.sleep(pollMs)
  }).pipe(Effect.ignore, Effect.timeoutOption(restartMs))

/** She brings it to her version as she wakes it. */
const awaitUpgraded = (api: OwnApi, id: HiveId): Effect.Effect<RemoteUpgrade, RbeeError> =>
  Effect.gen(function* () {
    const asked = yield* Effect.either(api.startHive({ id }))
    // the call has less patience than npm
    if (asked._tag === "Left" && asked.left.code !== "CONNECTION_TIMEOUT") return { id, error: asked.left }
    const hive = yield* awaitHive(api, id, (seen) => seen !== undefined && settled.has(seen.state), installMs)
    if (hive !== undefined && running.has(hive.state)) return { id }
    return { id, error: rbeeError("CONNECTION_TIMEOUT", `it is ${hive?.state ?? "unknown"}`, "See `rbee hives show`") }
  })

export interface UpgradeOptions {
  readonly drainMs: number
  readonly version: string
  /** systemd looks after her, and starts the next one */
  readonly isRestarted: boolean
}

/**
 * An older queen hands over to one of this version on the same stores: answers may finish, what is left is gone on with, token
 * for token. Her machine's hive is replaced by the next queen, and those of other machines are brought to her version.
 */
export const upgradeQueen = (
  renderer: Renderer,
  { drainMs, isRestarted, version }: UpgradeOptions
): Effect.Effect<Upgrade, RbeeError, QueenLauncher | QueenConnector | Processes> =>
  Effect.gen(function* () {
    const launcher = yield* QueenLauncher
    const processes = yield* Processes
    const found = yield* findAnyQueen
    if (found === undefined) return { _tag: "Asleep" }
    if (found.version === version) return { _tag: "Same" }
    if (!isOlder(found.version, version))
      return yield* rbeeError(
        "VERSION_MISMATCH",
        `the queen on port ${launcher.port} is rbee ${found.version}, which is no older than this one (${version})`,
        "Run the newer rbee's own command"
      )
    const api = yield* connect
    const hives = yield* api.listHives({})
    const id = yield* processes.identify(found.pid)
    yield* Effect.catchIf(
      api.handover({ to: version }),
      (error) => unknownCall.has(error.code),
      () =>
        rbeeError(
          "VERSION_MISMATCH",
          `rbee ${found.version} cannot hand over`,
          "When its answers are done: `rbee down`, then `rbee up`"
        )
    )
    const leaves = Effect.gen(function* () {
      if (id !== undefined) while (yield* processes.alive(id)) yield* Effect.sleep(pollMs)
    })
    const isGone = Option.isSome(yield* Effect.timeoutOption(leaves, drainMs + handoverMs))
    if (!isGone)
      return yield* rbeeError("CONNECTION_TIMEOUT", "the older queen is still there", "See `rbee logs queen`.")
    if (isRestarted) yield* nextOne(version)
    yield* startQueen(renderer)
    const ran = hives.flatMap(({ id: hive, ssh, state }) => (ssh !== undefined && running.has(state) ? [hive] : []))
    const remote = yield* Effect.forEach(ran, (one) => awaitUpgraded(api, one), { concurrency: "unbounded" })
    return { _tag: "Done", from: found.version, remote }
  })
