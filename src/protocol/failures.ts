/**
 * What calls may fail with, as data. Each endpoint names its own codes; those that come in groups stand here, because
 * the same thing is done behind several calls. What any call may fail with, whatever it asks for, is `carried`.
 */
import { type ErrorCode, type RbeeError, rbeeError } from "../machines/errors.ts"

/** The way to a handler and back: the input is judged, the caller is, and somebody has to be there. */
export const carried = [
  "INVALID_REQUEST",
  "MISSING_API_KEY",
  "INVALID_API_KEY",
  "FORBIDDEN",
  "FORBIDDEN_ORIGIN",
  "PAYLOAD_TOO_LARGE",
  "QUEUE_FULL",
  "INTERNAL",
  "SHUTTING_DOWN",
  "CONNECTION_TIMEOUT",
  "DEADLINE_EXCEEDED"
] as const satisfies ReadonlyArray<ErrorCode>
export type Carried = (typeof carried)[number]

/** The errors of a call that declares these. */
export type Failing<Codes extends ReadonlyArray<ErrorCode>> = RbeeError<Codes[number] | Carried>

/** A hive learns from whatever a queen asks that another one has it. */
export const ofOwnedHive = ["HIVE_OWNED"] as const

/** What is to be remembered is written, and has to find room. */
export const ofStore = ["DISK_FULL"] as const

/** Another machine is reached over SSH, and a program of ours is asked there. */
export const ofRemoteMachine = [
  ...ofStore,
  "SSH_AUTH_FAILED",
  "SSH_HOST_KEY_UNKNOWN",
  "SSH_HOST_KEY_CHANGED",
  "SSH_UNREACHABLE",
  "SSH_FAILED",
  "NODE_MISSING",
  "NOT_INSTALLED",
  "CONFLICT",
  "VERSION_MISMATCH",
  "BACKEND_UNAVAILABLE",
  // its packages are fetched there, and what is copied is checked
  "DOWNLOAD_FAILED",
  "CHECKSUM_MISMATCH",
  "CANCELLED",
  // a hive that is started there
  "WORKER_START_FAILED"
] as const

/** A daemon is started, or found running. */
export const ofWaking = [...ofRemoteMachine, ...ofOwnedHive, "HIVE_NOT_FOUND", "NOT_FOUND"] as const

/** A model is found, fetched and read. */
export const ofFetching = [
  ...ofStore,
  "MODEL_NOT_FOUND",
  "MODEL_ACCESS_DENIED",
  "MODEL_INVALID",
  "DOWNLOAD_FAILED",
  "DOWNLOAD_STALLED",
  "CHECKSUM_MISMATCH"
] as const

/** A worker is given a place, started and loaded. */
export const ofStarting = [
  ...ofStore,
  "NOT_FOUND",
  "CONFLICT",
  "MODEL_NOT_FOUND",
  "MODEL_INVALID",
  "WORKER_NOT_FOUND",
  "WORKER_START_FAILED",
  "WORKER_CRASHED",
  "LOADING_STALLED",
  "BACKEND_UNAVAILABLE",
  "VRAM_EXHAUSTED",
  "CANCELLED"
] as const

/** A job is taken in, or its key has no room for one more. */
export const ofAdmission = ["LIMIT_REACHED"] as const

/** A job is run to its end: all that can go wrong between a question and the last token of its answer. */
export const ofAnswering = [
  ...ofWaking,
  ...ofFetching,
  ...ofStarting,
  ...ofAdmission,
  "ALL_SLOTS_BUSY",
  "POISON_REQUEST",
  "UNSUPPORTED_PARAMETER"
] as const

/**
 * Holds an error that came as data (over the wire, in a job's events, as a process's last words) to what is declared:
 * anybody may have written it, a daemon of another version among them. What is not declared is INTERNAL to its caller,
 * and says what it said. Errors of our own making need this nowhere: the compiler holds handlers to their endpoints.
 */
export const heldTo = <Code extends ErrorCode>(
  codes: ReadonlyArray<Code>
): ((error: RbeeError) => RbeeError<Code | Carried>) => {
  const known = new Set<ErrorCode>([...carried, ...codes])
  const isKnown = (error: RbeeError): error is RbeeError<Code | Carried> => known.has(error.code)
  return (error) => (isKnown(error) ? error : undeclared(error))
}

/** How a code that a caller does not know, or is not told of, comes to it. */
export const undeclared = ({ code, details, todo, what }: RbeeError): RbeeError<"INTERNAL"> =>
  rbeeError("INTERNAL", what, todo, { ...details, remote_code: code })
