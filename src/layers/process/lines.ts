/** Text in pieces, out as whole lines. A line over the bound is dropped: what a child says can never fill our memory. */
export const lineSplitter = (
  maxLength: number,
  onLine: (line: string) => void
): { readonly push: (text: string) => void; readonly end: () => void } => {
  let partial = ""
  let skipping = false
  const flush = (line: string): void => {
    if (!skipping && line.length <= maxLength) onLine(line.endsWith("\r") ? line.slice(0, -1) : line)
    skipping = false
  }
  return {
    push: (text) => {
      let from = 0
      for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", from)) {
        flush(partial + text.slice(from, at))
        partial = ""
        from = at + 1
      }
      partial += text.slice(from)
      if (partial.length > maxLength) {
        skipping = true
        partial = ""
      }
    },
    /** a last line without its line feed */
    end: () => {
      if (partial !== "" && !skipping) flush(partial)
      partial = ""
    }
  }
}
