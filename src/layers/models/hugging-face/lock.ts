/**
 * One process at a time fetches a file into a cache that several hives may share. The lock names its holder by pid and
 * start time, so one that was left by a killed process is seen to be nobody's.
 */
import { mkdir, open, readFile, rm } from "node:fs/promises"
import { dirname } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { identityOf, isAlive } from "../../process/identity.ts"

const lookEveryMs = 200

/** locks of this very process, by path */
const held = new Set<string>()

const takenBy = async (file: string): Promise<"nobody" | "somebody"> => {
  const text = await readFile(file, "utf8").catch(() => undefined)
  if (text === undefined) return "nobody"
  const [pid = "", start = ""] = text.split("\n")
  if (Number(pid) === process.pid) return held.has(file) ? "somebody" : "nobody"
  return isAlive({ pid: Number(pid), start }) ? "somebody" : "nobody"
}

const take = async (file: string): Promise<boolean> => {
  const self = identityOf(process.pid)
  if (held.has(file)) return false
  held.add(file)
  try {
    const handle = await open(file, "wx", 0o600)
    await handle.writeFile(`${process.pid}\n${self?.start ?? ""}\n`).finally(() => handle.close())
    return true
  } catch (error) {
    held.delete(file)
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false
    throw error
  }
}

/** Waits until the lock is ours; `onWait` hears each look while it is somebody else's. Gives what releases it. */
export const acquire = async (
  file: string,
  onWait: () => Promise<void>,
  signal: AbortSignal
): Promise<() => Promise<void>> => {
  await mkdir(dirname(file), { recursive: true })
  while (!(await take(file))) {
    signal.throwIfAborted()
    if (!held.has(file) && (await takenBy(file)) === "nobody") await rm(file, { force: true })
    else {
      await onWait()
      await sleep(lookEveryMs, undefined, { signal })
    }
  }
  return async () => {
    await rm(file, { force: true })
    held.delete(file)
  }
}
