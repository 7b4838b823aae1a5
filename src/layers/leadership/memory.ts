/**
 * Leadership in memory: one seat that candidates of one process ask for. It can be taken from whoever has it, as a lease
 * can that is kept elsewhere.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { RbeeError } from "../../machines/errors.ts"
import { anotherLeads, Leadership, leadershipLost } from "./index.ts"

interface Held {
  readonly url: string
  readonly lost: Deferred.Deferred<never, RbeeError<"CONFLICT">>
}

/** Given to several layers, it is what their candidates compete for. */
export class LeadersSeat {
  private held: Held | undefined

  take(url: string): Effect.Effect<Held, RbeeError<"CONFLICT">> {
    return Effect.gen(this, function* () {
      const lost = yield* Deferred.make<never, RbeeError<"CONFLICT">>()
      // nothing may suspend between this look and the entry
      if (this.held !== undefined) return yield* anotherLeads(this.held.url)
      this.held = { url, lost }
      return this.held
    })
  }

  giveUp(held: Held): Effect.Effect<void> {
    return Effect.sync(() => {
      if (this.held === held) this.held = undefined
    })
  }

  /** Takes it from whoever has it: that one learns of it, and another may lead at once. */
  readonly depose: Effect.Effect<void> = Effect.suspend(() => {
    const { held } = this
    this.held = undefined
    return held === undefined
      ? Effect.void
      : Effect.asVoid(Deferred.fail(held.lost, leadershipLost(held.url, "it was taken away")))
  })
}

/** A candidate who would be reached at `url`. */
export const layerMemory = (seat: LeadersSeat, url: string): Layer.Layer<Leadership> =>
  Layer.succeed(Leadership, {
    lead: Effect.map(
      Effect.acquireRelease(seat.take(url), (held) => seat.giveUp(held)),
      ({ lost }) => ({ url, port: 0, lost: Deferred.await(lost) })
    )
  })
