/** Hives as daemon processes of this machine (`layers/daemon/hive.ts`). */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { urlOf } from "../../machines/vocabulary/address.ts"
import { endHive, look, wakeHive } from "../daemon/hive.ts"
import type { Ports } from "../daemon/index.ts"
import { type DaemonState, living } from "../daemon/state-file.ts"
import { hiveFolder } from "../paths/index.ts"
import { type ProcessId, Processes } from "../process/index.ts"
import { CurrentSettings, type Settings } from "../settings/index.ts"
import { HiveLauncher, type HiveTarget, wokenHere, wokenMark } from "./index.ts"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

export interface Program {
  /** path of the hive program */
  readonly file: string
  /** the whole environment of the daemon */
  readonly env: Readonly<Record<string, string>>
}

/** what a hive that does not answer may take to obey SIGTERM */
const graceMs = 1000

const make = (settings: Settings, program: Program) => {
  const { host, port } = settings.hive
  const seen = new Map<HiveId, ProcessId>()
  const noted = ({ id }: HiveTarget, state: DaemonState | undefined): DaemonState | undefined => {
    if (state !== undefined) seen.set(id, state)
    return state
  }
  /** It ends its file before itself: while the process that had it lives, it is there. */
  const isLeaving = ({ id }: HiveTarget) =>
    Effect.flatMap(Processes, ({ alive }) => {
      const last = seen.get(id)
      return last === undefined ? Effect.succeed(false) : alive(last)
    })
  const homeOf = ({ id }: HiveTarget) => ({ id, folder: hiveFolder(settings.home, id) })
  const hiveOf = (target: HiveTarget) => ({
    ...homeOf(target),
    program: {
      command: process.execPath,
      args: [program.file],
      env: { ...program.env, RBEE_HIVE_ID: target.id, [wokenMark]: target.id === settings.hive.id ? wokenHere : "1" },
      logFile: join(settings.home.logs, `hive-${target.id}.log`)
    },
    port: target.port,
    url: urlOf(host, target.port),
    otherPort: "End that program, or choose another port with RBEE_HIVE_PORT",
    logs: "See `rbee logs hive`"
  })
  return {
    target: (id: HiveId): HiveTarget => ({ id, at: `localhost:${port}`, port }),
    find: (target: HiveTarget) =>
      Effect.map(look(homeOf(target)), (found) =>
        found._tag === "There" ? noted(target, found.value)?.url : undefined
      ),
    wake: (target: HiveTarget) =>
      Effect.map(wakeHive(hiveOf(target)), ({ value, woken }) => {
        noted(target, value)
        return { url: value.url, woken }
      }),
    present: (target: HiveTarget) =>
      Effect.flatMap(living(homeOf(target).folder), (state) =>
        noted(target, state) === undefined ? isLeaving(target) : Effect.succeed(true)
      ),
    kill: (target: HiveTarget) => Effect.asVoid(endHive(homeOf(target).folder, graceMs))
  }
}

export const layerProcess = (program: Program): Layer.Layer<HiveLauncher, never, CurrentSettings | Ports> =>
  Layer.effect(
    HiveLauncher,
    Effect.gen(function* () {
      const ports = yield* Effect.context<Ports>()
      const here = make(yield* CurrentSettings, program)
      return {
        target: here.target,
        find: (target) => Effect.provide(here.find(target), ports),
        wake: (target) => Effect.provide(here.wake(target), ports),
        present: (target) => Effect.provide(here.present(target), ports),
        kill: (target) => Effect.provide(here.kill(target), ports),
        reachable: () => Effect.succeed(true),
        letGo: () => Effect.void
      }
    })
  )
