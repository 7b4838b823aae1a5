/**
 * The launch protocol: one for queens and hives, for this machine, the other end of SSH and the simulator. The address is
 * the lock: of two daemons that start at once one binds it, and the other ends with `addressInUse`. So whoever wants one
 *
 * 1. looks whether it is there;
 * 2. starts one, and looks again and again until one answers: its own, or that of somebody who was faster;
 * 3. gives the reason, from its log, where it ended early; starts another where the address was given up meanwhile;
 * 4. gives up after a limit;
 * 5. and leaves nothing behind that it started and that nobody needs: it would come up once the address is free.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { addressInUse } from "../../machines/vocabulary/address.ts"
import { type DaemonOptions, type ExitStatus, Processes, type ProcessId } from "../process/index.ts"
import { DaemonFiles, DaemonProbe, type Probe } from "./index.ts"
import { endedEarly } from "./last-words.ts"

export type Seen<A> =
  | { readonly _tag: "Nobody" }
  /** it is there, and does not answer yet */
  | { readonly _tag: "Silent" }
  | { readonly _tag: "There"; readonly pid: number; readonly value: A }

export interface Daemon<A> {
  /** "the queen", "hive h2" */
  readonly who: string
  readonly program: DaemonOptions
  readonly look: Effect.Effect<Seen<A>, RbeeError>
  /**
   * Asked where the one that was started found its address in use, and nobody is seen: is it free by now? `false`: held by
   * one of ours, that will be seen. Fails with whose it is, where it is nobody's of ours.
   */
  readonly isFree: Effect.Effect<boolean, RbeeError>
  /** how long it may take to answer, also on a loaded machine */
  readonly wakeMs: number
  readonly pollMs: number
  /** "on port 8500" */
  readonly where: string
  /** how its log is read */
  readonly logs: string
  /** Is it left alone once it answers, though whoever started it is gone? Another may have taken it. */
  readonly staysOnceUp: boolean
}

export interface Woken<A> {
  readonly value: A
  /** false: it was there already, or somebody else was faster */
  readonly woken: boolean
}

/** a race that nobody won (the winner died, or was just ending) is run again */
const maxStarts = 3
/** what one that is not needed may take to obey SIGTERM */
const graceMs = 1000

interface Started {
  readonly id: ProcessId
  readonly exit: Fiber.Fiber<ExitStatus>
  /** where its own words begin in the log */
  readonly logAt: number
}

const started = <A>({ program }: Daemon<A>) =>
  Effect.gen(function* () {
    const logAt = yield* (yield* DaemonFiles).size(program.logFile)
    const { exit, id } = yield* (yield* Processes).daemon(program)
    return { id, logAt, exit: yield* Effect.fork(Effect.interruptible(exit)) }
  })

/** How it ended; undefined: it runs. */
const endOf = ({ exit }: Started) =>
  Effect.map(
    Fiber.poll(exit),
    Option.match({ onNone: () => undefined, onSome: (done) => (Exit.isSuccess(done) ? done.value : undefined) })
  )

const awaited = <A, R>(daemon: Daemon<A>, start: Effect.Effect<Started, RbeeError, R>) =>
  Effect.gen(function* () {
    const found = yield* daemon.look
    if (found._tag === "There") return { value: found.value, woken: false }
    let child = yield* start
    for (let starts = 1; ;) {
      const end = yield* endOf(child)
      const seen = yield* daemon.look
      if (seen._tag === "There") return { value: seen.value, woken: seen.pid === child.id.pid }
      if (end !== undefined && end.code !== addressInUse)
        return yield* endedEarly(daemon.who, daemon.program.logFile, child.logAt, daemon.logs)
      if (end !== undefined && seen._tag === "Nobody" && (yield* daemon.isFree) && starts < maxStarts) {
        starts++
        child = yield* start
      }
      yield* Effect.sleep(daemon.pollMs)
    }
  }).pipe(
    Effect.timeoutFail({
      duration: daemon.wakeMs,
      onTimeout: () =>
        rbeeError(
          "CONNECTION_TIMEOUT",
          `${daemon.who} did not answer ${daemon.where} within ${daemon.wakeMs / 1000} s`,
          daemon.logs
        )
    })
  )

const endUnneeded = <A>({ look, staysOnceUp }: Daemon<A>, child: Started) =>
  Effect.gen(function* () {
    if ((yield* endOf(child)) !== undefined) return
    const seen = yield* Effect.option(look)
    const isUp = Option.exists(seen, (one) => one._tag === "There" && one.pid === child.id.pid)
    if (!(isUp && staysOnceUp)) yield* (yield* Processes).end(child.id, graceMs)
  })

/** Wakes it, or takes the one that is there; returns when it answers. */
export const wake = <A>(daemon: Daemon<A>): Effect.Effect<Woken<A>, RbeeError, Processes | DaemonFiles> =>
  Effect.suspend(() => {
    let latest: Started | undefined
    // not to be interrupted: whoever was started is known
    const start = Effect.uninterruptible(Effect.tap(started(daemon), (child) => Effect.sync(() => (latest = child))))
    return Effect.onExit(awaited(daemon, start), (exit) =>
      latest === undefined || (Exit.isSuccess(exit) && exit.value.woken) ? Effect.void : endUnneeded(daemon, latest)
    )
  })

/** who is silent this long at a daemon's address is taken for a stranger; /health answers in under 500 ms */
export const silentMs = 4000
const settleMs = 15

export type Sure = Exclude<Probe, { readonly _tag: "Silent" }>

/** Who is there: one that is just ending hangs up, one that is just starting lets wait, both settle. None: silence. */
export const settled = (url: string): Effect.Effect<Option.Option<Sure>, never, DaemonProbe> =>
  Effect.gen(function* () {
    const probe = yield* DaemonProbe
    for (;;) {
      const seen = yield* probe.ask(url)
      if (seen._tag !== "Silent") return seen
      yield* Effect.sleep(settleMs)
    }
  }).pipe(Effect.timeoutOption(silentMs))
