/** Hive processes of a remote machine: found by their state files, known by pid and start time, never by name. */
import { spawn } from "node:child_process"
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { addressInUse } from "../../../machines/vocabulary/address.ts"
import { isAlive } from "../../process/identity.ts"
import { prepareLog } from "../../process/log-file.ts"
import { signalGroup, signalProcess, waitUntil } from "../../process/signals.ts"
import { lastWords, sizeOf } from "../../queen-launcher/last-words.ts"
import type { Asks, HiveFile } from "../questions.ts"
import { loginEnvironment } from "./login.ts"
import { places } from "./places.ts"
import { refuse } from "./refuse.ts"

const readyMs = 20_000

const readHive = (folder: string): (HiveFile & { readonly id: string }) | undefined => {
  try {
    const found: unknown = JSON.parse(readFileSync(join(folder, "daemon.json"), "utf8"))
    if (typeof found !== "object" || found === null) return undefined
    const { id, pid, start, url, version } = found as Readonly<Record<string, unknown>>
    return typeof id === "string" &&
      typeof pid === "number" &&
      typeof start === "string" &&
      typeof url === "string" &&
      typeof version === "string"
      ? { id, pid, start, url, version }
      : undefined
  } catch {
    return undefined
  }
}

/** The hive of this name, if its process lives. */
export const livingHive = (id: string, folder = places.hive(id)): HiveFile | undefined => {
  const file = readHive(folder)
  if (file === undefined || !isAlive(file)) return undefined
  const { pid, start, url, version } = file
  const token = tokenIn(folder)
  return { pid, start, url, version, ...(token === undefined ? {} : { token }) }
}

const tokenFile = (folder: string): string => join(folder, "token")

const tokenIn = (folder: string): string | undefined => {
  try {
    return readFileSync(tokenFile(folder), "utf8").trim()
  } catch {
    return undefined
  }
}

/** Every hive of this user that lives. */
export const livingHives = (): ReadonlyArray<HiveFile & { readonly id: string }> => {
  const folders = existsSync(places.state) ? readdirSync(places.state) : []
  return folders.flatMap((name) => {
    const file = name.startsWith("hive-") ? readHive(join(places.state, name)) : undefined
    return file === undefined || !isAlive(file) ? [] : [file]
  })
}

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

/** Detached from this login: a session of its own, its output in its log. Returns when it has bound its port. */
export const start = async (ask: Asks["start"]): Promise<HiveFile> => {
  const running = livingHive(ask.hive)
  if (running !== undefined) return running
  const program = join(places.packageIn(places.current), "dist", "hive.js")
  if (!existsSync(program))
    return refuse("NOT_INSTALLED", "rbee is not installed there", `rbee hives install ${ask.hive}`)
  const folder = places.hive(ask.hive)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = await launch(program, folder, places.logOf(ask.hive), await environment(folder, ask))
  return file
}

/** Starts the hive program and waits for its state file. */
export const launch = async (
  program: string,
  folder: string,
  log: string,
  env: Readonly<Record<string, string>>
): Promise<HiveFile> => {
  prepareLog(log)
  const offset = sizeOf(log)
  const output = openSync(log, "a", 0o600)
  const child = spawn(process.execPath, [program], {
    env: { ...env },
    cwd: folder,
    detached: true,
    stdio: ["ignore", output, output]
  })
  closeSync(output)
  let exit: number | undefined
  child.once("exit", (code) => {
    exit = code ?? -1
  })
  const id = env["RBEE_HIVE_ID"] ?? ""
  await waitUntil(() => exit !== undefined || livingHive(id, folder) !== undefined, readyMs)
  child.unref()
  const found = livingHive(id, folder)
  if (found !== undefined) return found
  if (exit === undefined && child.pid !== undefined) signalGroup(child.pid, "SIGKILL")
  const port = env["RBEE_HIVE_PORT"] ?? ""
  if (exit === addressInUse)
    return refuse(
      "CONFLICT",
      `port ${port}, where hive ${id} should be, is taken: ${lastWords(log, offset)}`,
      `Choose another one: rbee hives rm ${id}, then rbee hives add ${id} --hive-port N`
    )
  if (exit === undefined)
    return refuse("CONNECTION_TIMEOUT", `hive ${id} was not ready within ${readyMs / 1000} s`, `rbee hives logs ${id}`)
  return refuse(
    "INTERNAL",
    `hive ${id} ended while it was starting: ${lastWords(log, offset)}`,
    `rbee hives logs ${id}`
  )
}

/** Ends exactly that process and its group. */
export const endProcess = async (file: HiveFile, graceMs: number): Promise<boolean> => {
  const gone = () => !isAlive(file)
  signalProcess(file.pid, "SIGTERM")
  if (await waitUntil(gone, graceMs)) return true
  if (!gone()) signalGroup(file.pid, "SIGKILL")
  return waitUntil(gone, graceMs)
}

export const end = async ({ graceMs, hive }: Asks["end"]): Promise<{ readonly ended: boolean }> => {
  const file = livingHive(hive)
  return { ended: file === undefined ? false : await endProcess(file, graceMs) }
}
