/**
 * How much memory a model takes, from the facts of its GGUF header: weights + KV cache for the context and slots +
 * buffers. After each load the hive corrects it by what it measured.
 */
import type { ModelFacts } from "../gguf.ts"

/** Tokens a slot, and slots that decode together. */
export interface Shape {
  readonly context: number
  readonly slots: number
}

/** llama.cpp decodes prompts in pieces of this many tokens. */
const batchTokens = 512
/** f16 */
const kvElementBytes = 2
/** A worker process before it loads anything: Node, our code, the addon. Measured: 75 to 80 MB. */
const processBytes = 80e6

export const kvBytes = (facts: ModelFacts, shape: Shape): number =>
  facts.kvElementsPerToken * kvElementBytes * roundUp(shape.context, 256) * shape.slots

/** Activations of one batch. Flash attention keeps no scores, so the context does not come into it. */
const computeBytes = (facts: ModelFacts, shape: Shape): number => {
  const batch = Math.min(batchTokens, shape.context * shape.slots)
  return batch * (facts.embedding * 6 + facts.feedForward * 2) * 4 + facts.vocabulary * 4 * shape.slots
}

/** Bytes that a worker with this model and shape takes on its device. */
export const estimateBytes = (facts: ModelFacts, shape: Shape): number =>
  Math.ceil(processBytes + facts.fileBytes + kvBytes(facts, shape) + computeBytes(facts, shape))

export const toMb = (bytes: number): number => Math.ceil(bytes / 1e6)

export interface Wanted {
  readonly context: number | undefined
  readonly slots: number | undefined
}

const contextMin = 512
/** While the context is above this, it is halved before slots are given up. */
const contextGenerous = 8192

/**
 * The largest shape that fits into `availableBytes`. What was asked for is kept; what was left open is its default
 * (the trained context, `slotsDefault`) and gives way: first a generous context, then slots, then the rest of the
 * context. Returns the smallest shape tried where nothing fits, so that the caller can name the amounts. `measured`
 * tells what an earlier worker of a shape really took, in bytes; it only ever corrects upwards.
 */
export const fit = (
  facts: ModelFacts,
  wanted: Wanted,
  slotsDefault: number,
  availableBytes: number,
  measured: (shape: Shape) => number = () => 0
): { readonly shape: Shape; readonly bytes: number; readonly fits: boolean } => {
  let shape: Shape = { context: wanted.context ?? facts.trainedContext, slots: wanted.slots ?? slotsDefault }
  for (;;) {
    const bytes = Math.max(estimateBytes(facts, shape), measured(shape))
    if (bytes <= availableBytes) return { shape, bytes, fits: true }
    const next = smaller(shape, wanted)
    if (next === undefined) return { shape, bytes, fits: false }
    shape = next
  }
}

const smaller = ({ context, slots }: Shape, wanted: Wanted): Shape | undefined => {
  const mayContext = wanted.context === undefined && context > contextMin
  const maySlots = wanted.slots === undefined && slots > 1
  if (mayContext && (context > contextGenerous || !maySlots)) {
    return { context: Math.max(contextMin, Math.floor(context / 2)), slots }
  }
  return maySlots ? { context, slots: Math.ceil(slots / 2) } : undefined
}

/** What a worker tries after the device ran out of memory: half of both. Undefined: there is nothing left to give. */
export const shrunk = ({ context, slots }: Shape): Shape | undefined => {
  const next = {
    context: Math.max(Math.min(context, contextMin), Math.floor(context / 2)),
    slots: Math.ceil(slots / 2)
  }
  return next.context === context && next.slots === slots ? undefined : next
}

/**
 * How long decoding one full batch may take before anything was measured, in milliseconds: generous, because it only
 * decides when a worker that beats but does not move is given up.
 */
export const expectedBatchMs = (parameters: number, cores: number): number =>
  (2 * parameters * batchTokens) / (Math.max(1, cores) * 5e6)

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step
