/**
 * Whether the queen still waits for the answer. Without a terminal nothing hangs up on a program whose connection ends,
 * and its input ended where the program did: that nobody reads any more shows when something is written alone.
 */
const beatMs = 500

/** Aborts when nobody reads what is said here any more. */
export const lifeline = (): AbortSignal => {
  const abandoned = new AbortController()
  const lost = () => abandoned.abort(new Error("nobody waits for this any more"))
  process.stderr.on("error", lost)
  process.stdout.on("error", lost)
  // an empty line is no step
  setInterval(() => process.stderr.write("\n"), beatMs).unref()
  return abandoned.signal
}
