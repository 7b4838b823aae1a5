/** The queen's interface: who calls what, a file an audience. */
import type { Handlers } from "../endpoint.ts"
import { anthropicApi } from "../surfaces/anthropic.ts"
import { llamaServerApi } from "../surfaces/llama-server.ts"
import { measuringApi } from "../surfaces/measuring.ts"
import { ollamaApi } from "../surfaces/ollama.ts"
import { openAiApi } from "../surfaces/openai.ts"
import { responsesApi } from "../surfaces/responses.ts"
import { ownApi } from "./own.ts"

export const queenApi = {
  ...ownApi,
  ...openAiApi,
  ...llamaServerApi,
  ...measuringApi,
  ...responsesApi,
  ...anthropicApi,
  ...ollamaApi
} as const

export type QueenApi = Handlers<typeof queenApi>
