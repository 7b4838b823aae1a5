/** Log files of children and daemons: appended to, and put aside once (`.1`) when they are large at the next open. */
import { createWriteStream, mkdirSync, renameSync, statSync, type WriteStream } from "node:fs"
import { dirname } from "node:path"

/** bytes at which a log is put aside */
const rotateAt = 10_000_000

/** Makes the folder and puts a large log aside. Logs are best effort: a failure here is left to the open. */
export const prepareLog = (file: string): void => {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  try {
    if (statSync(file).size >= rotateAt) renameSync(file, `${file}.1`)
  } catch {
    // not there yet
  }
}

/** An appending stream, whose failure (a full disk) never reaches the process that is logged. */
export const openLog = (file: string): WriteStream => {
  prepareLog(file)
  const stream = createWriteStream(file, { flags: "a", mode: 0o600 })
  stream.on("error", () => stream.destroy())
  return stream
}
