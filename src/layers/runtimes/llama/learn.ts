/** What a model's file tells of how it writes. */
import * as Effect from "effect/Effect"
import { hashOf, learned, templateOf } from "../../engine/llama/reading/learner.ts"
import type { Vocabulary } from "../../engine/llama/reading/tokenize.ts"
import type { Found } from "../index.ts"

/** A file that cannot be read tells nothing: who loads it says why. */
export const learnFile = (modelPath: string, runtime: Vocabulary["runtime"]): Effect.Effect<Found | undefined> =>
  Effect.gen(function* () {
    const template = yield* Effect.orElseSucceed(templateOf(modelPath), () => undefined)
    if (template === undefined) return undefined
    const { dialect, failed } = yield* learned({ modelPath, runtime, template }, { tries: 0 })
    return { dialect, template: failed === undefined ? hashOf(template) : undefined }
  })
