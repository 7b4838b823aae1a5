/** Errors on the wire (docs/api.md#errors): one envelope for all daemons, which OpenAI's clients read too. */
import { type ErrorDetails, isErrorCode, type RbeeError, rbeeError, sentence, statusOf } from "../../machines/errors.ts"
import type { Dialect } from "../surfaces/dialect.ts"
import { openAiCode, paramOf } from "../surfaces/openai-error.ts"
import { isObject } from "../../machines/formats/json/is-object.ts"

/** What OpenAI's clients call the kind of an error. */
const typeOf = (status: number): string => {
  if (status === 401) return "authentication_error"
  if (status === 403) return "permission_error"
  if (status === 404) return "not_found_error"
  if (status === 429) return "rate_limit_error"
  return status >= 500 ? "server_error" : "invalid_request_error"
}

/** The status line of an error; what is no error status (details come from anywhere) is 500. */
export const errorStatus = (error: RbeeError): number => {
  const status = error.status
  return Number.isInteger(status) && status >= 400 && status <= 599 ? status : 500
}

export interface ErrorBody {
  readonly code: string
  readonly message: string
  readonly type: string
  /** OpenAI's: the field that is to blame */
  readonly param?: string | null
  readonly details: ErrorDetails
  readonly correlation_id: string | undefined
}

/** The member `error` of the envelope. */
export const errorBody = (error: RbeeError, correlationId: string | undefined): ErrorBody => ({
  code: error.code,
  message: sentence(error),
  type: typeOf(errorStatus(error)),
  details: error.details,
  correlation_id: correlationId
})

const openAiBody = (error: RbeeError, correlationId: string | undefined): ErrorBody => {
  const own = errorBody(error, correlationId)
  return {
    ...own,
    code: openAiCode(error),
    // OpenAI has no kind of its own for what is not there
    type: own.type === "not_found_error" ? "invalid_request_error" : own.type,
    param: paramOf(error),
    details: { ...error.details, code: error.code }
  }
}

/** `{"error":{…}}` */
export const encodeError = (error: RbeeError, correlationId: string | undefined, dialect: Dialect = "rbee"): string =>
  JSON.stringify({ error: (dialect === "openai" ? openAiBody : errorBody)(error, correlationId) })

/**
 * The error in a body, or undefined if there is none. The first ". " parts the sentence from its advice, so that the
 * whole message is the same on both sides whatever stands in it. A code that this version does not know is INTERNAL.
 */
export const decodeError = (body: unknown): RbeeError | undefined => {
  const error = isObject(body) ? body["error"] : undefined
  if (!isObject(error) || typeof error["code"] !== "string" || typeof error["message"] !== "string") return undefined
  const { message } = error
  const { code, details } = codeIn(error["code"], isObject(error["details"]) ? error["details"] : {})
  const cut = message.indexOf(". ")
  const what = cut === -1 ? message.replace(/\.$/, "") : message.slice(0, cut)
  const todo = cut === -1 ? "" : message.slice(cut + 2)
  return isErrorCode(code)
    ? rbeeError(code, what, todo, details)
    : rbeeError("INTERNAL", what, todo, { ...details, remote_code: code })
}

/** In OpenAI's dialect our own word is among the details. */
const codeIn = (code: string, details: ErrorDetails): { readonly code: string; readonly details: ErrorDetails } => {
  const { code: own, ...rest } = details
  return typeof own === "string" && isErrorCode(own) ? { code: own, details: rest } : { code, details }
}

/** What a bug looks like from outside: never its message, never its stack. */
export const internalError = (): RbeeError<"INTERNAL"> =>
  rbeeError("INTERNAL", "something went wrong inside", "The daemon's log has the cause under this correlation id")

/** Seconds after which the same request may be sent again; undefined where waiting does not help. */
export const retryAfter = (error: RbeeError): number | undefined => {
  const own = error.details["retry_after_s"]
  if (typeof own === "number" && Number.isFinite(own) && own >= 0) return Math.ceil(own)
  const status = statusOf[error.code]
  return status === 429 || status === 503 ? 1 : undefined
}
