/** What a queen that ended early wrote to its log: the reason, for the keeper's error message. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs"

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
