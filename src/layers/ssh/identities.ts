/** How we prove who we are: the agent first, then the key files. A key that others can read is not used. */
import { existsSync, readFileSync, statSync } from "node:fs"
import * as Effect from "effect/Effect"
import type { AnyAuthMethod, ParsedKey } from "ssh2"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { Resolved } from "./resolve.ts"

/** what is used of the library */
export type ParseKey = (data: Buffer, passphrase?: string) => ParsedKey | ReadonlyArray<ParsedKey> | Error

export interface Identities {
  readonly methods: Array<AnyAuthMethod>
  /** keys that need a passphrase nobody has told yet */
  readonly locked: ReadonlyArray<string>
}

export const isLocked = (parsed: ReturnType<ParseKey>): boolean =>
  parsed instanceof Error && /passphrase|encrypted/i.test(parsed.message)

export const identitiesOf = (
  at: Resolved,
  parseKey: ParseKey,
  passphrases: ReadonlyMap<string, string>
): Effect.Effect<Identities, RbeeError<"SSH_AUTH_FAILED">> =>
  Effect.gen(function* () {
    const methods: Array<AnyAuthMethod> = []
    const locked: Array<string> = []
    if (at.agent !== undefined && existsSync(at.agent) && !at.identitiesOnly)
      methods.push({ type: "agent", username: at.user, agent: at.agent })
    for (const file of at.identities) {
      const key = readKey(file)
      if (key === undefined) continue
      yield* heldBack(file, key.mode)
      const parsed = parseKey(key.data, passphrases.get(file))
      if (isLocked(parsed)) locked.push(file)
      else if (!(parsed instanceof Error))
        for (const one of [parsed].flat()) methods.push({ type: "publickey", username: at.user, key: one })
    }
    return { methods, locked }
  })

/** A key that others can read is nobody's proof. */
const heldBack = (file: string, mode: number): Effect.Effect<void, RbeeError<"SSH_AUTH_FAILED">> =>
  (mode & 0o077) === 0
    ? Effect.void
    : rbeeError(
        "SSH_AUTH_FAILED",
        `the key ${file} can be read by others (mode ${(mode & 0o777).toString(8).padStart(4, "0")})`,
        `Run: chmod 600 '${file}'`
      )

const another = "name another: `rbee hives add ALIAS --identity FILE`"

/** Whether there is a key that would be tried, and all may be, without trying any; `named`: the one that was chosen, which ssh passes over where it is gone. */
export const keysInOrder = (
  { agent, host, identities }: Resolved,
  named: string | undefined
): Effect.Effect<void, RbeeError<"SSH_AUTH_FAILED">> =>
  Effect.gen(function* () {
    if (named !== undefined && readKey(named) === undefined)
      return yield* rbeeError("SSH_AUTH_FAILED", `the key ${named} is not there`, `Put it back, or ${another}`)
    const there = identities.flatMap((file) => {
      const key = readKey(file)
      return key === undefined ? [] : [{ file, mode: key.mode }]
    })
    if (there.length === 0 && (agent === undefined || !existsSync(agent)))
      return yield* rbeeError(
        "SSH_AUTH_FAILED",
        `there is no key for ${host}: no agent, and none of ${identities.join(", ")}`,
        `Make one (ssh-keygen) and have it taken there (ssh-copy-id ${host}), or ${another}`
      )
    yield* Effect.forEach(there, ({ file, mode }) => heldBack(file, mode), { discard: true })
  })

const readKey = (file: string): { readonly data: Buffer; readonly mode: number } | undefined => {
  try {
    return { data: readFileSync(file), mode: statSync(file).mode }
  } catch {
    // ssh names every default key, whether or not it is there
    return undefined
  }
}

export const authFailed = (
  at: Resolved,
  place: string,
  locked: ReadonlyArray<string>
): RbeeError<"SSH_AUTH_FAILED"> => {
  const [file] = locked
  return file === undefined
    ? rbeeError(
        "SSH_AUTH_FAILED",
        `${at.user}@${place} accepts none of your keys`,
        `Check that this works: ssh ${place} true (ssh-copy-id puts a key there)`
      )
    : rbeeError(
        "SSH_AUTH_FAILED",
        `${at.user}@${place} accepts none of the keys that are open, and ${file} needs its passphrase`,
        `Add it to your agent: ssh-add '${file}'`,
        { locked: file }
      )
}
