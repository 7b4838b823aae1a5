/** Facts of a model: from a file that is here, or from the first bytes of one that is not. */
import * as Effect from "effect/Effect"
import { isPassing, retryAfterMs } from "../../machines/download.ts"
import { RbeeError, rbeeError } from "../../machines/errors.ts"
import type { ModelFacts } from "../../machines/formats/gguf/gguf.ts"
import type { ModelFormat } from "../../machines/formats/model-format.ts"
import { partsOf } from "../../machines/formats/gguf/split.ts"
import { awaited } from "./files.ts"
import { wasSeen } from "./early-look.ts"
import { problemOf } from "./found/finding.ts"
import { factsOf, inSteps, invalid, readHeader, readHeaderOf } from "./header.ts"
import type { ResolveCode } from "./index.ts"
import type { Located } from "./source.ts"

/** times that a look ahead asks a hub in trouble */
const looksMax = 4

/** The facts of a model that is here, or why it is none. */
export const judged = (file: string, format: ModelFormat): Promise<ModelFacts | { readonly reason: string }> =>
  factsOf(partsOf(file), (part) => readHeader(part, format)).catch((error: unknown) => ({ reason: problemOf(error) }))

export const inspect = (
  file: string,
  name: string,
  format: ModelFormat
): Effect.Effect<ModelFacts, RbeeError<"MODEL_INVALID" | "MODEL_NOT_FOUND">> =>
  Effect.flatMap(
    awaited(
      () => factsOf(partsOf(file), (part) => readHeader(part, format)),
      () => rbeeError("MODEL_NOT_FOUND", `${name} cannot be read`, "Check that the file is there and may be read")
    ),
    (facts) => ("reason" in facts ? Effect.fail(invalid(name, facts.reason)) : Effect.succeed(facts))
  )

export const head = (
  found: Located,
  format: ModelFormat
): Effect.Effect<ModelFacts, RbeeError<ResolveCode | "MODEL_INVALID">> =>
  Effect.flatMap(
    awaited(
      (signal) =>
        factsOf(found.files, async ({ bytes, open, sha256 }) => {
          const read = await readHeaderOf(
            inSteps((at, length) => open(at, signal, length), bytes),
            bytes,
            format
          )
          if (!("reason" in read)) wasSeen(sha256)
          return read
        }),
      (error) =>
        // a source rejects with its own errors
        error instanceof RbeeError
          ? (error as RbeeError<ResolveCode>)
          : rbeeError("DOWNLOAD_FAILED", `the header of ${found.ref} could not be read`, "Try again")
    ),
    (facts) => ("reason" in facts ? Effect.fail(invalid(found.ref, facts.reason)) : Effect.succeed(facts))
  )

/** A look ahead has no chart that tries again: what will pass is waited for here. */
export const patiently = <A, E extends RbeeError>(look: Effect.Effect<A, E>, attempt = 1): Effect.Effect<A, E> =>
  Effect.catchAll(look, (error) =>
    isPassing(error) && attempt < looksMax
      ? Effect.delay(patiently(look, attempt + 1), retryAfterMs(error, attempt))
      : Effect.fail(error)
  )
