/** `daemon.json`: how others find a daemon, and know it from another process with the same pid. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { type ProcessId, Processes } from "../process/index.ts"
import { DaemonFiles } from "./index.ts"

export interface DaemonState extends ProcessId {
  readonly port: number
  readonly url: string
  readonly role: "queen" | "hive"
  readonly id: string
  readonly instance: string
  readonly version: string
  /** it does not end when it is idle */
  readonly stays?: boolean
  /** she hands over to a queen of this version */
  readonly successor?: string
}

const fileIn = (folder: string): string => join(folder, "daemon.json")

/** Undefined: torn by a crash, or not ours. */
const stateOf = (text: string | undefined): DaemonState | undefined => {
  try {
    const found: unknown = JSON.parse(text ?? "")
    if (typeof found !== "object" || found === null) return undefined
    const { id, instance, pid, port, role, start, stays, successor, url, version } = found as Readonly<
      Record<string, unknown>
    >
    return typeof id === "string" &&
      typeof instance === "string" &&
      typeof pid === "number" &&
      typeof port === "number" &&
      (role === "queen" || role === "hive") &&
      typeof start === "string" &&
      typeof url === "string" &&
      typeof version === "string"
      ? {
          id,
          instance,
          pid,
          port,
          role,
          start,
          url,
          version,
          ...(stays === true ? { stays } : {}),
          ...(typeof successor === "string" ? { successor } : {})
        }
      : undefined
  } catch {
    return undefined
  }
}

/** What the file says, of a daemon that may be gone. */
const stateIn = (folder: string): Effect.Effect<DaemonState | undefined, never, DaemonFiles> =>
  Effect.flatMap(DaemonFiles, (files) => Effect.map(files.read(fileIn(folder)), stateOf))

/** The daemon that the file names, if its process lives. */
export const living = (folder: string): Effect.Effect<DaemonState | undefined, never, DaemonFiles | Processes> =>
  Effect.gen(function* () {
    const state = yield* stateIn(folder)
    return state !== undefined && (yield* (yield* Processes).alive(state)) ? state : undefined
  })

/** A daemon that was to stay, and whose process is gone: it ended without goodbye, which would have removed the file. */
export const lostToStay = (folder: string): Effect.Effect<DaemonState | undefined, never, DaemonFiles | Processes> =>
  Effect.gen(function* () {
    const state = yield* stateIn(folder)
    return state?.stays !== true || (yield* (yield* Processes).alive(state)) ? undefined : state
  })

/** The version of the queen to whom one handed over, whose process is gone, and who is not there yet. */
export const awaitedSuccessor = (folder: string): Effect.Effect<string | undefined, never, DaemonFiles> =>
  Effect.map(stateIn(folder), (state) => state?.successor)

/** The hives that live and have a state file under `home`, the state folder. */
export const livingHives = (home: string): Effect.Effect<ReadonlyArray<DaemonState>, never, DaemonFiles | Processes> =>
  Effect.gen(function* () {
    const names = yield* (yield* DaemonFiles).folders(home)
    const found = yield* Effect.forEach(
      names.filter((name) => name.startsWith("hive-")),
      (name) => living(join(home, name))
    )
    return found.filter((state) => state !== undefined).filter(({ role }) => role === "hive")
  })

/**
 * Writes the state file, whole or not at all, and removes it at a clean end, unless a successor has its own there. One that
 * fails leaves it, as one that is killed does. Returns how it is written anew.
 */
export const stateFile = (
  folder: string,
  state: DaemonState
): Effect.Effect<(change: Partial<DaemonState>) => Effect.Effect<void>, never, DaemonFiles | Scope.Scope> =>
  Effect.flatMap(DaemonFiles, (files) => {
    const write = (change: Partial<DaemonState>) =>
      files.write(fileIn(folder), `${JSON.stringify({ ...state, ...change })}\n`)
    const remove = Effect.flatMap(stateIn(folder), (found) =>
      found?.instance === state.instance ? files.remove(fileIn(folder)) : Effect.void
    ).pipe(Effect.provideService(DaemonFiles, files))
    return Effect.as(
      Effect.acquireRelease(write({}), (_, exit) => (Exit.isSuccess(exit) ? remove : Effect.void)),
      write
    )
  })
