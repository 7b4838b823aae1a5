/** Ids from the operating system's randomness. */
import { randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Ids } from "./index.ts"

export const layerRandom = Layer.succeed(Ids, {
  make: (prefix) => Effect.sync(() => `${prefix}-${randomBytes(8).toString("hex")}`)
})
