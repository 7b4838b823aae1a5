/** How OpenAI's clients are spoken to; apart from their calls, which only the queen answers. */
import { doneFrame, keepAliveComment } from "../sse.ts"
import { openAiEnvelope } from "./openai-error.ts"
import { bearer, type Surface } from "./surface.ts"

export const openAi: Surface = {
  name: "openai",
  prefix: "/v1",
  isPrefixNeeded: false,
  framing: { type: "text/event-stream", ends: "\n\n", opens: "", keepAlive: keepAliveComment, closes: doneFrame },
  authorization: bearer,
  envelope: openAiEnvelope
}

/** Of Responses: its streams end with an event that says how. */
export const openAiResponses: Surface = { ...openAi, framing: { ...openAi.framing, closes: "" } }
