/**
 * A systemd of our own: what manages the services of a user, in a mount namespace that looks as if the machine had been
 * booted by it. Needs root, and a kernel and container that allow it; where they do not there is none.
 */
import { spawn, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { eventually } from "./machine.ts"

export interface Systemd {
  /** words before a command that is to meet it */
  readonly prefix: ReadonlyArray<string>
  /** what such a command's environment has besides */
  readonly env: Readonly<Record<string, string>>
  /** runs `systemctl --user ARGS`, and gives what it said */
  readonly systemctl: (...args: ReadonlyArray<string>) => string
  readonly stop: () => Promise<void>
}

const program = "/lib/systemd/systemd"
/** Debian's kernel has it on /sys/fs/cgroup/unified beside the older ones, or alone */
const begin = `
set -e
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
mkdir /sys/fs/cgroup/$GROUP
echo $$ > /sys/fs/cgroup/$GROUP/cgroup.procs
mount -t tmpfs none /run
mkdir -p /run/systemd/system
exec ${program} --user
`

const removeGroups = (folder: string): void => {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroups(join(folder, entry.name))
  rmdirSync(folder)
}

/** Undefined: it cannot run here. */
export const startSystemd = async (): Promise<Systemd | undefined> => {
  const home = mkdtempSync(join(tmpdir(), "rbee-systemd-"))
  const env = { HOME: home, XDG_RUNTIME_DIR: join(home, "run"), XDG_CONFIG_HOME: join(home, "config") }
  mkdirSync(env.XDG_RUNTIME_DIR, { mode: 0o700 })
  const GROUP = `rbee-${process.pid}-${Date.now()}`
  const child = spawn("unshare", ["-m", "bash", "-c", begin], {
    env: { PATH: process.env["PATH"], GROUP, ...env },
    stdio: "ignore"
  })
  let isOver = false
  const over = new Promise<void>((resolve) => {
    const end = () => {
      isOver = true
      resolve()
    }
    child.once("exit", end).once("error", end)
  })
  const prefix = ["nsenter", "-t", String(child.pid), "-m", "--"]
  const systemctl = (...args: ReadonlyArray<string>): string => {
    const [command = "", ...words] = [...prefix, "systemctl", "--user", ...args]
    return spawnSync(command, words, { env: { PATH: process.env["PATH"], ...env }, encoding: "utf8" }).stdout
  }
  const stop = async () => {
    if (!isOver) process.kill(child.pid ?? 0, "SIGTERM")
    await over
    try {
      removeGroups(join("/sys/fs/cgroup/unified", GROUP))
    } catch {
      // another hierarchy: an empty group is nobody's business
    }
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    await eventually(() => isOver || systemctl("is-active", "basic.target").startsWith("active"), "systemd is up")
  } catch {
    await stop()
    return undefined
  }
  if (!isOver) return { prefix, env, systemctl, stop }
  await stop()
  return undefined
}
