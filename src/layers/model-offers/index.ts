/** The port by which the queen looks at models that nobody has fetched yet. */
import type * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { ModelFacts } from "../../machines/formats/gguf/gguf.ts"
import type { ParsedRef } from "../../machines/formats/model-ref.ts"
import type { ModelRef } from "../../machines/vocabulary/ids.ts"
import type { OfferedModel, OfferedRepo } from "../models/hugging-face/offers.ts"

export interface Offer {
  readonly models: ReadonlyArray<OfferedModel>
  /** of one of them, which speak for all but for their sizes */
  readonly facts: ModelFacts
}

export interface ModelOffers {
  /** the most wanted first */
  readonly search: (words: string, limit: number) => Effect.Effect<ReadonlyArray<OfferedRepo>, RbeeError>
  /** what a reference to the hub leaves open */
  readonly ofHub: (ref: Extract<ParsedRef, { readonly _tag: "Hub" }>) => Effect.Effect<Offer, RbeeError>
  /** a model whose file is on this machine; `bytes`: of all its files, where they are more than one */
  readonly ofFile: (ref: ModelRef, file: string, bytes?: number) => Effect.Effect<Offer, RbeeError>
}

const none = () => rbeeError("DOWNLOAD_FAILED", "no hub is asked here", "")

/** Where there is neither hub nor disk. */
export const noOffers: ModelOffers = { search: none, ofHub: none, ofFile: none }
