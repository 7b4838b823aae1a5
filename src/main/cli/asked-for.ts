/** What a command line calls a model by: a reference, a path, an entry of the configuration, or what a file here is called. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Settings } from "../../layers/settings/index.ts"
import { pathRef } from "../../layers/model-entries/path-ref.ts"
import type { RbeeError } from "../../machines/errors.ts"
import { isName, type Named, resolveName } from "../../machines/formats/model-name.ts"
import type { ModelRef } from "../../machines/vocabulary/ids.ts"
import { bundledModel, parseModelRef } from "../../machines/formats/model-ref.ts"

/** To be sent to the queen, who knows what there is; refused here is what can be neither. */
export const askedFor = (text: string): Effect.Effect<string, RbeeError> => {
  const asked = pathRef(process.cwd(), text)
  const parsed = Either.map(parseModelRef(asked), () => asked)
  return Either.isLeft(parsed) && isName(asked) ? Either.right(asked) : parsed
}

/** What runs where none is named. */
export const defaultModelOf = ({ defaultModel = bundledModel }: Settings): string => defaultModel

/** The reference of what is called so, an entry or one of these models. */
export const modelNamed = (
  text: string,
  copies: ReadonlyArray<Named>,
  { home }: Settings
): Effect.Effect<ModelRef, RbeeError> =>
  Effect.gen(function* () {
    const asked = yield* askedFor(text)
    const { entriesNow } = yield* Effect.promise(() => import("../../layers/model-entries/file.ts"))
    const { unaliased } = yield* Effect.promise(() => import("../../machines/entries/entries.ts"))
    return yield* resolveName(unaliased(yield* entriesNow(home.config), asked), copies)
  })
