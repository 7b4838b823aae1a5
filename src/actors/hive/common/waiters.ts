/** Who waits for a download: it is given up when all of them have left. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { ParsedRef } from "../../../machines/formats/model-ref.ts"
import type { EventLog } from "./event-log.ts"

const lookEvery = "250 millis"

export class Waiters {
  private readonly log: EventLog
  /** a reader whose connection broke, or whose queen died, may be back within this time, milliseconds */
  private readonly graceMs: number
  private wasRead = false
  /** since when nobody reads, milliseconds since 1970 */
  private aloneSince: number | undefined

  constructor(log: EventLog, graceMs: number) {
    this.log = log
    this.graceMs = graceMs
  }

  /** Somebody asked for it, and will read in a moment. */
  asked(): void {
    this.aloneSince = undefined
  }

  /** Nobody wants it any more; false: somebody reads, and it goes on for them. */
  dismissed(): boolean {
    if (this.log.readerCount > 0) return false
    this.wasRead = true
    this.aloneSince = Number.NEGATIVE_INFINITY
    return true
  }

  /** Fails once all have left for good. One that nobody ever read was asked for all the same, and goes on. */
  gone({ ref }: ParsedRef): Effect.Effect<never, RbeeError<"CANCELLED">> {
    return Effect.gen(this, function* () {
      for (;;) {
        const now = yield* Clock.currentTimeMillis
        const isRead = this.log.readerCount > 0
        this.wasRead ||= isRead
        if (isRead || !this.wasRead) this.aloneSince = undefined
        else this.aloneSince ??= now
        if (this.aloneSince !== undefined && now - this.aloneSince >= this.graceMs) {
          yield* Effect.logInfo(`download of ${ref}: nobody waits for it any more`)
          return yield* rbeeError("CANCELLED", `nobody waited for ${ref} any more`, "Ask again: it goes on from there")
        }
        yield* Effect.sleep(lookEvery)
      }
    })
  }
}
