/** What a daemon that ended early wrote to its log: the reason, for the error message of whoever started it. */
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import { isErrorCode, type RbeeError, rbeeError } from "../../machines/errors.ts"
import { DaemonFiles } from "./index.ts"

const messageOf = (line: string): string => {
  try {
    const entry: unknown = JSON.parse(line)
    if (typeof entry === "object" && entry !== null && "message" in entry) return [entry.message].flat().join(" ")
  } catch {
    // plain text: a crash of the runtime itself
  }
  return line
}

/** The last line of what it wrote, or what there is to say when there is none. */
export const lastWords = (text: string): string => {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
  const failed = lines.filter((line) => /"(level|logLevel)":"(error|fatal)"|^\w*Error\b/i.test(line))
  const last = failed.at(-1) ?? lines.at(-1)
  return last === undefined ? "it wrote nothing to its log" : messageOf(last).slice(0, 500)
}

/** How Node and libraries say that the system's limits were reached; Node itself ends with a stack where it gets no thread. */
const limits = [
  {
    words: /uv_thread_create|pthread_create|Resource temporarily unavailable|\bEAGAIN\b/,
    what: "processes",
    flag: "u"
  },
  { words: /\bEMFILE\b|\bENFILE\b|[Tt]oo many open files/, what: "open files", flag: "n" }
]

/** Why a daemon ended while it was starting: by the code that it told last, where it could tell one. */
const reasonOf = (who: string, text: string, isFull: string | undefined, todo: string): RbeeError => {
  const words = lastWords(text)
  const [, code = "", what = ""] = /^([A-Z_]+): (.+)$/s.exec(words) ?? []
  if (isErrorCode(code) && code !== "INTERNAL")
    return rbeeError(code, `${who} could not start: ${what.replace(/\.$/, "")}`)
  const limit = limits.find(({ words: said }) => said.test(text))
  if (limit !== undefined)
    return rbeeError(
      "BACKEND_UNAVAILABLE",
      `${who} could not start: the system allows no more ${limit.what}`,
      `Raise the limit (\`ulimit -${limit.flag}\`), or end what is not needed`
    )
  if (isFull !== undefined)
    return rbeeError(
      "DISK_FULL",
      `${who} could not start: the disk of ${isFull} is full`,
      "Make room, or set RBEE_HOME to a folder on another disk"
    )
  return rbeeError("INTERNAL", `${who} ended while it was starting: ${words}`, todo)
}

/** `logAt`: where its own words begin in the log. */
export const endedEarly = (
  who: string,
  log: string,
  logAt: number,
  todo: string
): Effect.Effect<never, RbeeError, DaemonFiles> =>
  Effect.gen(function* () {
    const files = yield* DaemonFiles
    const folder = dirname(log)
    const isFull = (yield* files.isFull(folder)) ? folder : undefined
    return yield* reasonOf(who, yield* files.tail(log, logAt), isFull, todo)
  })
