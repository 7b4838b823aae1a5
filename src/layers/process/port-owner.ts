/** Who listens on a TCP port of this machine. Best effort and bounded: it only makes an error message better. */
import { execFile } from "node:child_process"
import { readdir, readFile, readlink } from "node:fs/promises"
import { promisify } from "node:util"
import { toolEnvironment } from "./environment.ts"

/** milliseconds that the search through all processes may take */
const searchMs = 1500
/** processes that are looked at together: on a machine with much to do each look waits for its turn */
const atOnce = 16
const listening = "0A"

interface Listener {
  readonly uid: string
  readonly inode: string
}

/** A line of /proc/net/tcp: sl, local address:PORT (hex), remote, state, queues, timer, retransmits, uid, timeout, inode. */
export const listenerOf = (table: string, port: number): Listener | undefined => {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`
  for (const line of table.split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/)
    const [local, state, uid, inode] = [fields[1], fields[3], fields[7], fields[9]]
    if (local?.endsWith(wanted) === true && state === listening && uid !== undefined && inode !== undefined)
      return { uid, inode }
  }
  return undefined
}

const quietly = <A>(work: Promise<A>): Promise<A | undefined> => work.catch(() => undefined)

const holds = async (pid: string, socket: string): Promise<boolean> => {
  const fds = (await quietly(readdir(`/proc/${pid}/fd`))) ?? []
  const held = await Promise.all(fds.map((fd) => quietly(readlink(`/proc/${pid}/fd/${fd}`))))
  return held.includes(socket)
}

const fromProc = async (port: number): Promise<string | undefined> => {
  let listener: Listener | undefined
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"])
    listener ??= listenerOf((await quietly(readFile(table, "utf8"))) ?? "", port)
  if (listener === undefined) return undefined
  const until = performance.now() + searchMs
  const socket = `socket:[${listener.inode}]`
  const pids = ((await quietly(readdir("/proc"))) ?? []).filter((name) => /^\d+$/.test(name))
  for (let at = 0; at < pids.length && performance.now() < until; at += atOnce) {
    const some = pids.slice(at, at + atOnce)
    const holding = await Promise.all(some.map((pid) => holds(pid, socket)))
    const pid = some[holding.indexOf(true)]
    if (pid === undefined) continue
    const name = (await quietly(readFile(`/proc/${pid}/comm`, "utf8")))?.trim()
    return name === undefined ? `pid ${pid}` : `pid ${pid} (${name})`
  }
  // the descriptors of another user's process cannot be read
  return `a process of user id ${listener.uid}`
}

const fromLsof = async (port: number): Promise<string | undefined> => {
  const ask = promisify(execFile)("lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-Fpc"], {
    timeout: searchMs * 4,
    env: toolEnvironment()
  })
  const out = (await quietly(ask))?.stdout ?? ""
  const [pid, name] = [/^p(\d+)$/m.exec(out)?.[1], /^c(.+)$/m.exec(out)?.[1]]
  return pid === undefined ? undefined : `pid ${pid} (${name ?? "?"})`
}

/** "pid 1234 (nginx)", as far as it can be known. */
export const portOwner = (port: number): Promise<string | undefined> =>
  quietly(process.platform === "linux" ? fromProc(port) : fromLsof(port))
