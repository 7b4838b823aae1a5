/**
 * The keys of people, as the door knows them: by digest. A key is 256 random bits, so that SHA-256 is hash enough: there is
 * nothing to guess that a slow one would make dearer (that is for passwords), and each request would pay for it. Who reads
 * the catalog has digests, which open nothing; a key that is looked up by its digest tells nothing by the time it takes.
 */
import { createHash, randomBytes } from "node:crypto"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import { rbeeError } from "../../machines/errors.ts"
import type { KeyView } from "../../machines/vocabulary/people/key.ts"
import { type Caller, keyCaller } from "../../protocol/rights.ts"

/** So that a key of ours is known from one that a client sends because it must, also when it is worth nothing any more. */
const mark = "rbk_"

export const freshKey = (): string => `${mark}${randomBytes(32).toString("hex")}`
export const keyDigest = (key: string): string => createHash("sha256").update(key).digest("hex")

export class PersonKeyring {
  /** by digest; undefined until the queen has read them */
  private callers: Map<string, Caller> | undefined

  /** These, and no others, are right from now on. */
  set(keys: ReadonlyArray<readonly [digest: string, key: KeyView]>): void {
    this.callers = new Map(keys.map(([digest, key]) => [digest, keyCaller(key)]))
  }

  /** Undefined: it is no key of a person. An error: it is one that opens nothing. */
  callerOf(secret: string) {
    if (!secret.startsWith(mark)) return undefined
    if (this.callers === undefined)
      return rbeeError("SHUTTING_DOWN", "the queen is just starting", "Try again in a moment")
    const caller = this.callers.get(keyDigest(secret))
    if (caller === undefined)
      return rbeeError(
        "INVALID_API_KEY",
        "this key is unknown, or was revoked",
        "Ask whoever gave it to you for another"
      )
    const until = caller.key?.expires_at
    if (until !== undefined && until <= Date.now())
      return rbeeError(
        "INVALID_API_KEY",
        `${caller.name} has expired (${new Date(until).toISOString()})`,
        "Ask whoever gave it to you for another",
        { expired_at: until }
      )
    return caller
  }
}

export class PersonKeys extends Context.Tag("rbee/PersonKeys")<PersonKeys, PersonKeyring>() {
  static readonly layer = Layer.sync(PersonKeys, () => new PersonKeyring())
}
