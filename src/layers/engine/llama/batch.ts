/** What goes into one batch: the next token of each answer that decodes, and parts of the prompts that are read. */
import { exactUntil } from "../../../machines/policy/batches.ts"
import type { AddonContext } from "./addon.ts"
import type { LlamaAnswer } from "./answer.ts"

export interface BatchOptions {
  readonly context: AddonContext
  /** tokens a batch, at least the number of slots */
  readonly batchSize: number
  /** tokens that one answer reads a batch */
  readonly chunk: number
}

const FIRST = Uint32Array.of(0)
const NONE = new Uint32Array(0)
const one = new Uint32Array(1)

/** An answer whose last token is in the batch, and where its logits are. */
export interface Drawn {
  readonly answer: LlamaAnswer
  readonly index: number
}

/** exactly its next token is missing from the cache: it decodes; otherwise it still reads its prompt */
export const decodes = (answer: LlamaAnswer): boolean => answer.attached && answer.tokens.length - answer.filled === 1

/** Cuts the slot's cache down to the common prefix; a memory that cannot be cut there is emptied. */
const attach = (context: AddonContext, answer: LlamaAnswer): void => {
  answer.attached = true
  if (answer.filled > 0 && context.removeTokenCellsFromSequence(answer.slot.id, answer.filled, -1)) return
  context.disposeSequence(answer.slot.id)
  answer.filled = 0
}

const tokensOf = (answer: LlamaAnswer, from: number, end: number): Uint32Array => {
  if (end - from > 1) return Uint32Array.from(answer.tokens.slice(from, end))
  // read by the addon before it returns, so that one array serves for all
  one[0] = answer.tokens[from] ?? 0
  return one
}

const share = (options: BatchOptions, ready: ReadonlyArray<LlamaAnswer>) => {
  const parts: Array<readonly [answer: LlamaAnswer, count: number]> = []
  let room = options.batchSize
  for (const answer of ready) {
    if (!decodes(answer)) continue
    parts.push([answer, 1])
    room--
  }
  for (const answer of ready) {
    if (decodes(answer) || room <= 0) continue
    if (!answer.attached) attach(options.context, answer)
    const exact = answer.filled < exactUntil || answer.filled >= answer.promptLength
    const count = Math.min(room, answer.tokens.length - answer.filled, exact ? options.chunk : options.batchSize)
    parts.push([answer, count])
    room -= count
  }
  // llama.cpp decodes sequences with ascending neighbouring numbers in one go, and others one after the other.
  return parts.sort(([a], [b]) => a.slot.id - b.slot.id)
}

/** Fills the context's batch. Nothing may be decoding. */
export const fillBatch = (options: BatchOptions, ready: ReadonlyArray<LlamaAnswer>): ReadonlyArray<Drawn> => {
  const { context } = options
  const parts = share(options, ready)
  context.initBatch(parts.reduce((sum, [, count]) => sum + count, 0))
  const drawn: Array<Drawn> = []
  for (const [answer, count] of parts) {
    const from = answer.filled
    const end = from + count
    const last = end === answer.tokens.length
    const asked = !last ? NONE : count === 1 ? FIRST : Uint32Array.of(count - 1)
    const index = context.addToBatch(answer.slot.id, from, tokensOf(answer, from, end), asked)[0]
    answer.filled = end
    answer.slot.filled = end
    if (last && index !== undefined) drawn.push({ answer, index })
  }
  return drawn
}
