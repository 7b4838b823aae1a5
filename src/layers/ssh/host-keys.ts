/** The known_hosts files of a host: read afresh for every connection, and added to where that was asked for. */
import { createHash, createHmac } from "node:crypto"
import { appendFileSync, mkdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import {
  type HostKey,
  judgeHostKey,
  type KnownHost,
  knownHostLine,
  knownTypes,
  lookupName,
  parseKnownHosts
} from "../../machines/formats/known-hosts.ts"
import { userHome } from "../paths/user-home.ts"
import type { Resolved } from "./resolve.ts"

const hash = (salt: string, text: string): string =>
  createHmac("sha1", Buffer.from(salt, "base64")).update(text).digest("base64")

/** "SHA256:…" as ssh prints it */
export const fingerprintOf = (key: Buffer): string =>
  `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`

/** The type is the first string of the key (RFC 4253, 6.6). */
export const hostKeyOf = (key: Buffer): HostKey => ({
  type: key.toString("latin1", 4, 4 + key.readUInt32BE(0)),
  key: key.toString("base64")
})

const readOne = (file: string): Effect.Effect<ReadonlyArray<KnownHost>, RbeeError<"SSH_HOST_KEY_UNKNOWN">> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(parseKnownHosts(readFileSync(file, "utf8")))
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "unknown reason"
      if (code === "ENOENT") return Effect.succeed([])
      // What cannot be read could say that the key has changed.
      return rbeeError("SSH_HOST_KEY_UNKNOWN", `the known hosts in ${file} cannot be read (${code})`, "Mend that file")
    }
  })

export interface HostKeys {
  /** to be asked of the server first */
  readonly types: ReadonlyArray<string>
  /** undefined: the shown key is right */
  readonly refuse: (
    key: Buffer
  ) => RbeeError<"SSH_HOST_KEY_UNKNOWN" | "SSH_HOST_KEY_CHANGED" | "INVALID_REQUEST"> | undefined
}

/** What the host is called in the files, and what they say of all hosts. */
const knownHosts = (at: Resolved) =>
  Effect.map(Effect.forEach([...at.userKnownHosts, ...at.globalKnownHosts], readOne), (files) => ({
    hosts: files.flat(),
    name: at.hostKeyAlias === undefined ? lookupName(at.host, at.port) : at.hostKeyAlias.toLowerCase()
  }))

/** Whether some key of the host is known, without asking it for any. */
export const isKnownHost = (at: Resolved) =>
  Effect.map(knownHosts(at), ({ hosts, name }) => ({ name, isKnown: knownTypes(hosts, name, hash).length > 0 }))

export const hostKeysOf = (
  at: Resolved,
  alias: string,
  accept: boolean | string
): Effect.Effect<HostKeys, RbeeError<"SSH_HOST_KEY_UNKNOWN">> =>
  Effect.map(knownHosts(at), ({ hosts, name }) => {
    return {
      types: knownTypes(hosts, name, hash),
      refuse: (raw) => {
        const key = hostKeyOf(raw)
        const verdict = judgeHostKey(hosts, name, key, hash)
        const shown = `${key.type} ${fingerprintOf(raw)}`
        const details = { host: name, fingerprint: fingerprintOf(raw), type: key.type }
        switch (verdict.kind) {
          case "known":
            return undefined
          case "revoked":
            return rbeeError(
              "SSH_HOST_KEY_CHANGED",
              `${name} shows a revoked key, ${shown}`,
              "Do not trust it",
              details
            )
          case "changed":
            return rbeeError(
              "SSH_HOST_KEY_CHANGED",
              `${name} shows another host key than the known one: ${shown}`,
              `If the machine was installed anew: ${forget(at, name)}; if not, somebody is in between`,
              details
            )
          case "unknown":
            if (at.acceptNew || accept === true || accept === details.fingerprint)
              return record(at.userKnownHosts[0], knownHostLine(name, key))
            return rbeeError(
              "SSH_HOST_KEY_UNKNOWN",
              `the host key of ${name} is not known: ${shown}${verdict.authority ? " (host certificates are not supported)" : ""}`,
              `Compare it with \`ssh-keygen -lf /etc/ssh/ssh_host_*.pub\` there; if it is right: rbee hives add ${alias} --accept-new-host-key`,
              details
            )
        }
      }
    }
  })

/** How the known key is taken out of where it stands. */
const forget = ({ userKnownHosts: [file] }: Resolved, name: string): string => {
  const own = join(userHome() ?? "/", ".ssh", "known_hosts")
  return `ssh-keygen ${file === undefined || file === own ? "" : `-f '${file}' `}-R '${name}'`
}

const record = (file: string | undefined, line: string): RbeeError<"INVALID_REQUEST"> | undefined => {
  if (file === undefined) return undefined
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    appendFileSync(file, line, { mode: 0o600 })
    return undefined
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown reason"
    return rbeeError("INVALID_REQUEST", `the host key cannot be recorded in ${file} (${code})`, "Mend that file")
  }
}
