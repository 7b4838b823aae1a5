/** Errors as OpenAI's clients know them: `code` is OpenAI's word, the cluster's own stands in `details.code`. */
import type { ErrorCode, RbeeError } from "../../machines/errors.ts"
import { errorBody } from "../wire/error.ts"
import { fact } from "../../machines/facts.ts"

/** Ours in lower case where OpenAI has no word of its own. */
const words: Partial<Record<ErrorCode, string>> = {
  QUEUE_FULL: "rate_limit_exceeded",
  LIMIT_REACHED: "rate_limit_exceeded",
  INTERNAL: "server_error"
}

/** The prompt and an answer's first token do not fit; whoever checks tells both numbers. */
export const isOverflow = (error: RbeeError): boolean =>
  error.code === "INVALID_REQUEST" && (fact(error, "prompt_tokens") ?? 0) > 0 && fact(error, "context") !== undefined

const openAiCode = (error: RbeeError): string => {
  const { code } = error
  if (isOverflow(error)) return "context_length_exceeded"
  if (code === "NOT_FOUND" && fact(error, "path") !== undefined) return "unknown_url"
  if (code === "INVALID_REQUEST" && fact(error, "expected") !== undefined) return "invalid_value"
  return words[code] ?? code.toLowerCase()
}

/** The field that is to blame; null where none is. */
const paramOf = (error: RbeeError): string | null => {
  const { code } = error
  if (isOverflow(error)) return "messages"
  if (code === "MODEL_NOT_FOUND" || code === "MODEL_INVALID" || code === "MODEL_ACCESS_DENIED") return "model"
  return fact(error, "field") || null
}

export const openAiEnvelope = (error: RbeeError, correlationId: string | undefined): unknown => {
  const own = errorBody(error, correlationId)
  return {
    error: {
      ...own,
      code: openAiCode(error),
      // OpenAI has no kind of its own for what is not there
      type: own.type === "not_found_error" ? "invalid_request_error" : own.type,
      param: paramOf(error),
      details: { ...error.details, code: error.code }
    }
  }
}
