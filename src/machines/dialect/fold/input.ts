/** The text that has come and is not read yet. Whoever reads on past its end waits for more. */

/** A reader: it stops where it needs more text, and gives what it found. */
export type Reading<A> = Generator<undefined, A, undefined>

export class Input {
  /** what is not taken yet */
  text = ""
  /** up to where it has been looked at */
  at = 0
  /** no further than this is looked: what stands there is nothing that anybody waits for */
  limit = Infinity
  /** what has been looked at is not needed again: a long text is not kept until its end */
  passing = false
  ended = false

  push(text: string): void {
    this.text += text
  }

  /** Waits for more; false: there is none. */
  *more(): Reading<boolean> {
    if (this.passing) this.take()
    const { length } = this.text
    while (this.text.length === length) {
      if (this.ended) return false
      yield
    }
    return true
  }

  /** The next character, which stays; "" at the end. */
  *peek(): Reading<string> {
    if (this.at >= this.limit) return ""
    while (this.at >= this.text.length) if (!(yield* this.more())) return ""
    return this.text.charAt(this.at)
  }

  *skipSpace(): Reading<void> {
    while (/\s/.test(yield* this.peek())) this.at++
  }

  /** Takes what has been looked at. */
  take(): string {
    const taken = this.text.slice(0, this.at)
    this.text = this.text.slice(this.at)
    this.at = 0
    return taken
  }
}
