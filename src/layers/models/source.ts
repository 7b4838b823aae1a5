/** Where models come from. A source knows some references; `hub.ts` will be one more. */
import type * as Effect from "effect/Effect"
import type { ModelRef } from "../../machines/model-ref.ts"
import type { ResolveError } from "./index.ts"

export interface Located {
  readonly ref: string
  readonly name: string
  readonly bytes: number
  readonly sha256: string | undefined
  /** absolute path of a file that is used where it lies */
  readonly inPlace: string | undefined
  /** The bytes from `offset` on. A failure of the source is a rejection with RbeeError. */
  readonly open: (offset: number) => AsyncIterable<Uint8Array>
}

export interface ModelSource {
  /** Undefined: not a reference of this source. */
  readonly locate: (ref: ModelRef) => Effect.Effect<Located, ResolveError> | undefined
}
