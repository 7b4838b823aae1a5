/**
 * The secrets of the hives of other machines, two each: what the queen shows to a hive and its workers, and what that
 * hive shows to her. Each opens that one way alone; neither is the cluster's token, so that who has a hive's machine has
 * that hive, and nothing else.
 */
import { createHash, randomBytes } from "node:crypto"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

export { freshKey, keyDigest, PersonKeyring, PersonKeys } from "./person-keys.ts"

export const freshSecret = (): string => randomBytes(32).toString("hex")

/** Looked up by its digest: the time that takes says nothing about the secret. */
export const digest = (secret: string): string => createHash("sha256").update(secret).digest("hex")

/**
 * An account of a queen's, as workers and hives are told of it: the same at each of her starts, and nothing that another
 * queen's workers could know it by.
 */
export const scopeOf = (account: string, queen: string): string => digest(`${queen} ${account}`).slice(0, 16)

/** What a hive that was invited told when it joined; it stays with its row in the queen's catalog. */
export interface Joined {
  /** what is shown to it and its workers */
  readonly secret: string
  /** where it reaches its queen */
  readonly queen: string
}

export class HiveKeyring {
  private readonly toHives = new Map<HiveId, string>()
  private readonly fromHives = new Map<HiveId, string>()
  /** by the digest of what they show */
  private readonly hives = new Map<string, HiveId>()
  private readonly queens = new Map<HiveId, string>()

  /** What is shown to this hive and its workers. */
  toHive(hive: HiveId): string | undefined {
    return this.toHives.get(hive)
  }

  setToHive(hive: HiveId, secret: string): void {
    this.toHives.set(hive, secret)
  }

  joined(hive: HiveId, { queen, secret }: Joined): void {
    this.setToHive(hive, secret)
    this.queens.set(hive, queen)
  }

  /** Where a hive that was invited reaches its queen. */
  queenOf(hive: HiveId): string | undefined {
    return this.queens.get(hive)
  }

  /** What this hive shows: made when it is first told, the same until the queen ends. */
  fromHive(hive: HiveId): string {
    const known = this.fromHives.get(hive)
    if (known !== undefined) return known
    const made = freshSecret()
    this.setFromHive(hive, made)
    return made
  }

  setFromHive(hive: HiveId, secret: string): void {
    const before = this.fromHives.get(hive)
    if (before !== undefined) this.hives.delete(digest(before))
    this.fromHives.set(hive, secret)
    this.hives.set(digest(secret), hive)
  }

  /** Whose secret this is. */
  hiveOf(secret: string): HiveId | undefined {
    return this.hives.get(digest(secret))
  }

  /** From now on that hive is nobody, and nothing is shown to it. */
  forget(hive: HiveId): void {
    const secret = this.fromHives.get(hive)
    if (secret !== undefined) this.hives.delete(digest(secret))
    this.fromHives.delete(hive)
    this.toHives.delete(hive)
    this.queens.delete(hive)
  }
}

export class HiveKeys extends Context.Tag("rbee/HiveKeys")<HiveKeys, HiveKeyring>() {
  static readonly layer = Layer.sync(HiveKeys, () => new HiveKeyring())
}
