/** Names of kinds of workers, and of the runtimes that they need. */
import * as Schema from "effect/Schema"

/** "llama" */
export const KindId = Schema.String.pipe(Schema.pattern(/^[a-z][a-z0-9-]{0,31}$/), Schema.brand("KindId"))
export type KindId = typeof KindId.Type

/** What the runtime of a kind for a backend is called on the wire and in narration: "cuda-llm-worker-rbee". */
export const RuntimeName = Schema.String.pipe(Schema.pattern(/^[a-z][a-z0-9-]{0,63}$/))
export type RuntimeName = typeof RuntimeName.Type
