/** What goes into one batch: the next token of each answer that decodes, and parts of the prompts that are read. */
import { wideFrom } from "../../../../machines/kinds/llama/batches.ts"
import type { Rows } from "../../../../machines/kinds/llama/exact-types.ts"
import type { AddonContext } from "../addon.ts"
import type { LlamaAnswer } from "./answer.ts"
import { narrowPiece, wideLeft, widePiece } from "./pieces.ts"

export interface BatchOptions {
  readonly context: AddonContext
  /** tokens a batch, at least the number of slots */
  readonly batchSize: number
  /** a GPU: whatever there is to read shares a batch; a CPU's has one of the two ways of `pieces.ts` */
  readonly isMixed: boolean
  /** the model has recurrent layers */
  readonly hasState?: boolean
  /** of a batch that is not wide */
  readonly rows: Rows
}

const FIRST = Uint32Array.of(0)
const NONE = new Uint32Array(0)
const one = new Uint32Array(1)

/** An answer whose last token is in the batch, and where its logits are. */
export interface Drawn {
  readonly answer: LlamaAnswer
  readonly index: number
}

/** What a batch was filled with. */
export interface Filled {
  readonly drawn: ReadonlyArray<Drawn>
  /** whose piece was filled up: what is behind its own tokens goes again */
  readonly padded: LlamaAnswer | undefined
}

/** exactly its next token is missing from the cache: it decodes; otherwise it still reads its prompt */
export const decodes = (answer: LlamaAnswer): boolean => answer.attached && answer.tokens.length - answer.filled === 1

/** tokens that it has to read alone */
const leftOf = ({ isMixed, rows }: BatchOptions, { filled, promptLength }: LlamaAnswer): number =>
  isMixed ? 0 : wideLeft(filled, promptLength, rows)

export const readsWide = (options: BatchOptions, answer: LlamaAnswer): boolean => leftOf(options, answer) > 0

/** Tokens that it reads next. */
const pieceOf = (options: BatchOptions, answer: LlamaAnswer): number => {
  const { batchSize, hasState = false, isMixed } = options
  const left = leftOf(options, answer)
  if (left > 0) return widePiece(left, batchSize, hasState)
  const { filled, promptLength } = answer
  const all = answer.tokens.length
  if (!isMixed) return narrowPiece(filled, { all, prompt: promptLength }, hasState)
  const before = promptLength - 1 - filled
  return hasState && before > 0 ? before : all - filled
}

/** With as many as are missing in a wide piece: the last of its own, again. */
const tokensOf = (answer: LlamaAnswer, from: number, end: number, pads: number): Uint32Array => {
  if (pads > 0)
    return Uint32Array.from({ length: end - from + pads }, (_, i) => answer.tokens[Math.min(from + i, end - 1)] ?? 0)
  if (end - from > 1) return Uint32Array.from(answer.tokens.slice(from, end))
  // read by the addon before it returns, so that one array serves for all
  one[0] = answer.tokens[from] ?? 0
  return one
}

const share = (options: BatchOptions, ready: ReadonlyArray<LlamaAnswer>) => {
  const parts: Array<readonly [answer: LlamaAnswer, count: number]> = []
  const isWide = ready.some((answer) => readsWide(options, answer))
  let room = isWide ? options.batchSize : Math.min(options.batchSize, options.rows.most)
  for (const answer of inTurn(options, ready)) {
    if (room <= 0) break
    const count = decodes(answer) ? 1 : Math.min(room, pieceOf(options, answer))
    parts.push([answer, count])
    room -= count
  }
  // llama.cpp decodes sequences with ascending neighbouring numbers in one go, and others one after the other.
  return parts.sort(([a], [b]) => a.slot.id - b.slot.id)
}

/** Who decodes comes first; where few have room, who has waited for longest. */
const inTurn = ({ rows }: BatchOptions, ready: ReadonlyArray<LlamaAnswer>): ReadonlyArray<LlamaAnswer> =>
  rows.most === Infinity
    ? ready.toSorted((a, b) => Number(decodes(b)) - Number(decodes(a)))
    : ready.toSorted((a, b) => a.turn - b.turn)

/**
 * Which of these share the next batch, or where few have room take turns. A piece that is read wide is alone in it: one
 * answer's after the other's, and between two of them whoever does not read so has a token. `lastWide`: the turn of the
 * last such piece.
 */
export const together = (
  options: BatchOptions,
  ready: ReadonlyArray<LlamaAnswer>,
  lastWide: number
): ReadonlyArray<LlamaAnswer> => {
  const others = ready.filter((answer) => !readsWide(options, answer))
  if (others.length === ready.length || others.some(({ turn }) => turn < lastWide)) return others
  const reading = ready.filter((answer) => !others.includes(answer))
  return reading.toSorted((a, b) => a.pieces - b.pieces).slice(0, 1)
}

/** Fills the context's batch, the one with this number. Nothing may be decoding. */
export const fillBatch = (options: BatchOptions, ready: ReadonlyArray<LlamaAnswer>, turn: number): Filled => {
  const { context } = options
  const parts = share(options, ready)
  const padsOf = (answer: LlamaAnswer, count: number): number =>
    readsWide(options, answer) ? Math.max(0, wideFrom - count) : 0
  context.initBatch(parts.reduce((sum, [answer, count]) => sum + count + padsOf(answer, count), 0))
  const drawn: Array<Drawn> = []
  let padded: LlamaAnswer | undefined
  for (const [answer, count] of parts) {
    const from = answer.filled
    const end = from + count
    const { slot } = answer
    const isWide = readsWide(options, answer)
    const last = end === answer.tokens.length
    const pads = padsOf(answer, count)
    const asked = !last ? NONE : count === 1 ? FIRST : Uint32Array.of(count - 1)
    const index = context.addToBatch(slot.id, from, tokensOf(answer, from, end, pads), asked)[0]
    answer.filled = end
    answer.turn = turn
    slot.filled = end
    slot.wide = isWide && slot.wide >= from ? end : Math.min(slot.wide, from)
    if (isWide) answer.pieces++
    if (pads > 0) padded = answer
    if (last && index !== undefined) drawn.push({ answer, index })
  }
  return { drawn, padded }
}
