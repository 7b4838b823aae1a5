/** What a model is asked, and whether it is for that. */
import { type RbeeError, rbeeError } from "../errors.ts"
import type { Purpose } from "../vocabulary/model.ts"

/** What a request asks of a model. */
export const purposeOf = (request: { readonly embed?: unknown; readonly rerank?: unknown }): Purpose =>
  request.embed !== undefined ? "embeddings" : request.rerank !== undefined ? "reranking" : "chat"

const words: Readonly<Record<Purpose, { readonly isFor: string; readonly asked: string }>> = {
  chat: { isFor: "chat", asked: "to answer" },
  embeddings: { isFor: "embeddings", asked: "for embeddings" },
  reranking: { isFor: "reranking", asked: "to rank" }
}

export const unsuitable = (purpose: Purpose, asked: Purpose): RbeeError<"MODEL_INVALID"> =>
  rbeeError(
    "MODEL_INVALID",
    `the model is for ${words[purpose].isFor}, and is asked ${words[asked].asked}`,
    "Ask one that was made for it: `rbee models ls` says what each is for",
    { field: "model", purpose, asked }
  )
