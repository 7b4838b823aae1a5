/** Errors on the wire (docs/api.md#errors): what the envelopes of all surfaces have in common, and how they are read. */
import {
  type ErrorDetails,
  inSentence,
  isErrorCode,
  type RbeeError,
  rbeeError,
  sentence,
  statusOf
} from "../../machines/errors.ts"
import { isObject } from "../../machines/formats/json/is-object.ts"
import { fact } from "../../machines/facts.ts"

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

/**
 * The error in a body, or undefined if there is none. The whole message is the same on both sides whatever stands in it.
 * A code that this version does not know is INTERNAL.
 */
export const decodeError = (body: unknown): RbeeError | undefined => {
  const error = isObject(body) ? (typeof body["error"] === "string" ? ofText(body) : body["error"]) : undefined
  if (!isObject(error) || typeof error["message"] !== "string") return undefined
  const { code, details } = codeIn(error["code"], isObject(error["details"]) ? error["details"] : {})
  if (code === undefined) return undefined
  const { todo, what } = inSentence(error["message"])
  return isErrorCode(code)
    ? rbeeError(code, what, todo, details)
    : rbeeError("INTERNAL", what, todo, { ...details, remote_code: code })
}

/** In Ollama's dialect the text stands alone, and the rest beside it. */
const ofText = ({ error, ...rest }: Readonly<Record<string, unknown>>): unknown => ({ ...rest, message: error })

/** In other makers' dialects our own word is among the details. */
const codeIn = (
  code: unknown,
  details: ErrorDetails
): { readonly code: string | undefined; readonly details: ErrorDetails } => {
  const { code: own, ...rest } = details
  if (typeof own === "string" && isErrorCode(own)) return { code: own, details: rest }
  return { code: typeof code === "string" ? code : undefined, details }
}

/** What a bug looks like from outside: never its message, never its stack. */
export const internalError = (): RbeeError<"INTERNAL"> =>
  rbeeError("INTERNAL", "something went wrong inside", "The daemon's log has the cause under this correlation id")

/** Seconds after which the same request may be sent again; undefined where waiting does not help. */
export const retryAfter = (error: RbeeError): number | undefined => {
  const own = fact(error, "retry_after_s")
  if (own !== undefined) return Math.ceil(own)
  const status = statusOf[error.code]
  return status === 429 || status === 503 ? 1 : undefined
}
