/** The answer in a rendered turn, as a model would have written it after a prompt. */
import type { Dialect } from "../dialect.ts"
import { commonStart, longest } from "../learn/atoms.ts"

export interface WrittenAnswer {
  readonly prompt: string
  readonly text: string
}

export const answerIn = (dialect: Dialect, turn: string, prompts: ReadonlyArray<string>): WrittenAnswer => {
  const whole = longest(prompts.filter((prompt) => turn.startsWith(prompt)))
  const prompt = whole === "" ? longest(prompts.map((each) => commonStart(turn, each))) : whole
  const text = turn.slice(prompt.length)
  const ends = dialect.end.map((mark) => text.indexOf(mark)).filter((at) => at >= 0)
  return { prompt, text: ends.length === 0 ? text : text.slice(0, Math.min(...ends)) }
}
