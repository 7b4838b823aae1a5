/**
 * Finds the first stop string in a text that arrives in parts, and lets nothing of it out: text that might be the
 * beginning of a stop string is held back until it is clear.
 */
export class StopFilter {
  /** the stop string that was found; nothing after it is given out */
  by: string | undefined
  private held = ""
  private readonly stops: ReadonlyArray<string>

  constructor(stops: ReadonlyArray<string>) {
    this.stops = stops.filter((stop) => stop !== "")
  }

  get stopped(): boolean {
    return this.by !== undefined
  }

  /** The text that is safe to give out now. */
  push(text: string): string {
    if (this.stopped || text === "") return ""
    if (this.stops.length === 0) return text
    const all = this.held + text
    let first = -1
    for (const stop of this.stops) {
      const at = all.indexOf(stop)
      if (at < 0 || (first >= 0 && at >= first)) continue
      first = at
      this.by = stop
    }
    if (first >= 0) {
      this.held = ""
      return all.slice(0, first)
    }
    const keep = this.beginnings(all)
    this.held = all.slice(all.length - keep)
    return all.slice(0, all.length - keep)
  }

  /** The answer ends without a stop string: what was held back is text after all. */
  end(): string {
    const rest = this.held
    this.held = ""
    return rest
  }

  /** length of the longest end of `text` that is the beginning of a stop string */
  private beginnings(text: string): number {
    let longest = 0
    for (const stop of this.stops) {
      for (let n = Math.min(stop.length - 1, text.length); n > longest; n--) {
        if (text.endsWith(stop.slice(0, n))) longest = n
      }
    }
    return longest
  }
}
