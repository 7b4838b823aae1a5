/** How Anthropic's clients are spoken to; apart from their calls, which only the queen answers. */
import type { RbeeError } from "../../machines/errors.ts"
import { fact } from "../../machines/facts.ts"
import { frame } from "../sse.ts"
import { errorBody, errorStatus } from "../wire/error.ts"
import { isOverflow } from "./openai-error.ts"
import { bearer, type Surface } from "./surface.ts"

/** What Anthropic's clients call the kind of an error. */
const typeOf = (status: number): string => {
  if (status === 401) return "authentication_error"
  if (status === 403) return "permission_error"
  if (status === 404) return "not_found_error"
  if (status === 413) return "request_too_large"
  if (status === 429) return "rate_limit_error"
  if (status === 503) return "overloaded_error"
  if (status === 504) return "timeout_error"
  return status >= 500 ? "api_error" : "invalid_request_error"
}

/** Its clients know an overflow by these words, and make their conversation shorter. */
const messageOf = (error: RbeeError, message: string): string => {
  const [prompt, context] = [fact(error, "prompt_tokens"), fact(error, "context")]
  return isOverflow(error) ? `prompt is too long: ${prompt} tokens > ${context} maximum. ${message}` : message
}

const envelope = (error: RbeeError, correlationId: string | undefined): unknown => {
  const { details, message } = errorBody(error, correlationId)
  return {
    type: "error",
    error: {
      type: typeOf(errorStatus(error)),
      message: messageOf(error, message),
      details: { ...details, code: error.code }
    },
    request_id: correlationId ?? null
  }
}

export const anthropic: Surface = {
  name: "anthropic",
  prefix: "/v1/messages",
  isPrefixNeeded: true,
  framing: {
    type: "text/event-stream",
    ends: "\n\n",
    opens: "",
    keepAlive: frame({ event: "ping", data: { type: "ping" } }),
    closes: ""
  },
  authorization: { ...bearer, orHeader: "x-api-key" },
  envelope
}
