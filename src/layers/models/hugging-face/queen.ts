/** A model that the queen's machine has comes from there; anything else, or all where she is out of reach, from the hub. */
import type { ModelFormat } from "../../../machines/formats/model-format.ts"
import { formatOf } from "../../../machines/kinds/kind.ts"
import * as Effect from "effect/Effect"
import type { RbeeError } from "../../../machines/errors.ts"
import type { Fits, QueenHub, ResolveCode, ResolveError } from "../index.ts"
import { head } from "../look.ts"
import type { Located, ModelSource } from "../source.ts"
import type { HubSettings } from "./settings.ts"
import { asTold } from "./source.ts"

/** where a queen has the routes of a hub */
export const hubPrefix = "/hub"

/** She knows at once whether she has it; one that says nothing is out of reach. */
const answerMs = 5000

const settingsFor = (own: HubSettings, { token, url }: QueenHub): HubSettings => ({
  ...own,
  // what is forbidden is the internet
  offline: false,
  endpoint: url.startsWith("unix:") ? `http://queen${hubPrefix}` : `${url}${hubPrefix}`,
  token: () => token,
  ours: { socketPath: url.startsWith("unix:") ? url.slice("unix:".length) : undefined }
})

/** Where she has one that is too large, the hub may have another; where that cannot be asked, hers it is. */
const fitting = (
  found: Located,
  fits: Fits | undefined,
  format: ModelFormat,
  fromHub: Effect.Effect<Located, ResolveError>
): Effect.Effect<Located, RbeeError<ResolveCode | "MODEL_INVALID">> =>
  fits === undefined
    ? Effect.succeed(found)
    : Effect.flatMap(head(found, format), (facts) =>
        fits(facts) ? Effect.succeed(found) : Effect.orElseSucceed(fromHub, () => found)
      )

export const queenFirst = (own: HubSettings, queen: () => QueenHub | undefined, hub: ModelSource): ModelSource => ({
  ...hub,
  locate: (ref, fits) => {
    const fromHub = hub.locate(ref, fits)
    if (fromHub === undefined || ref._tag !== "Hub") return fromHub
    return Effect.suspend(() => {
      const her = queen()
      if (her === undefined) return fromHub
      return asTold(settingsFor(own, her), ref, fits).pipe(
        Effect.timeout(answerMs),
        Effect.map((found) => ({
          ...found,
          why: `${found.why ?? "as asked"}, of the queen's machine`,
          fromQueen: true
        })),
        Effect.tap(({ files, why }) =>
          Effect.logInfo(`${ref.ref} is ${files[0].name} of the queen's machine (${why})`)
        ),
        Effect.flatMap((found) => fitting(found, fits, formatOf(own.kinds, found.files[0].name), fromHub)),
        Effect.catchAll((error) =>
          Effect.zipRight(Effect.logDebug(`${ref.ref} is not on the queen's machine: ${error.message}`), fromHub)
        )
      )
    })
  }
})
