/** Where models come from. A source knows some references: bundled and in place (`sources.ts`), the hub (`hugging-face`). */
import type * as Effect from "effect/Effect"
import type { ParsedRef } from "../../machines/formats/model-ref.ts"
import type { Fits, ResolveError } from "./index.ts"
import type { ModelRef } from "../../machines/vocabulary/ids.ts"

/** Where a file is collected and published. Absent: in the hive's own folder, under its name. */
export interface Store {
  /** collects the bytes */
  readonly part: string
  /** absolute; taken by a rename of the verified file */
  readonly final: string
  /** on the disk that the bytes will need */
  readonly folder: string
  /** nothing else ever has the final name: whatever is there already is this file */
  readonly isNamedByHash: boolean
  /** Waits while another process fetches the same file; `onWait` hears each look. Gives what releases it. */
  readonly lock: (onWait: () => Promise<void>, signal: AbortSignal) => Promise<() => Promise<void>>
  /** after the rename; gives the path that programs open */
  readonly link: () => Promise<string>
}

/** A file of a model: the model itself, or a part of a split one. */
export interface LocatedFile {
  readonly name: string
  readonly bytes: number
  readonly sha256: string | undefined
  /** absolute path of a file that is used where it lies */
  readonly inPlace: string | undefined
  /**
   * The bytes from `offset` on; a source that can send no more than `length` of them does so. A failure of the source
   * is a rejection with RbeeError.
   */
  readonly open: (offset: number, signal?: AbortSignal, length?: number) => AsyncIterable<Uint8Array>
  readonly store?: Store
}

export interface Located {
  readonly ref: ModelRef
  /** the first is the one that is opened */
  readonly files: readonly [LocatedFile, ...ReadonlyArray<LocatedFile>]
  /** why these, where the reference left a choice */
  readonly why?: string
  /** the bytes come from the queen's machine */
  readonly fromQueen?: boolean
}

export const bytesOf = ({ files }: Located): number => files.reduce((sum, { bytes }) => sum + bytes, 0)

export interface ModelSource {
  /** Undefined: not a reference of this source. `fits` decides where the reference leaves a choice. */
  readonly locate: (ref: ParsedRef, fits?: Fits) => Effect.Effect<Located, ResolveError> | undefined
  /** Partial files of this source outside the hive's folder, for the sweep. */
  readonly partials?: () => Promise<ReadonlyArray<string>>
}
