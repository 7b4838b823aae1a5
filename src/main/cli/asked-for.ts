/** What a command line calls a model by: a reference, or what a file or a repository on some hive is called. */
import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { RbeeError } from "../../machines/errors.ts"
import { isName } from "../../machines/formats/model-name.ts"
import { parseModelRef } from "../../machines/formats/model-ref.ts"

/** To be sent to the queen, who knows what there is; refused here is what can be neither. */
export const askedFor = (text: string): Effect.Effect<string, RbeeError> => {
  const parsed = Either.map(parseModelRef(text), ({ ref }) => ref)
  return Either.isLeft(parsed) && isName(text) ? Either.right(text) : parsed
}
