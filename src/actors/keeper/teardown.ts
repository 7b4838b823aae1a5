/** Step 10 of a cold session: what the session woke and nobody else uses is ended (docs/design.md#sessions). */
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { cascadeAsk, queenLeft } from "../../machines/narration.ts"
import type { QueenLink } from "./queen-link.ts"
import type { Renderer } from "./renderer.ts"

/** Asks the queen, prints what she decides, and returns when what she ends is gone. `woke`: the session woke her. */
export const teardown = (
  link: QueenLink,
  renderer: Renderer,
  session: string,
  woke: boolean
): Effect.Effect<void, RbeeError> =>
  Effect.gen(function* () {
    // her lines may overtake her answer, which says whether the line before them is printed at all
    link.hold()
    const answer = yield* link.api.shutdown({ cascade: true, session })
    if (answer.queen === "stays") {
      renderer.say(queenLeft(woke ? "in_use" : "was_here"))
      return
    }
    renderer.say(cascadeAsk())
    link.release()
    yield* link.leave
    if (!(yield* link.gone))
      return yield* Effect.fail(
        rbeeError(
          "CONNECTION_TIMEOUT",
          "the queen said goodbye and is still there after 40 s",
          "See `rbee logs queen`."
        )
      )
  }).pipe(Effect.ensuring(Effect.sync(link.release)))

/** Ends a cluster that lives for this run alone; its lines say the rest. */
export const endEverything = (link: QueenLink): Effect.Effect<void, RbeeError> =>
  Effect.gen(function* () {
    yield* link.api.shutdown({ cascade: true })
    yield* link.leave
    yield* link.gone
  })
