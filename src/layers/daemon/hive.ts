/**
 * A hive as a daemon of the machine that asks: the queen's own, or the one at the other end of SSH. It outlives the queen
 * that woke it, so it is found again by its state file, and only by it: by pid and start time, never by name or port.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { type DaemonOptions, Processes } from "../process/index.ts"
import { isLoopback } from "../../machines/vocabulary/address.ts"
import { DaemonProbe, type Ports, type Probe } from "./index.ts"
import { type Seen, settled, wake, type Woken } from "./launch.ts"
import { type DaemonState, living } from "./state-file.ts"

/** Where the state of a hive is, and who it is. */
export interface HiveHome {
  readonly id: string
  readonly folder: string
}

export interface HiveHere extends HiveHome {
  readonly program: DaemonOptions
  /** where it will listen */
  readonly url: string
  readonly port: number
  /** what to do where its port is taken */
  readonly otherPort: string
  /** how its log is read */
  readonly logs: string
}

const pollMs = 20
/** a hive binds its port and answers within a fraction of this, also on a loaded machine */
const wakeMs = 20_000

const isIt = (seen: Probe, id: string): boolean =>
  seen._tag === "Daemon" && seen.health.role === "hive" && seen.health.id === id

/** Is it there, and does it answer? */
export const look = ({ folder, id }: HiveHome): Effect.Effect<Seen<DaemonState>, never, Ports> =>
  Effect.gen(function* () {
    const state = yield* living(folder)
    if (state === undefined) return { _tag: "Nobody" }
    return isIt(yield* (yield* DaemonProbe).ask(state.url), id)
      ? { _tag: "There", pid: state.pid, value: state }
      : { _tag: "Silent" }
  })

/**
 * The same of one that was told where to listen. One that says it is at another machine's address is not asked there: it
 * is for whoever wants it to refuse that.
 */
const lookWhereTold = (hive: HiveHere): Effect.Effect<Seen<DaemonState>, never, Ports> =>
  Effect.gen(function* () {
    const state = yield* living(hive.folder)
    return state !== undefined && isElsewhere(state.url, hive.url)
      ? { _tag: "There", pid: state.pid, value: state }
      : yield* look(hive)
  })

const isElsewhere = (url: string, told: string): boolean => {
  if (!URL.canParse(url)) return true
  const { hostname } = new URL(url)
  return hostname !== new URL(told).hostname && !isLoopback(hostname)
}

/**
 * Of an address that is in use while no state file says by whom: one of this hive that has bound it and is still opening
 * its stores, or is ending, is no stranger.
 */
const isFree = ({ id, otherPort, port, url }: HiveHere): Effect.Effect<boolean, RbeeError<"CONFLICT">, Ports> =>
  Effect.gen(function* () {
    const seen = yield* settled(url)
    if (Option.exists(seen, ({ _tag }) => _tag === "Nobody")) return true
    if (Option.exists(seen, (one) => isIt(one, id))) return false
    const owner = (yield* (yield* Processes).portOwner(port)) ?? "another program"
    const what = `port ${port}, where hive ${id} should be, is taken by ${owner}`
    return yield* rbeeError("CONFLICT", what, otherPort, { port, owner })
  })

/** Wakes it, or adopts the one that runs; returns when it answers. */
export const wakeHive = (hive: HiveHere): Effect.Effect<Woken<DaemonState>, RbeeError, Ports> =>
  Effect.flatMap(Effect.context<Ports>(), (ports) =>
    wake({
      who: `hive ${hive.id}`,
      program: hive.program,
      look: Effect.provide(lookWhereTold(hive), ports),
      isFree: Effect.provide(isFree(hive), ports),
      where: `on port ${hive.port}`,
      logs: hive.logs,
      pollMs,
      wakeMs,
      staysOnceUp: false
    })
  )

/** Ends exactly the process that the state file names, and its group. False: there is none. */
export const endHive = (folder: string, graceMs: number): Effect.Effect<boolean, never, Ports> =>
  Effect.gen(function* () {
    const state = yield* living(folder)
    if (state !== undefined) yield* (yield* Processes).end(state, graceMs)
    return state !== undefined
  })
