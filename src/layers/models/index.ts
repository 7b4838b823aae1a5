/**
 * The model files of a hive: where they come from, how they get here, and what is in them. `disk.ts` keeps them in the
 * hive's folder; where a reference leads is decided by sources (`source.ts`): bundled, file in place, Hugging Face.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { RbeeError } from "../../machines/errors.ts"
import type { ModelFacts } from "../../machines/formats/gguf/gguf.ts"
import type { ParsedRef } from "../../machines/formats/model-ref.ts"
import type { ModelRef } from "../../machines/vocabulary/ids.ts"
import type { ScanAnswer } from "../../machines/vocabulary/model.ts"

/** A reference that leads somewhere. */
export interface ResolvedModel {
  /** canonical */
  readonly ref: ModelRef
  /** of all its files */
  readonly bytes: number
  /** absolute path of a model that is used where it lies: its first file */
  readonly inPlace: string | undefined
  /** bytes of it that earlier transfers left here; 0 for one that is in place */
  readonly partial: number
  /** why this file, where the reference left a choice */
  readonly why?: string | undefined
  /** it comes from the queen's machine, not from the hub */
  readonly fromQueen?: boolean
  /** bytes that the disk it goes to has free; undefined where that is the hive's own */
  readonly freeBytes?: number
}

/** The queen's machine, as a hub of what it has. */
export interface QueenHub {
  /** `http://host:port`, or `unix:/path/of/socket` */
  readonly url: string
  readonly token: string | undefined
}

/** Where a reference leaves a choice: does a model with these facts fit where it is wanted? */
export type Fits = (facts: ModelFacts) => boolean

export interface PublishedModel {
  /** the one that is opened; the others of a split model lie beside it */
  readonly file: string
  /** lower-case hex, of that file; undefined where the source does not tell it */
  readonly sha256: string | undefined
  readonly facts: ModelFacts
}

/** What is known of a model beside what its file says. */
export interface ModelNote {
  /** canonical */
  readonly ref: ModelRef
  readonly file: string
  readonly sha256: string | undefined
  /** we brought the file */
  readonly owned: boolean
  readonly pinned: boolean
  readonly why: string | undefined
  /** other references of the same file */
  readonly names?: ReadonlyArray<ModelRef> | undefined
  /** milliseconds since 1970 */
  readonly addedAt: number
  readonly lastUsedAt: number | undefined
}

/** A model that somebody else has left on this machine; it is used where it lies. */
export interface FoundModel {
  readonly ref: ModelRef
  readonly file: string
  /** other references of it, and of files with the same contents */
  readonly names: ReadonlyArray<ModelRef>
  /** the other files */
  readonly copies: ReadonlyArray<string>
  /** lower-case hex, where a store names it so */
  readonly sha256: string | undefined
  /** what its owner would do with it that is not done here */
  readonly remark: string | undefined
  readonly facts: ModelFacts
}
export type ScannedFolder = ScanAnswer["folders"][number]
export interface Scan extends Pick<ScanAnswer, "folders" | "skipped"> {
  readonly models: ReadonlyArray<FoundModel>
}

export type ResolveCode =
  | "MODEL_NOT_FOUND"
  | "MODEL_ACCESS_DENIED"
  | "DOWNLOAD_FAILED"
  | "DOWNLOAD_STALLED"
  | "INTERNAL"
export type ResolveError = RbeeError<ResolveCode>
export type TransferError = RbeeError<
  "DOWNLOAD_FAILED" | "DOWNLOAD_STALLED" | "DISK_FULL" | "MODEL_NOT_FOUND" | "MODEL_ACCESS_DENIED" | "MODEL_INVALID"
>
export type PublishError = RbeeError<"CHECKSUM_MISMATCH" | "MODEL_INVALID" | "DISK_FULL" | "DOWNLOAD_FAILED">

export class Models extends Context.Tag("rbee/Models")<
  Models,
  {
    readonly resolve: (ref: ParsedRef, fits?: Fits) => Effect.Effect<ResolvedModel, ResolveError>
    /**
     * Brings the bytes that are missing, synced to disk. `onProgress` hears the bytes that are here in all.
     * Interrupting it leaves what it has for the next try. A file whose header says that it cannot be used is given up
     * there, and nothing of it stays.
     */
    readonly transfer: (
      model: ResolvedModel,
      onProgress: (received: number) => void
    ) => Effect.Effect<void, TransferError>
    /** Checks hash and header, then renames atomically: nothing unverified ever has its final name. */
    readonly publish: (model: ResolvedModel) => Effect.Effect<PublishedModel, PublishError>
    /** Throws away what was transferred. */
    readonly discard: (model: ResolvedModel) => Effect.Effect<void>
    /** What other programs have left here, in their folders and in those that are named. */
    readonly scan: (folders: ReadonlyArray<string>) => Effect.Effect<Scan>
    /** The facts in a file's header. */
    readonly inspect: (file: string) => Effect.Effect<ModelFacts, RbeeError<"MODEL_INVALID" | "MODEL_NOT_FOUND">>
    /** What lies beside a model and makes tokens of images for it, elements of which are `width`. */
    readonly projector: (
      file: string,
      width: number
    ) => Effect.Effect<{ readonly file: string; readonly bytes: number } | undefined>
    /** Facts of a model that need not be here: from a local file, or from the first bytes of a remote one. */
    readonly preview: (
      ref: ParsedRef,
      fits?: Fits
    ) => Effect.Effect<ModelFacts, RbeeError<ResolveCode | "MODEL_INVALID">>
    /** From now on what the queen's machine has comes from there. */
    readonly offered: (hub: QueenHub | undefined) => Effect.Effect<void>
    /** Is a model of this size there, with all its files? */
    readonly isThere: (file: string, bytes: number) => Effect.Effect<boolean>
    /** By which a file that was changed is told from what it was: sizes and ages of all its parts. */
    readonly stamp: (file: string) => Effect.Effect<string>
    /** Keeps, beside the files, what a lost catalog is rebuilt from. Best effort. */
    readonly note: (note: ModelNote) => Effect.Effect<void>
    readonly forget: (ref: ModelRef) => Effect.Effect<void>
    /** Of the models whose files are there. */
    readonly notes: Effect.Effect<ReadonlyArray<ModelNote>>
    /** Deletes a file of ours, and what it leads to unless others use that too. */
    readonly remove: (file: string) => Effect.Effect<void>
    /** bytes that the disk of the models has free */
    readonly diskFree: Effect.Effect<number>
    /** Deletes partial files that nobody came back for. */
    readonly sweep: Effect.Effect<void>
  }
>() {}
