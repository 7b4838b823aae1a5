/**
 * Another machine, as far as SSH can tell: a real sshd of OpenSSH on a port of loopback, with a home of its own for
 * rbee, and the ssh configuration by which the queen's machine reaches it.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { homedir, tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { eventually, freeRange, killUnder } from "./machine.ts"

export const sshd = "/usr/sbin/sshd"
/** As root alone sshd runs everywhere; another user's could log in as that user only, and not at all in some places. */
export const hasSshd = existsSync(sshd) && process.getuid?.() === 0

const root = fileURLToPath(new URL("../../", import.meta.url))

export interface RemoteMachine {
  /** its RBEE_HOME, also the mark of its processes */
  readonly home: string
  readonly port: number
  readonly hivePort: number
  /** the client's configuration: `Host remote` */
  readonly config: string
  readonly knownHosts: string
  readonly identity: string
  readonly hostKey: string
  /** of its sshd */
  readonly pid: () => number | undefined
  /** what its sshd logged */
  readonly log: () => string
  /** ends sshd and all its sessions, as a power cut would */
  readonly stop: () => Promise<void>
  /** ends sshd and its connections; what runs there goes on */
  readonly cut: () => Promise<void>
  readonly start: () => Promise<void>
  readonly dispose: () => Promise<void>
}

export interface RemoteOptions {
  /** as if rbee had been installed there: a link to this checkout */
  readonly installed?: boolean
  /** environment of every login there */
  readonly env?: Record<string, string>
  /** more lines of the client's configuration */
  readonly client?: string
  /** runs sshd behind these words (`ip netns exec NAME`), on this address */
  readonly within?: { readonly prefix: ReadonlyArray<string>; readonly address: string; readonly port: number }
}

/** what a login has where no profile says more */
const systemPath = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]

const keygen = (file: string, passphrase = "") =>
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", passphrase, "-f", file, "-C", "rbee-test"])

/** Puts a version there as an installation would, made of links to a package that is built already. */
export const plantVersion = (home: string, name: string, from: string): void => {
  const version = join(home, "install", "versions", name)
  mkdirSync(join(version, "node_modules"), { recursive: true })
  symlinkSync(from, join(version, "node_modules", "rbee"))
  symlinkSync(version, join(home, "install", "current"))
}

/** The processes of sshd that serve a connection, but for what was started through them. */
const sessionsOf = (pid: number): ReadonlyArray<number> => {
  const { stdout } = spawnSync("ps", ["-o", "pid=,comm=", "--ppid", String(pid)], { encoding: "utf8" })
  return stdout.split("\n").flatMap((line) => {
    const [, child, name = ""] = /^\s*(\d+) (.*)$/.exec(line) ?? []
    return child !== undefined && name.startsWith("sshd") ? [Number(child), ...sessionsOf(Number(child))] : []
  })
}

export const makeRemote = async (options: RemoteOptions = {}): Promise<RemoteMachine> => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-ssh-"))
  const home = join(folder, "home")
  mkdirSync(home, { mode: 0o700 })
  const base = await freeRange()
  const port = options.within?.port ?? base
  const address = options.within?.address ?? "127.0.0.1"
  const hostKey = join(folder, "host_key")
  const identity = join(folder, "id")
  keygen(hostKey)
  keygen(identity)
  const knownHosts = join(folder, "known_hosts")
  const keyText = readFileSync(`${hostKey}.pub`, "utf8").split(" ").slice(0, 2).join(" ")
  writeFileSync(knownHosts, `[${address}]:${port} ${keyText}\n`)
  writeFileSync(join(folder, "authorized_keys"), readFileSync(`${identity}.pub`))
  chmodSync(join(folder, "authorized_keys"), 0o600)
  // what npm needs here to reach its registry, a login there needs too
  const certificates = process.env.NODE_EXTRA_CA_CERTS
  // a home of its own: what the profile of whoever runs the tests starts at a login is none of theirs, and a login that
  // they kill could leave its locks behind
  const login = join(folder, "login")
  mkdirSync(login)
  const env: Record<string, string> = {
    RBEE_HOME: home,
    HOME: login,
    PATH: [dirname(process.execPath), ...systemPath].join(":"),
    npm_config_cache: process.env["npm_config_cache"] ?? join(homedir(), ".npm"),
    npm_config_userconfig: process.env["npm_config_userconfig"] ?? join(homedir(), ".npmrc"),
    ...(certificates === undefined ? {} : { NODE_EXTRA_CA_CERTS: certificates }),
    ...options.env
  }
  writeFileSync(
    join(folder, "sshd_config"),
    [
      `ListenAddress ${address}:${port}`,
      `HostKey ${hostKey}`,
      `AuthorizedKeysFile ${join(folder, "authorized_keys")}`,
      `PidFile ${join(folder, "pid")}`,
      "StrictModes no",
      "UsePAM no",
      "PermitRootLogin yes",
      "PasswordAuthentication no",
      "Subsystem sftp internal-sftp",
      `SetEnv ${Object.entries(env)
        .map(([name, value]) => `"${`${name}=${value}`.replace(/["'\\]/g, "\\$&")}"`)
        .join(" ")}`,
      "LogLevel VERBOSE"
    ].join("\n")
  )
  const config = join(folder, "ssh_config")
  writeFileSync(
    config,
    [
      "Host remote",
      `  HostName ${address}`,
      `  Port ${port}`,
      "  User root",
      `  IdentityFile ${identity}`,
      "  IdentitiesOnly yes",
      `  UserKnownHostsFile ${knownHosts}`,
      "  GlobalKnownHostsFile /dev/null",
      options.client ?? ""
    ].join("\n")
  )
  if (options.installed === true) plantVersion(home, "0.1.0-000000000000", root)
  let log = ""
  let daemon: ChildProcess | undefined
  const start = async () => {
    mkdirSync("/run/sshd", { recursive: true })
    const [command = sshd, ...args] = [
      ...(options.within?.prefix ?? []),
      sshd,
      "-D",
      "-e",
      "-f",
      join(folder, "sshd_config")
    ]
    const child = spawn(command, args, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...env },
      detached: true
    })
    daemon = child
    const before = log.length
    child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text))
    await eventually(
      () => log.slice(before).includes("Server listening"),
      () => `sshd listens: ${log}`
    )
  }
  const cut = async () => {
    const ended = daemon
    const sessions = ended?.pid === undefined ? [] : sessionsOf(ended.pid)
    daemon = undefined
    // its port is free when it is gone, not when it is told to go
    const isGone = () => ended === undefined || ended.exitCode !== null || ended.signalCode !== null
    if (ended?.kill("SIGKILL") === true) await eventually(isGone, () => `sshd ends: ${log}`)
    for (const pid of sessions)
      try {
        process.kill(pid, "SIGKILL")
      } catch {
        // it ended with its daemon
      }
  }
  const stop = async () => {
    await cut()
    await killUnder(home)
  }
  await start()
  return {
    home,
    port,
    hivePort: base + 1,
    config,
    knownHosts,
    identity,
    hostKey,
    pid: () => daemon?.pid,
    log: () => log,
    start,
    stop,
    cut,
    dispose: async () => {
      await stop()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}
