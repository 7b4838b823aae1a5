/**
 * A candidate that waits: whoever looks after it (systemd, launchd) would only start it again. Where another queen leads it
 * leads when that one is gone; where somebody else has the address it fails as any other.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { takenReason } from "../../machines/vocabulary/address.ts"
import { fact } from "../../machines/facts.ts"
import { Leadership } from "./index.ts"

/** milliseconds between two looks at one that leads */
const lookMs = 1000

/** `leads`: does a queen of ours lead now? Undefined: it is not known, she may be just starting or ending. */
export const layerStandby = (
  candidate: Layer.Layer<Leadership>,
  leads: Effect.Effect<boolean | undefined>
): Layer.Layer<Leadership> =>
  Layer.effect(
    Leadership,
    Effect.map(Leadership, ({ lead }) => {
      const waited: typeof lead = Effect.catchIf(
        lead,
        (error) => fact(error, "reason") === takenReason,
        (error) =>
          Effect.gen(function* () {
            if ((yield* leads) === false) return yield* error
            yield* Effect.logInfo("another queen leads; this one waits for its turn")
            while (yield* Effect.delay(leads, lookMs)) continue
            return yield* waited
          })
      )
      return { lead: waited }
    })
  ).pipe(Layer.provide(candidate))
