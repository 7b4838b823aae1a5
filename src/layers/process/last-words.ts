/** The last lines that a process wrote: what it said before it died. Bounded in lines and in length. */
import { nativeFrame } from "../../machines/policy/blame.ts"

const keptLines = 20
const keptChars = 16 * 1024

export interface LastWords {
  readonly push: (text: string) => void
  readonly read: () => string
}

export const makeLastWords = (): LastWords => {
  let tail = ""
  return {
    push: (text) => {
      tail += text
      // cut rarely, so that a chatty child costs little
      if (tail.length > 2 * keptChars) tail = tail.slice(-keptChars)
    },
    read: () =>
      tail
        .slice(-keptChars)
        .split(/\r?\n/)
        .filter((line) => line.trim() !== "" && !nativeFrame.test(line))
        .slice(-keptLines)
        .join("\n")
  }
}
