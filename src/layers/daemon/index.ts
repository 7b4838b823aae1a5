/**
 * What launching a daemon needs of the world besides `Processes`: the files by which it is found and heard, and who
 * answers at an address. Implementations: `node.ts`, `probe.ts`; the simulator has its own.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Health } from "../../machines/vocabulary/common.ts"
import type { Processes } from "../process/index.ts"

/** State files and logs. What cannot be read is not there: a state file is a hint, and a log is best effort. */
export class DaemonFiles extends Context.Tag("rbee/DaemonFiles")<
  DaemonFiles,
  {
    readonly read: (file: string) => Effect.Effect<string | undefined>
    /** Whole or not at all; its folder is made. */
    readonly write: (file: string, text: string) => Effect.Effect<void>
    readonly remove: (file: string) => Effect.Effect<void>
    /** the names of the folders in a folder */
    readonly folders: (folder: string) => Effect.Effect<ReadonlyArray<string>>
    /** in bytes; 0 where there is none */
    readonly size: (file: string) => Effect.Effect<number>
    /** The last of what was written behind `offset`; of a smaller file, which was put aside meanwhile, all is new. */
    readonly tail: (file: string, offset: number) => Effect.Effect<string>
    /** Whether a file is the one that it was: another one in its place has another mark, and none is `gone`. Undefined: unknown. */
    readonly mark: (file: string) => Effect.Effect<string | undefined>
    /** Is its disk too full for a log and a store to begin? */
    readonly isFull: (folder: string) => Effect.Effect<boolean>
  }
>() {}

export type Probe =
  /** nobody listens */
  | { readonly _tag: "Nobody" }
  /** somebody listens and did not answer in time, or hung up */
  | { readonly _tag: "Silent" }
  /** somebody answered, who is no daemon of ours */
  | { readonly _tag: "Stranger" }
  | { readonly _tag: "Daemon"; readonly health: Health }

export class DaemonProbe extends Context.Tag("rbee/DaemonProbe")<
  DaemonProbe,
  { readonly ask: (url: string) => Effect.Effect<Probe> }
>() {}

/** All that a launcher stands on. */
export type Ports = Processes | DaemonFiles | DaemonProbe
