/**
 * What `ssh HOST` would do, as OpenSSH itself tells (`ssh -G`: Include, Match, tokens, ProxyJump are its business).
 * Where there is no `ssh`, the library ssh-config reads the user's file: no Include, no Match exec.
 */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { userInfo } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import SshConfig from "ssh-config"
import { userHome } from "../paths/user-home.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { SshPlace } from "../../machines/vocabulary/place.ts"

export interface Resolved {
  readonly host: string
  readonly port: number
  readonly user: string
  /** private keys, in the order in which they are tried */
  readonly identities: ReadonlyArray<string>
  /** only these, not what the agent has besides */
  readonly identitiesOnly: boolean
  /** the agent's socket; undefined: none */
  readonly agent: string | undefined
  readonly userKnownHosts: ReadonlyArray<string>
  readonly globalKnownHosts: ReadonlyArray<string>
  /** looked up instead of host and port */
  readonly hostKeyAlias: string | undefined
  /** a key that was never seen is recorded */
  readonly acceptNew: boolean
  /** hosts on the way, in order: "user@host:port" */
  readonly jumps: ReadonlyArray<string>
}

const resolveMs = 10_000

/** ssh prints one `keyword value` a line, keywords in lower case, some of them several times. */
type Answers = ReadonlyMap<string, ReadonlyArray<string>>

const parse = (text: string): Answers => {
  const found = new Map<string, Array<string>>()
  for (const line of text.split("\n")) {
    const [, key, value] = /^(\S+) (.+)$/.exec(line) ?? []
    if (key === undefined || value === undefined) continue
    const values = found.get(key) ?? []
    values.push(value)
    found.set(key, values)
  }
  return found
}

const askSsh = (
  place: SshPlace,
  config: string | undefined
): Effect.Effect<Answers | undefined, RbeeError<"INVALID_REQUEST">> =>
  Effect.async((resume) => {
    const args = [
      ...(config === undefined ? [] : ["-F", config]),
      "-G",
      ...(place.user === undefined ? [] : ["-l", place.user]),
      ...(place.port === undefined ? [] : ["-p", String(place.port)]),
      ...(place.identity === undefined ? [] : ["-i", place.identity]),
      "--",
      place.host
    ]
    const child = execFile("ssh", args, { timeout: resolveMs, encoding: "utf8" }, (error, stdout, stderr) => {
      if (error === null) return resume(Effect.succeed(parse(stdout)))
      if (error.code === "ENOENT") return resume(Effect.succeed(undefined))
      const why = stderr.trim().split("\n").at(-1) ?? "no reason given"
      resume(
        rbeeError(
          "INVALID_REQUEST",
          `ssh cannot resolve ${place.host}: ${why.slice(0, 300)}`,
          "Mend the ssh configuration"
        )
      )
    })
    return Effect.sync(() => void child.kill())
  })

/** The same keywords from the user's file alone. */
const readConfig = (place: SshPlace, config: string | undefined): Answers => {
  let text: string
  try {
    text = readFileSync(config ?? join(userHome() ?? "/", ".ssh", "config"), "utf8")
  } catch {
    text = ""
  }
  const found = new Map<string, ReadonlyArray<string>>()
  for (const [name, value] of Object.entries(SshConfig.parse(text).compute(place.host, { ignoreCase: true })))
    found.set(
      name.toLowerCase(),
      [value].flat().map((one) => one.replaceAll("%h", place.host))
    )
  if (place.user !== undefined) found.set("user", [place.user])
  if (place.port !== undefined) found.set("port", [String(place.port)])
  if (place.identity !== undefined) found.set("identityfile", [place.identity])
  return found
}

/** Who runs this; a container's user may have no entry anywhere, and then no name but a number. */
const userName = (): string => {
  try {
    return userInfo().username
  } catch {
    return process.env["USER"] ?? process.env["LOGNAME"] ?? String(process.getuid?.() ?? "")
  }
}

const defaultKeys = ["id_rsa", "id_ecdsa", "id_ed25519"].map((name) => `~/.ssh/${name}`)

const absolute = (path: string): string => {
  const bare = path.replace(/^"(.*)"$/, "$1")
  return bare.startsWith("~/") ? join(userHome() ?? "/", bare.slice(2)) : bare
}
const list = (text: string | undefined, otherwise: string): ReadonlyArray<string> =>
  (text ?? otherwise)
    .split(/\s+/)
    .filter((path) => path !== "" && path !== "none")
    .map(absolute)

/** @param config the configuration file instead of the user's own, as `ssh -F` */
export const resolve = (
  place: SshPlace,
  config: string | undefined
): Effect.Effect<Resolved, RbeeError<"INVALID_REQUEST">> =>
  Effect.gen(function* () {
    const answers = (yield* askSsh(place, config)) ?? readConfig(place, config)
    const one = (name: string) => answers.get(name)?.[0]
    const proxy = one("proxycommand")
    if (proxy !== undefined && proxy !== "none")
      return yield* rbeeError(
        "INVALID_REQUEST",
        `${place.host} is reached by a ProxyCommand, which rbee does not run`,
        "Use ProxyJump for this host"
      )
    const agent = one("identityagent") ?? "SSH_AUTH_SOCK"
    const jump = one("proxyjump")
    return {
      host: one("hostname") ?? place.host,
      port: Number(one("port") ?? 22),
      user: one("user") ?? userName(),
      identities: (answers.get("identityfile") ?? defaultKeys).map(absolute),
      identitiesOnly: one("identitiesonly") === "yes",
      agent: agent === "none" ? undefined : agent === "SSH_AUTH_SOCK" ? process.env.SSH_AUTH_SOCK : absolute(agent),
      userKnownHosts: list(one("userknownhostsfile"), "~/.ssh/known_hosts"),
      globalKnownHosts: list(one("globalknownhostsfile"), "/etc/ssh/ssh_known_hosts"),
      hostKeyAlias: one("hostkeyalias"),
      acceptNew: ["accept-new", "no", "off", "false"].includes(one("stricthostkeychecking") ?? "ask"),
      jumps: jump === undefined || jump === "none" ? [] : jump.split(",")
    }
  })
