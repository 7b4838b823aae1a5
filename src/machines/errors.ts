/**
 * The one error vocabulary of the cluster: every expected failure, from a worker's last words to the CLI's exit, is an
 * `RbeeError` with a code of this table. Bugs are defects and never have a code until an edge reports them as INTERNAL.
 */
import * as Data from "effect/Data"
import { fact, type GivenDetails } from "./facts.ts"

/** HTTP status of each code at the edge that reports it (docs/api.md#errors). */
export const statusOf = {
  INVALID_REQUEST: 400,
  UNSUPPORTED_PARAMETER: 400,
  MODEL_INVALID: 400,
  POISON_REQUEST: 400,
  MISSING_API_KEY: 401,
  INVALID_API_KEY: 401,
  MODEL_ACCESS_DENIED: 403,
  FORBIDDEN: 403,
  FORBIDDEN_ORIGIN: 403,
  NOT_FOUND: 404,
  MODEL_NOT_FOUND: 404,
  JOB_NOT_FOUND: 404,
  HIVE_NOT_FOUND: 404,
  WORKER_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  HIVE_OWNED: 409,
  VERSION_MISMATCH: 409,
  PAYLOAD_TOO_LARGE: 413,
  QUEUE_FULL: 429,
  LIMIT_REACHED: 429,
  CANCELLED: 499,
  INTERNAL: 500,
  WORKER_CRASHED: 502,
  WORKER_START_FAILED: 502,
  DOWNLOAD_FAILED: 502,
  CHECKSUM_MISMATCH: 502,
  SSH_AUTH_FAILED: 502,
  SSH_HOST_KEY_UNKNOWN: 502,
  SSH_HOST_KEY_CHANGED: 502,
  SSH_UNREACHABLE: 502,
  SSH_FAILED: 502,
  NODE_MISSING: 502,
  NOT_INSTALLED: 502,
  ALL_SLOTS_BUSY: 503,
  SHUTTING_DOWN: 503,
  BACKEND_UNAVAILABLE: 503,
  CONNECTION_TIMEOUT: 504,
  DEADLINE_EXCEEDED: 504,
  DOWNLOAD_STALLED: 504,
  LOADING_STALLED: 504,
  VRAM_EXHAUSTED: 507,
  DISK_FULL: 507
} as const

export type ErrorCode = keyof typeof statusOf

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(statusOf, code)

export type ErrorDetails = Readonly<Record<string, unknown>>

/**
 * An expected failure. `what` is one sentence with the amounts, without the final stop; `todo` is what the user can
 * do next, or empty. `details` carries the amounts as data; it never carries a token, a home path or a prompt.
 */
export class RbeeError<out Code extends ErrorCode = ErrorCode> extends Data.TaggedError("RbeeError")<{
  readonly code: ErrorCode
  readonly what: string
  readonly todo: string
  readonly details: ErrorDetails
}> {
  declare readonly code: Code
  override get message(): string {
    return sentence(this)
  }
  /** The HTTP status, which `details.status` overrides where one code has two (VRAM_EXHAUSTED: 409 from one hive). */
  get status(): number {
    return fact(this, "status") ?? statusOf[this.code]
  }
}

/** `{what}. {todo}`: the text behind the code, in narration and on the wire. */
export const sentence = (error: { readonly what: string; readonly todo: string }): string =>
  error.todo === "" ? `${error.what}.` : `${error.what}. ${error.todo}`

/** The two in one text again: the first ". " parts the sentence from its advice, whatever stands in either. */
export const inSentence = (text: string): { readonly what: string; readonly todo: string } => {
  const cut = text.indexOf(". ")
  return cut === -1
    ? { what: text.replace(/\.$/, ""), todo: "" }
    : { what: text.slice(0, cut), todo: text.slice(cut + 2) }
}

export const rbeeError = <Code extends ErrorCode>(
  code: Code,
  what: string,
  todo = "",
  details: GivenDetails = {}
): RbeeError<Code> => new RbeeError<Code>({ code, what, todo, details })
