/**
 * How parked files are called: by what computes, by whose they are, and by a number of their own. So a worker finds those
 * that it may read, and a hive those of somebody who is gone, without opening one.
 */
import { randomBytes } from "node:crypto"

/** whose a state is, where nobody says it */
export const anybody = "0".repeat(16)

const name = /^([0-9a-f]{16})-([0-9a-f]{16})-[0-9a-f]{16}\.kv$/
const draft = /^[0-9a-f]{16}\.draft$/

const fresh = (): string => randomBytes(8).toString("hex")

/** One that is being written is called so. */
export const draftName = (): string => `${fresh()}.draft`
export const isDraft = (file: string): boolean => draft.test(file)

export const parkedName = (identity: string, scope: string): string => `${identity}-${scope}-${fresh()}.kv`

/** Undefined: it is none. */
export const readName = (file: string): { readonly identity: string; readonly scope: string } | undefined => {
  const [, identity, scope] = name.exec(file) ?? []
  return identity === undefined || scope === undefined ? undefined : { identity, scope }
}
