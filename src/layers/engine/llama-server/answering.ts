/** One answer of llama.cpp's server, token by token, as any engine's. */
import { Answer, type AnswerOptions } from "../answer.ts"
import { logprobOf, type Said } from "./completion.ts"
import type { Untold } from "./untold.ts"

export class ServerAnswer extends Answer {
  /** it has ended, and hears nothing more */
  over = false
  private readonly untold: Untold
  private readonly ignoresEnd: boolean
  /** as the server counts them in this question */
  private drawn = 0
  /** tokens that the answer has, and that the server has to draw once more */
  private again: Array<number> = []

  constructor(options: AnswerOptions, untold: Untold) {
    super(options)
    this.untold = untold
    this.ignoresEnd = options.request.ignoreEos
  }

  /** Asked anew, it counts anew; these of its last tokens come again. */
  begin(again: ReadonlyArray<number>): void {
    this.drawn = 0
    this.again = [...again]
  }

  hear(said: Said): void {
    if (this.over) return
    if (said.prompt_progress !== undefined) {
      // of a question that goes on with its own tokens nothing is told
      if (!this.started) this.reuse(said.prompt_progress.cache)
      return
    }
    if (said.stop) {
      // nobody here saw it coming; where the text's end is to be passed over, it is asked again
      if (said.stop_type === "limit") this.end("length")
      else if (!this.ignoresEnd) this.end("stop")
      return
    }
    const [last] = said.tokens
    if (last === undefined) return
    const missing = said.tokens_predicted - this.drawn - 1
    this.drawn = said.tokens_predicted
    if (missing > 0) for (const token of this.untold.before(last, said.content, missing)) this.take(token, undefined)
    this.take(last, said)
  }

  private take(token: number, said: Said | undefined): void {
    if (this.over) return
    const known = this.again.shift()
    if (known === token) return
    // half of a character is out, and another one begins otherwise
    if (known !== undefined) throw new Error("the answer was cut within a character, and goes on with another")
    const top = this.rankedBeside(token)
    const { finish, text } = this.accept(token)
    this.emit(text, token, said === undefined || top === undefined ? undefined : logprobOf(said, top))
    if (finish !== undefined) this.end(finish)
  }

  private end(reason: "stop" | "length"): void {
    this.over = true
    this.finish(reason)
  }
}
