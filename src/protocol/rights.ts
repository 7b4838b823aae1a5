/** Who may do what: what a call is about is a field of its endpoint, what a caller may do follows from what it shows. */
import type { HiveId } from "../machines/vocabulary/ids.ts"
import type { KeyView } from "../machines/vocabulary/people/key.ts"

/**
 * *open*: needs nothing. *infer*: models are asked, and one's own jobs looked at. *manage*: hives, models, workers, the
 * daemons themselves. *observe*: what others do. *peer*: what daemons say to each other, by a secret of the two.
 */
export type ApiScope = "open" | "infer" | "manage" | "observe" | "peer"

export interface Caller {
  /** what is made under this right answers to it: "local", "token", "hive gpu-box", "key ada" */
  readonly name: string
  readonly may: ReadonlySet<ApiScope>
  /** it is this hive, and speaks for no other one */
  readonly hive?: HiveId
  /** it is the person who has this key, and has what it allows */
  readonly key?: KeyView
}

/** A page's script sends it with what it asks for in a browser's session; no form and no link of another page can. */
export const pageHeader = "x-rbee-page"

/** Who shows nothing where nothing but /health is answered so. */
export const stranger: Caller = { name: "nobody", may: new Set(["open"]) }
/** Who is on this machine: any account of it, and shows nothing. */
export const local: Caller = { name: "local", may: new Set(["open", "infer"]) }
/** Who has the daemon's token, or a browser that was let in by who has it. */
export const holder: Caller = { name: "token", may: new Set(["open", "infer", "manage", "observe", "peer"]) }
/** A hive of another machine. */
export const hiveCaller = (hive: HiveId): Caller => ({ name: `hive ${hive}`, may: new Set(["open", "peer"]), hive })
/** Who has a key of their own. */
export const keyCaller = (key: KeyView): Caller => ({
  name: `key ${key.name}`,
  may: new Set(["open", ...key.scopes]),
  key
})

/** Whom its jobs are charged to: a key by its name, who needs none on this machine, and all who have the token. */
export const accountOf = (caller: Caller | undefined): string =>
  caller?.key?.name ?? (caller?.name === local.name ? local.name : admin)
export const admin = "admin"
/** No key is called so. */
export const ownAccounts: ReadonlyArray<string> = [local.name, admin, holder.name, stranger.name, "other"]
