/** An answer as the batcher sees it. */
import { Answer, type AnswerOptions } from "../../answer.ts"
import type { Parked } from "../parking/shelf.ts"
import type { AnswerSampler } from "./sampling.ts"

export class LlamaAnswer extends Answer {
  readonly sampler: AnswerSampler
  /** milliseconds on the batcher's clock before which no further token is wanted */
  readyAt = 0
  /** its reader is not called any more */
  over = false
  /** its last token has been drawn */
  hasEnded = false
  /** the slot's cells behind the common prefix are cut off */
  attached = false
  /** what its slot is filled with before that, where it was parked */
  parked: { readonly parked: Parked; readonly prefix: number } | undefined
  /** the number of the last batch that it was in */
  turn = 0
  /** of its prompt, that were read alone */
  pieces = 0

  constructor(options: AnswerOptions, sampler: AnswerSampler) {
    super(options)
    this.sampler = sampler
  }
}
