/** Who may do what: what a call is about is a field of its endpoint, what a caller may do follows from what it shows. */
import type { HiveId } from "../machines/vocabulary/ids.ts"

/**
 * *open*: needs nothing. *infer*: models are asked, and one's own jobs looked at. *manage*: hives, models, workers, the
 * daemons themselves. *observe*: what others do. *peer*: what daemons say to each other, by a secret of the two.
 */
export type ApiScope = "open" | "infer" | "manage" | "observe" | "peer"

export interface Caller {
  /** what is made under this right answers to it: "local", "token", "hive gpu-box" */
  readonly name: string
  readonly may: ReadonlySet<ApiScope>
  /** it is this hive, and speaks for no other one */
  readonly hive?: HiveId
}

/** Who shows nothing where nothing but /health is answered so. */
export const stranger: Caller = { name: "nobody", may: new Set(["open"]) }
/** Who is on this machine: any account of it, and shows nothing. */
export const local: Caller = { name: "local", may: new Set(["open", "infer"]) }
/** Who has the daemon's token, or a browser that was let in by who has it. */
export const holder: Caller = { name: "token", may: new Set(["open", "infer", "manage", "observe", "peer"]) }
/** A hive of another machine. */
export const hiveCaller = (hive: HiveId): Caller => ({ name: `hive ${hive}`, may: new Set(["open", "peer"]), hive })
