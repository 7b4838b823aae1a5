/** When the hive was last of use, and when it may end by itself. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CurrentHive } from "./common/ports.ts"

export interface UsageOptions {
  /** how long it may stand idle, milliseconds; asked anew each time */
  readonly idleMs: () => number
  /** work is under way that is use in itself */
  readonly inUse: Effect.Effect<boolean>
}

export class Usage {
  /** nobody has ever wanted anything of it */
  isUnused = true
  /** milliseconds since 1970: when it last was called for work */
  calledAt: number
  private lastAt: number

  constructor(now: number) {
    this.calledAt = now
    this.lastAt = now
  }

  /** It is called for work. */
  readonly called: Effect.Effect<void> = Effect.suspend(() =>
    Effect.map(this.touch, () => void (this.calledAt = this.lastAt))
  )

  /** Somebody wanted something of it. */
  readonly touch: Effect.Effect<void> = Effect.map(Clock.currentTimeMillis, (now) => {
    this.isUnused = false
    this.lastAt = now
  })

  /** Completes when it stood idle for its time. Looks at it no more often than needed, and at least each second of a short time. */
  idle({ idleMs, inUse }: UsageOptions): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      for (;;) {
        if (yield* inUse) yield* this.touch
        const now = yield* Clock.currentTimeMillis
        const left = this.lastAt + idleMs() - now
        if (left <= 0) return
        yield* Effect.sleep(Math.min(left, lookEveryMs))
      }
    })
  }
}

export class CurrentUsage extends Context.Tag("rbee/hive/Usage")<CurrentUsage, Usage>() {
  static readonly layer = Layer.effect(
    CurrentUsage,
    Effect.map(CurrentHive, ({ startedAt }) => new Usage(startedAt))
  )
}

/** Work that begins and ends between two looks is called for by somebody, which is use, too. */
const lookEveryMs = 1000
