/**
 * What a login sets: a command over SSH reads no profile, and there stand the proxies, the certificates and npm's
 * settings that programs of this user need to reach the network.
 */
import { spawn } from "node:child_process"
import { userInfo } from "node:os"
import { type Env, npmEnvironment } from "../../process/environment.ts"
import { signalGroup } from "../../process/signals.ts"

/** A profile that asks something, or waits for a network, is gone on without. */
const profileMs = 5000

const shellOf = (): string => {
  try {
    return userInfo().shell ?? process.env["SHELL"] ?? "/bin/sh"
  } catch {
    return process.env["SHELL"] ?? "/bin/sh" // a user without an entry
  }
}

/** `NAME=value`, each ended by a NUL; a profile may have said something before the first. */
const parsed = (text: string): Env => {
  const [first = "", ...others] = text.split("\0")
  const entries = [first.slice(first.lastIndexOf("\n") + 1), ...others].flatMap((entry) => {
    const at = entry.indexOf("=")
    return at > 0 ? [[entry.slice(0, at), entry.slice(at + 1)] as const] : []
  })
  return Object.fromEntries(entries)
}

const printed = (shell: string): Promise<string> =>
  new Promise((resolve) => {
    const child = spawn(shell, ["-l", "-c", "env -0"], { detached: true, stdio: ["ignore", "pipe", "ignore"] })
    const timer = setTimeout(() => child.pid !== undefined && signalGroup(child.pid, "SIGKILL"), profileMs)
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (more: string) => (text += more))
    child.once("error", () => resolve(""))
    child.once("close", (code) => {
      clearTimeout(timer)
      resolve(code === 0 ? text : "")
    })
  })

/** Ours, and of a login's what leads to the network; where rbee is kept is what this very session was told. */
export const loginEnvironment = async (): Promise<Env> => {
  const { RBEE_HOME: _, ...login } = npmEnvironment(parsed(await printed(shellOf())))
  return { ...process.env, ...login }
}
