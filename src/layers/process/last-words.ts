/** The last lines that a process wrote: what it said before it died. Bounded in lines and in length. */
const keptLines = 20
const keptChars = 16 * 1024

/** A frame of a native backtrace: pages of addresses, and the word that matters before them. */
const frame = /\[0x[0-9a-f]+\]$/

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
        .filter((line) => line.trim() !== "" && !frame.test(line))
        .slice(-keptLines)
        .join("\n")
  }
}
