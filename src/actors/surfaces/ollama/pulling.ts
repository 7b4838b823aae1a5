/** A download as Ollama's lines. */
import * as Effect from "effect/Effect"
import { Call, type EventFeed } from "../../../protocol/endpoint.ts"
import { ollama } from "../../../protocol/surfaces/ollama-surface.ts"
import { encodeError } from "../../../protocol/surfaces/rbee.ts"
import type { RbeeError } from "../../../machines/errors.ts"
import type { OllamaProgress } from "../../../machines/vocabulary/ollama/answers.ts"
import type { ProgressEvent } from "../../../machines/vocabulary/model.ts"
import type { Pulling } from "./ports.ts"

const line = (progress: OllamaProgress): string => `${JSON.stringify(progress)}\n`

const progressOf = (model: string, { received, total }: ProgressEvent): OllamaProgress => ({
  status: `pulling ${model}`,
  digest: model,
  ...(total === undefined ? {} : { total }),
  completed: received
})

/** Ends with "success", or with its error and without. */
export const pullFeed = ({ follow, model }: Pulling): Effect.Effect<EventFeed> =>
  Effect.map(Call, ({ correlationId }): EventFeed => (sink) => {
    sink.write(line({ status: "pulling manifest" }))
    return follow((event) => void sink.write(line(progressOf(model, event)))).pipe(
      Effect.match({
        onSuccess: () => line({ status: "success" }),
        onFailure: (error: RbeeError) => `${encodeError(error, correlationId, ollama)}\n`
      }),
      Effect.map((last) => void sink.write(last))
    )
  })
