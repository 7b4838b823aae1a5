/**
 * What a queen knows between her starts (docs/design.md#what-is-kept-where): who she is, her hives and what they can
 * do, settings. Written with fsync: what is acknowledged survives a power cut.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RbeeError } from "../../machines/errors.ts"
import { EpochMs } from "../../machines/vocabulary/common.ts"
import { Power, SshPlace } from "../../machines/vocabulary/place.ts"
import { Devices } from "../../machines/vocabulary/device.ts"
import { HiveId } from "../../machines/vocabulary/ids.ts"
import { KeyView } from "../../machines/vocabulary/people/key.ts"
import type { AuditEntry } from "../../machines/vocabulary/people/usage.ts"

/** This start of the queen: calls of an older epoch are refused by hives. */
export interface QueenIdentity {
  /** made once, with the catalog */
  readonly id: string
  /** counts her starts: 1, 2, 3, … */
  readonly epoch: number
}

export const HiveRow = Schema.Struct({
  id: HiveId,
  /** where it was last reached */
  url: Schema.optional(Schema.String),
  /** its last process that this queen claimed */
  instance: Schema.optional(Schema.String),
  /** on another machine: how that is reached */
  ssh: Schema.optional(SshPlace),
  /** started by hand, and let in by an invitation */
  joined: Schema.optional(Schema.Struct({ secret: Schema.String, queen: Schema.String })),
  /** how its machine is woken, and whether it is put to sleep */
  power: Schema.optional(Power),
  sleep: Schema.optional(
    Schema.Struct({
      /** since when its machine sleeps, as far as is known */
      since: Schema.optional(EpochMs),
      /** what its last wakings took, milliseconds (policy/wake-time.ts) */
      woke_ms: Schema.Array(Schema.Number)
    })
  ),
  addedAt: EpochMs
})
export type HiveRow = typeof HiveRow.Type

/** What a hive answered to `GET /devices`, and for which process, driver and version that holds. */
export const CapabilitiesRow = Schema.Struct({
  hive: HiveId,
  instance: Schema.String,
  driver: Schema.optional(Schema.String),
  version: Schema.String,
  devices: Devices,
  askedAt: EpochMs
})
export type CapabilitiesRow = typeof CapabilitiesRow.Type

export const SettingRow = Schema.Struct({ name: Schema.String, value: Schema.String })
export type SettingRow = typeof SettingRow.Type

/** A person's key: by its digest alone (layers/keys/person-keys.ts). */
export const KeyRow = Schema.Struct({ digest: Schema.String, ...KeyView.fields })
export type KeyRow = typeof KeyRow.Type

/** The catalog cannot be written: the disk is full, or the file went bad while it was open. */
export type CatalogError = RbeeError<"DISK_FULL" | "INTERNAL">

interface Table<Row> {
  readonly all: Effect.Effect<ReadonlyArray<Row>, CatalogError>
  readonly get: (key: string) => Effect.Effect<Row | undefined, CatalogError>
  /** Adds the row, or replaces the one with its key. */
  readonly put: (row: Row) => Effect.Effect<void, CatalogError>
  /** Nothing happens if it is not there. */
  readonly remove: (key: string) => Effect.Effect<void, CatalogError>
}

export class QueenCatalog extends Context.Tag("rbee/QueenCatalog")<
  QueenCatalog,
  {
    readonly identity: QueenIdentity
    /** by id; removing a hive removes its capabilities */
    readonly hives: Table<HiveRow>
    /** by hive, which must be known */
    readonly capabilities: Table<CapabilitiesRow>
    /** by name */
    readonly settings: Table<SettingRow>
    /** by name */
    readonly keys: Table<KeyRow>
    /** what operators did: rows are added, and nothing changes or removes one */
    readonly audit: {
      readonly add: (entry: Omit<AuditEntry, "id">) => Effect.Effect<void, CatalogError>
      /** Newest first. */
      readonly newest: (limit: number) => Effect.Effect<ReadonlyArray<AuditEntry>, CatalogError>
    }
  }
>() {}
