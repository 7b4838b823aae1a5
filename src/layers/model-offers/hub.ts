/** By the hub that this machine's environment names, and by this machine's disk. */
import * as Effect from "effect/Effect"
import { RbeeError, rbeeError } from "../../machines/errors.ts"
import { workerKinds } from "../../machines/kinds/index.ts"
import { formatOf } from "../../machines/kinds/kind.ts"
import { offerOf, searchHub } from "../models/hugging-face/offers.ts"
import { hubSettings } from "../models/hugging-face/settings.ts"
import { inspect } from "../models/look.ts"
import type { ModelOffers } from "./index.ts"

/** An error of the hub as it is, anything else as a fault of ours. */
const ofHub = (error: unknown): RbeeError =>
  error instanceof RbeeError ? error : rbeeError("INTERNAL", `the hub could not be asked: ${String(error)}`)

export const hubOffers = (env: Readonly<Record<string, string | undefined>>): ModelOffers => ({
  search: (words, limit) =>
    Effect.tryPromise({ try: (signal) => searchHub(hubSettings(env), words, limit, signal), catch: ofHub }),
  ofHub: (ref) => Effect.tryPromise({ try: (signal) => offerOf(hubSettings(env), ref, signal), catch: ofHub }),
  ofFile: (ref, file, bytes) =>
    Effect.map(inspect(file, ref, formatOf(workerKinds, file)), (facts) => ({
      facts,
      models: [{ ref, quantization: facts.quantization, file, files: 1, bytes: bytes ?? facts.fileBytes }]
    }))
})
