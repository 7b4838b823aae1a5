/** Ids from the operating system's randomness. */
import { randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Ids } from "./index.ts"

/** For many at once: to ask for those of one id takes longer than to make it. */
const bytesAtOnce = 1024
let drawn = Buffer.alloc(0)
let used = 0

const next = (bytes: number): string => {
  if (used + bytes > drawn.length) {
    drawn = randomBytes(bytesAtOnce)
    used = 0
  }
  used += bytes
  return drawn.toString("hex", used - bytes, used)
}

export const layerRandom = Layer.succeed(Ids, {
  make: (prefix) => Effect.sync(() => `${prefix}-${next(8)}`)
})
