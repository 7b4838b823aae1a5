/**
 * What a hive remembers over its own death: models, runtimes, leases, pins, measured memory, the processes of its
 * workers, and the queen that it belongs to. One writer: the hive. Implementation: `sqlite.ts`.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { RbeeError } from "../../machines/errors.ts"
import type { WorkerId, DeviceId, ModelRef } from "../../machines/vocabulary/ids.ts"
import type { Purpose } from "../../machines/vocabulary/model.ts"
import type { LearnedDialect } from "../../machines/dialect/dialect.ts"

/** A verified model file. `ref` is canonical. */
export interface ModelRow {
  readonly ref: ModelRef
  readonly file: string
  readonly bytes: number
  readonly sha256: string | undefined
  readonly architecture: string | undefined
  readonly parameters: number | undefined
  /** trained context, tokens */
  readonly context: number | undefined
  /** bytes of text that one token stands for at most */
  readonly tokenBytes: number | undefined
  readonly quantization: string | undefined
  /** undefined: to chat, as all were that an older version knew */
  readonly purpose: Purpose | undefined
  /** it says how a chat is put to it */
  readonly template: boolean
  /** of its chat template, as who learned of it last said */
  readonly templateHash: string | undefined
  /** rbee put the file there, so that forgetting the model deletes it */
  readonly owned: boolean
  /** somebody wants it kept: it is never removed to make room */
  readonly pinned: boolean
  /** how this file was chosen, where the reference left a choice */
  readonly why: string | undefined
  /** other references of the same file */
  readonly names?: ReadonlyArray<ModelRef> | undefined
  /** milliseconds since 1970 */
  readonly addedAt: number
  readonly lastUsedAt: number | undefined
}

/** What changes in the life of a model. */
export type Marks = Partial<Pick<ModelRow, "lastUsedAt" | "owned" | "pinned" | "templateHash" | "tokenBytes">>

export interface RuntimeRow {
  readonly kind: string
  readonly version: string
  /** of `kind`, when the hive installed it itself */
  readonly folder: string
}

/** `disk` is a device of its own: bytes of the models' disk that are promised to downloads. */
export const diskDevice = "disk"
export type LedgerDevice = DeviceId | typeof diskDevice

/** A booked share of the machine. `owner` is a worker id or a download's reference. */
export interface LeaseRow {
  readonly id: string
  readonly device: LedgerDevice
  readonly owner: string
  readonly bytes: number
}

/** A file that is not tried on a device any more: it ended its workers there while they loaded it. */
export interface QuarantineRow {
  /** what the file is: its hash, or its path where that is not known, and its size and age */
  readonly hash: string
  /** version of the runtime that could not load it */
  readonly engine: string
  readonly device: DeviceId
  readonly file: string
  readonly reason: string
  /** the worker's last words, for people */
  readonly words: string
  /** milliseconds since 1970 */
  readonly at: number
}
export type QuarantineKey = Pick<QuarantineRow, "hash" | "engine" | "device">

/** What the self-test of a worker found, for its next process. */
export interface ExactRow extends QuarantineKey {
  readonly file: string
  /** all else that is known before a process starts: context, slots, kind of cache */
  readonly setup: string
  readonly exact: boolean
  readonly bits: string | undefined
  /** that decoded; a worker chooses them itself */
  readonly threads: number | undefined
}
export type ExactKey = QuarantineKey & Pick<ExactRow, "setup">

/** How models write whose chat template this is the hash of, as a version of rbee learned it. */
export interface DialectRow extends LearnedDialect {
  readonly version: string
}

/** A process that a hive must end if it finds it alive at its own start. */
export interface WorkerRow {
  readonly worker: WorkerId
  readonly pid: number
  /** of the process, as the kernel tells it */
  readonly start: string
  readonly port: number | undefined
}

export interface OwnerRow {
  readonly id: string
  readonly name: string
  readonly epoch: number
  readonly url: string
}

/** A store that cannot be written: the disk is full, or the file is gone bad while it was open. */
export type CatalogError = RbeeError<"DISK_FULL" | "INTERNAL">

interface Table<Row, Key> {
  readonly all: Effect.Effect<ReadonlyArray<Row>, CatalogError>
  readonly put: (row: Row) => Effect.Effect<void, CatalogError>
  readonly remove: (key: Key) => Effect.Effect<void, CatalogError>
}

export class HiveCatalog extends Context.Tag("rbee/HiveCatalog")<
  HiveCatalog,
  {
    /** where the unusable catalog went that was found at the start; this one starts empty */
    readonly movedAside: string | undefined
    readonly models: Table<ModelRow, string> & {
      readonly count: Effect.Effect<number, CatalogError>
      /** Changes no more of the row than this, if there is one: others may change the rest at the same time. */
      readonly mark: (ref: ModelRef, marks: Marks) => Effect.Effect<void, CatalogError>
    }
    readonly runtimes: Table<RuntimeRow, string>
    readonly leases: Table<LeaseRow, string>
    readonly workers: Table<WorkerRow, string>
    /** `device` and `file` of workers that do not unload when idle */
    readonly pins: Table<
      { readonly device: DeviceId; readonly file: string },
      { readonly device: DeviceId; readonly file: string }
    >
    /** bytes that a worker of this shape took after its load; the key is made by the ledger */
    readonly measured: Table<{ readonly key: string; readonly bytes: number }, string>
    readonly quarantine: Table<QuarantineRow, QuarantineKey>
    readonly exact: Table<ExactRow, ExactKey>
    readonly dialects: Table<DialectRow, string>
    readonly owner: Effect.Effect<OwnerRow | undefined, CatalogError>
    readonly setOwner: (owner: OwnerRow) => Effect.Effect<void, CatalogError>
  }
>() {}
