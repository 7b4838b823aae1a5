/** What a command line calls a model by: a reference, a path, an entry of the configuration, or what a file here is called. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Settings } from "../../layers/settings/index.ts"
import { pathRef } from "../../layers/model-entries/path-ref.ts"
import type { RbeeError } from "../../machines/errors.ts"
import { isName } from "../../machines/formats/model-name.ts"
import { bundledModel, parseModelRef } from "../../machines/formats/model-ref.ts"

/** To be sent to the queen, who knows what there is; refused here is what can be neither. */
export const askedFor = (text: string): Effect.Effect<string, RbeeError> => {
  const asked = pathRef(process.cwd(), text)
  const parsed = Either.map(parseModelRef(asked), () => asked)
  return Either.isLeft(parsed) && isName(asked) ? Either.right(asked) : parsed
}

/** What runs where none is named. */
export const defaultModelOf = ({ defaultModel = bundledModel }: Settings): string => defaultModel

/** What the queen finds it by: an entry's name is told from others' here. */
export const standsFor = (text: string, { home }: Settings): Effect.Effect<string, RbeeError> =>
  Effect.gen(function* () {
    const asked = yield* askedFor(text)
    const { entriesNow } = yield* Effect.promise(() => import("../../layers/model-entries/file.ts"))
    const { entryNamed } = yield* Effect.promise(() => import("../../machines/entries/entries.ts"))
    return entryNamed(yield* entriesNow(home.config), asked)?.ref ?? asked
  })
