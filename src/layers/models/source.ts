/** Where models come from. A source knows some references: bundled and in place (`sources.ts`), the hub (`hugging-face`). */
import type * as Effect from "effect/Effect"
import type { ModelRef } from "../../machines/model-ref.ts"
import type { ResolveError } from "./index.ts"

/** Where a file is collected and published. Absent: in the hive's own folder, under its name. */
export interface Store {
  /** collects the bytes */
  readonly part: string
  /** absolute; taken by a rename of the verified file */
  readonly final: string
  /** on the disk that the bytes will need */
  readonly folder: string
  /** Waits while another process fetches the same file; `onWait` hears each look. Gives what releases it. */
  readonly lock: (onWait: () => Promise<void>, signal: AbortSignal) => Promise<() => Promise<void>>
  /** after the rename; gives the path that programs open */
  readonly link: () => Promise<string>
}

export interface Located {
  readonly ref: string
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

export interface ModelSource {
  /** Undefined: not a reference of this source. */
  readonly locate: (ref: ModelRef) => Effect.Effect<Located, ResolveError> | undefined
  /** Partial files of this source outside the hive's folder, for the sweep. */
  readonly partials?: () => Promise<ReadonlyArray<string>>
}
