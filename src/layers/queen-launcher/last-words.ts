/** What a queen that ended early wrote to its log: the reason, for the keeper's error message. */
import { closeSync, fstatSync, openSync, readSync, statfsSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { isErrorCode, type RbeeError, rbeeError } from "../../machines/errors.ts"

const maxBytes = 8192

export const sizeOf = (file: string): number => {
  try {
    return statSync(file).size
  } catch {
    return 0
  }
}

const readFrom = (file: string, offset: number): string => {
  try {
    const handle = openSync(file, "r")
    try {
      const { size } = fstatSync(handle)
      // a smaller file was rotated meanwhile: all of it is new
      const start = Math.max(size < offset ? 0 : offset, size - maxBytes)
      const buffer = Buffer.alloc(size - start)
      readSync(handle, buffer, 0, buffer.length, start)
      return buffer.toString("utf8")
    } finally {
      closeSync(handle)
    }
  } catch {
    return ""
  }
}

const messageOf = (line: string): string => {
  try {
    const entry: unknown = JSON.parse(line)
    if (typeof entry === "object" && entry !== null && "message" in entry) return [entry.message].flat().join(" ")
  } catch {
    // plain text: a crash of the runtime itself
  }
  return line
}

/** The last line that was written behind `offset`, or what there is to say when there is none. */
export const lastWords = (file: string, offset: number): string => {
  const lines = readFrom(file, offset)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
  const failed = lines.filter((line) => /"(level|logLevel)":"(error|fatal)"|^\w*Error\b/i.test(line))
  const last = failed.at(-1) ?? lines.at(-1)
  return last === undefined ? "it wrote nothing to its log" : messageOf(last).slice(0, 500)
}

/** less room than a log and a store need to begin, bytes */
const leastRoom = 256 * 1024

const isFull = (folder: string): boolean => {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize < leastRoom
  } catch {
    return false
  }
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
export const endedEarly = (who: string, file: string, offset: number, todo: string): RbeeError => {
  const words = lastWords(file, offset)
  const [, code = "", what = ""] = /^([A-Z_]+): (.+)$/s.exec(words) ?? []
  if (isErrorCode(code) && code !== "INTERNAL")
    return rbeeError(code, `${who} could not start: ${what.replace(/\.$/, "")}`)
  const limit = limits.find(({ words: said }) => said.test(readFrom(file, offset)))
  if (limit !== undefined)
    return rbeeError(
      "BACKEND_UNAVAILABLE",
      `${who} could not start: the system allows no more ${limit.what}`,
      `Raise the limit (\`ulimit -${limit.flag}\`), or end what is not needed`
    )
  if (isFull(dirname(file)))
    return rbeeError(
      "DISK_FULL",
      `${who} could not start: the disk of ${dirname(file)} is full`,
      "Make room, or set RBEE_HOME to a folder on another disk"
    )
  return rbeeError("INTERNAL", `${who} ended while it was starting: ${words}`, todo)
}
