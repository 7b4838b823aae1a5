/** What Ollama's interface needs of the queen. */
import type * as Effect from "effect/Effect"
import type { ErrorOf } from "../../../protocol/endpoint.ts"
import type { ollamaApi } from "../../../protocol/surfaces/ollama.ts"
import type { Entry } from "../../../machines/entries/entries.ts"
import type { RbeeError } from "../../../machines/errors.ts"
import type { WorkerView } from "../../../machines/vocabulary/hive.ts"
import type { ProgressEvent } from "../../../machines/vocabulary/model.ts"
import type { Known } from "../../../machines/vocabulary/ollama/models.ts"
import type { Asking } from "../asking.ts"

type Ollama = typeof ollamaApi

/** A model that a hive is fetching. */
export interface Pulling {
  readonly model: string
  /** Completes when it is there. */
  readonly follow: (progress: (event: ProgressEvent) => void) => Effect.Effect<void, ErrorOf<Ollama["ollamaPull"]>>
}

export interface OllamaPorts extends Asking {
  /** The reference of a model by any of its names. */
  readonly named: (name: string) => Effect.Effect<string, RbeeError<"INVALID_REQUEST" | "MODEL_NOT_FOUND">>
  /** What a name adds to what is asked under it, where it is an entry's. */
  readonly entry: (name: string) => Effect.Effect<Entry | undefined>
  /** Models that can be asked for by name. */
  readonly models: Effect.Effect<ReadonlyArray<Known>>
  /** One of them, with how it writes. */
  readonly shown: (model: string) => Effect.Effect<Known | undefined, ErrorOf<Ollama["ollamaShow"]>>
  readonly workers: Effect.Effect<ReadonlyArray<WorkerView>>
  /** what an idle worker has left, milliseconds */
  readonly idleMs: number
  /** Ends the workers of a model that nobody is answered by. */
  readonly unload: (model: string) => Effect.Effect<void>
  readonly pull: (name: string) => Effect.Effect<Pulling, ErrorOf<Ollama["ollamaPull"]>>
  readonly remove: (name: string) => Effect.Effect<void, ErrorOf<Ollama["ollamaDelete"]>>
}
