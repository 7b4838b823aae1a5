/**
 * What the queen's machine asks of a remote one, and the answers. A question is a small program of ours
 * (`src/main/remote.ts`) that `node` reads from its input, with the question in front: nothing of what is asked ever
 * stands on a command line, and nothing needs to be installed there but Node.
 */
import * as Schema from "effect/Schema"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

const HiveFile = Schema.Struct({
  pid: Schema.Int,
  start: Schema.String,
  url: Schema.String,
  version: Schema.String,
  /** what its callers show */
  token: Schema.optional(Schema.String)
})
/** A hive process that lives there. */
export type HiveFile = typeof HiveFile.Type

export const Look = Schema.Struct({
  platform: Schema.String,
  arch: Schema.String,
  /** "v20.20.2" */
  node: Schema.String,
  npm: Schema.Boolean,
  /** the hive's state folder */
  folder: Schema.String,
  /** where its queen's socket goes */
  socket: Schema.String,
  cores: Schema.Int,
  /** 10^6 bytes */
  ram_mb: Schema.Number,
  ram_free_mb: Schema.Number,
  disk_free_mb: Schema.Number,
  /** tools that tell of GPUs, of those we know */
  gpu_tools: Schema.Array(Schema.String),
  /** of the installation that `current` points to */
  installed: Schema.optional(Schema.String),
  /** the hive of this name, if its process lives */
  hive: Schema.optional(HiveFile),
  /** names of other hives of this user that live there, and where */
  others: Schema.Array(Schema.Struct({ id: Schema.String, url: Schema.String })),
  /** the two ends of this SSH connection, as that machine sees them */
  ends: Schema.optional(Schema.Struct({ queen: Schema.String, hive: Schema.String })),
  /** milliseconds since 1970 */
  clock: Schema.Number
})
export type Look = typeof Look.Type

export const questions = {
  look: Look,
  start: HiveFile,
  end: Schema.Struct({ ended: Schema.Boolean }),
  logs: Schema.Struct({ text: Schema.String }),
  incoming: Schema.Struct({ path: Schema.String }),
  discard: Schema.Struct({}),
  /** `inUse`: this very package is what is used there */
  install: Schema.Struct({ inUse: Schema.Boolean }),
  /** the name of what was used before; empty: nothing */
  use: Schema.Struct({ before: Schema.String }),
  uninstall: Schema.Struct({ removed: Schema.Boolean })
} as const

export interface Asks {
  readonly look: { readonly hive: HiveId; readonly queen: string }
  readonly start: {
    readonly hive: HiveId
    readonly env: Readonly<Record<string, string>>
    /** what its callers will show; it goes to a file of mode 0600 */
    readonly token: string
  }
  readonly end: { readonly hive: HiveId; readonly graceMs: number }
  readonly logs: { readonly hive: HiveId; readonly lines: number }
  /** where an archive of this name is to be put */
  readonly incoming: { readonly name: string }
  /** takes such an archive away */
  readonly discard: { readonly archive: string }
  /** builds and tries it; the archive is gone afterwards */
  readonly install: { readonly archive: string; readonly version: string; readonly digest: string }
  /** takes into use what was built */
  readonly use: { readonly version: string; readonly digest: string }
  readonly uninstall: Record<string, never>
}
export type Call = keyof Asks
export type Answer<C extends Call> = (typeof questions)[C]["Type"]

/** An expected failure there. */
export interface Refusal {
  readonly code: string
  readonly what: string
  readonly todo: string
  readonly details?: Readonly<Record<string, unknown>>
}
