/**
 * Hive processes of a remote machine: found, launched and ended as a queen does it with her own machine's
 * (`layers/daemon`), for a caller at the other end of SSH.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { heldTo, ofRemoteMachine } from "../../../protocol/failures.ts"
import type { RbeeError } from "../../../machines/errors.ts"
import { urlOf } from "../../../machines/vocabulary/address.ts"
import { endHive, type HiveHome, wakeHive } from "../../daemon/hive.ts"
import type { Ports } from "../../daemon/index.ts"
import { layerNode as layerDaemons } from "../../daemon/node.ts"
import { type DaemonState, living, livingHives as livingIn } from "../../daemon/state-file.ts"
import { layerNode as layerProcesses } from "../../process/node.ts"
import type { Asks, HiveFile } from "../questions.ts"
import { loginEnvironment } from "./login.ts"
import { places } from "./places.ts"
import { refuse } from "./refuse.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"

const told = heldTo(ofRemoteMachine)

/** On this machine; an expected failure is a refusal. */
const here = <A>(effect: Effect.Effect<A, RbeeError, Ports>): Promise<A> =>
  Effect.runPromise(Effect.either(Effect.provide(effect, Layer.merge(layerDaemons, layerProcesses)))).then(
    Either.getOrElse((error) => {
      const { code, todo, what } = told(error)
      return refuse(code, what, todo)
    })
  )

const tokenFile = (folder: string): string => join(folder, "token")

const tokenIn = (folder: string): string | undefined => {
  try {
    return readFileSync(tokenFile(folder), "utf8").trim()
  } catch {
    return undefined
  }
}

const withToken = ({ pid, start, url, version }: DaemonState, folder: string): HiveFile => {
  const token = tokenIn(folder)
  return { pid, start, url, version, ...(token === undefined ? {} : { token }) }
}

/** The hive of this name, if its process lives. */
export const livingHive = async (id: HiveId): Promise<HiveFile | undefined> => {
  const folder = places.hive(id)
  const state = await here(living(folder))
  return state === undefined ? undefined : withToken(state, folder)
}

/** Every hive of this user that lives. */
export const livingHives = (): Promise<ReadonlyArray<DaemonState>> => here(livingIn(places.state))

/** The daemon's whole environment: that of a login, the queen's settings, and its token in a file of its own. */
const environment = async (folder: string, { env, hive, token }: Asks["start"]): Promise<Record<string, string>> => {
  const own = Object.entries(await loginEnvironment()).filter(
    (entry): entry is [string, string] => entry[1] !== undefined
  )
  // what the login was told of its connection is nothing of the daemon's
  const kept = own.filter(([name]) => !/^(SSH_|RBEE_(QUEEN|TOKEN|HIVE_INVITE))/.test(name))
  const all = { ...Object.fromEntries(kept), ...env, RBEE_HIVE_ID: hive }
  const file = tokenFile(folder)
  writeFileSync(file, `${token}\n`, { mode: 0o600 })
  chmodSync(file, 0o600)
  return { ...all, RBEE_TOKEN_FILE: file }
}

/** Detached from this login: a session of its own, its output in its log. Returns when it answers. */
export const start = async (ask: Asks["start"]): Promise<HiveFile> => {
  const running = await livingHive(ask.hive)
  if (running !== undefined) return running
  const program = join(places.packageIn(places.current), "dist", "hive.js")
  if (!existsSync(program))
    return refuse("NOT_INSTALLED", "rbee is not installed there", `rbee hives install ${ask.hive}`)
  const folder = places.hive(ask.hive)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const env = await environment(folder, ask)
  return withToken(await launch(program, { id: ask.hive, folder }, places.logOf(ask.hive), env), folder)
}

/** Starts the hive program and waits until it answers. */
export const launch = async (
  program: string,
  hive: HiveHome,
  logFile: string,
  env: Readonly<Record<string, string>>
): Promise<DaemonState> => {
  const port = Number(env["RBEE_HIVE_PORT"])
  const { value } = await here(
    wakeHive({
      ...hive,
      program: { command: process.execPath, args: [program], env, logFile },
      port,
      url: urlOf(env["RBEE_HIVE_HOST"] ?? "127.0.0.1", port),
      otherPort: `Choose another one: rbee hives rm ${hive.id}, then rbee hives add ${hive.id} --hive-port N`,
      logs: `rbee hives logs ${hive.id}`
    })
  )
  return value
}

export const end = async ({ graceMs, hive }: Asks["end"]): Promise<{ readonly ended: boolean }> => ({
  ended: await endIn(places.hive(hive), graceMs)
})

/** Ends exactly the process that this folder's state file names, and its group. */
export const endIn = (folder: string, graceMs: number): Promise<boolean> => here(endHive(folder, graceMs))
