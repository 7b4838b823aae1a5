/** What goes into one batch: the next token of each answer that decodes, and parts of the prompts that are read. */
import { batchTokens, exactUntil } from "../../../../machines/kinds/llama/batches.ts"
import type { AddonContext } from "../addon.ts"
import type { Slot } from "../../slots.ts"
import type { LlamaAnswer } from "./answer.ts"

export interface BatchOptions {
  readonly context: AddonContext
  /** tokens a batch, at least the number of slots */
  readonly batchSize: number
  /** tokens that one answer reads a batch */
  readonly chunk: number
  /** the model has recurrent layers */
  readonly hasState?: boolean
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

/** It reads the part of its prompt that is read in large pieces. */
const readsLong = (answer: LlamaAnswer): boolean =>
  answer.filled >= exactUntil && answer.filled < answer.promptLength && !decodes(answer)

/**
 * Tokens that it reads next. The numbers after a small piece do not depend on where it began, those after a large one
 * do: these begin and end at multiples of `batchTokens`, and what was decoded after the prompt is never in one. With a
 * state, the last token is read alone, so that a copy can be taken before it.
 */
const pieceOf = ({ batchSize, chunk, hasState }: BatchOptions, answer: LlamaAnswer): number => {
  const { filled, promptLength } = answer
  const rest = answer.tokens.length - filled
  const before = promptLength - 1 - filled
  const all = hasState === true && before > 0 ? Math.min(rest, before) : rest
  if (chunk >= batchSize) return Math.min(all, batchSize)
  if (filled >= promptLength) return Math.min(all, chunk)
  if (filled < exactUntil) return Math.min(all, chunk, exactUntil - filled)
  return Math.min(all, promptLength - filled, batchTokens - (filled % batchTokens))
}

/** How much of a common prefix may be kept, so that the rest is read as it would be from the beginning. */
export const reusable = (slot: Pick<Slot, "prompt">, prefix: number): number =>
  prefix <= exactUntil
    ? prefix
    : Math.max(exactUntil, Math.min(prefix, slot.prompt) - (Math.min(prefix, slot.prompt) % batchTokens))

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
    const count = Math.min(room, pieceOf(options, answer))
    parts.push([answer, count])
    room -= count
  }
  // llama.cpp decodes sequences with ascending neighbouring numbers in one go, and others one after the other.
  return parts.sort(([a], [b]) => a.slot.id - b.slot.id)
}

/** Which of these share the next batch: a large piece of a prompt goes alone, in turn with the others. */
export const together = (
  options: BatchOptions,
  ready: ReadonlyArray<LlamaAnswer>,
  wasAlone: boolean
): ReadonlyArray<LlamaAnswer> => {
  if (options.chunk >= options.batchSize || ready.length < 2) return ready
  const others = ready.filter((answer) => !readsLong(answer))
  if (others.length === ready.length || (wasAlone && others.length > 0)) return others
  return ready.filter(readsLong).slice(0, 1)
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
    answer.slot.prompt = Math.min(end, answer.promptLength)
    if (last && index !== undefined) drawn.push({ answer, index })
  }
  return drawn
}
