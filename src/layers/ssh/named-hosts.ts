/** Machines that this user's ssh knows by name: of its configuration and what that includes, and of known hosts. */
import { readdirSync, readFileSync } from "node:fs"
import { basename, dirname, isAbsolute, join } from "node:path"
import { parseKnownHosts, readableHosts } from "../../machines/formats/known-hosts.ts"
import { userHome } from "../paths/user-home.ts"

const sshFolder = (): string => join(userHome() ?? "/", ".ssh")

const textOf = (file: string): string => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

/** as deep as OpenSSH follows what includes itself */
const deepest = 16

/** The files of `~/.ssh/config.d/*`: patterns in the last part, which is where people have them. */
const filesOf = (pattern: string): ReadonlyArray<string> => {
  const path = pattern.startsWith("~/") ? join(userHome() ?? "/", pattern.slice(2)) : pattern
  const at = isAbsolute(path) ? path : join(sshFolder(), path)
  if (!/[*?]/.test(basename(at))) return [at]
  const parts = basename(at).replace(/[.+^${}()|[\]\\]/g, "\\$&")
  const matching = new RegExp(`^(?!\\.)${parts.replaceAll("*", ".*").replaceAll("?", ".")}$`)
  try {
    return readdirSync(dirname(at))
      .filter((name) => matching.test(name))
      .toSorted()
      .map((name) => join(dirname(at), name))
  } catch {
    return []
  }
}

const namesIn = (file: string, depth: number): ReadonlyArray<string> =>
  depth > deepest
    ? []
    : [...textOf(file).matchAll(/^[ \t]*(Host|Include)[ \t=]+(.+)$/gim)].flatMap(([, keyword = "", rest = ""]) => {
        const words = rest
          .trim()
          .split(/\s+/)
          .map((word) => word.replace(/^"(.*)"$/, "$1"))
        return keyword.toLowerCase() === "host"
          ? words.filter((name) => /^[\w.-]+$/.test(name))
          : words.flatMap(filesOf).flatMap((one) => namesIn(one, depth + 1))
      })

/** The aliases, without patterns. @param config the configuration file instead of the user's own */
export const configuredHosts = (config?: string): ReadonlyArray<string> => [
  ...new Set(namesIn(config ?? join(sshFolder(), "config"), 0))
]

const usualFiles = (): ReadonlyArray<string> => [
  ...["known_hosts", "known_hosts2"].map((name) => join(sshFolder(), name)),
  "/etc/ssh/ssh_known_hosts"
]

/** @param besides files of known hosts that the configuration names */
export const knownHostNames = (besides: ReadonlyArray<string>): ReturnType<typeof readableHosts> =>
  readableHosts([...new Set([...usualFiles(), ...besides])].flatMap((file) => parseKnownHosts(textOf(file))))
