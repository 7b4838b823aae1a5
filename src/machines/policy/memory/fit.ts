/** What fits into the memory of a device: the largest shape of a worker, by what its kind needs for each. */
import type { KvType } from "../../vocabulary/common.ts"
import type { KindId } from "../../vocabulary/kind.ts"
import { cpuDevice } from "../../vocabulary/ids.ts"
import { usualContext } from "./context.ts"

/** Of a device's memory it is left alone for what nobody can foresee, in bytes. */
export const marginBytes = (device: string, totalBytes: number): number =>
  Math.min(device === cpuDevice ? 1e9 : 300e6, totalBytes * 0.1)

/** Tokens a slot, and slots that decode together. */
export interface Shape {
  readonly context: number
  readonly slots: number
}

/** Bytes that a worker of a shape takes. */
export type Need = (shape: Shape) => number

export const toMb = (bytes: number): number => Math.ceil(bytes / 1e6)

export interface Wanted {
  readonly context: number | undefined
  readonly slots: number | undefined
  readonly kv_type?: KvType | undefined
  readonly engine?: KindId | undefined
}

const contextMin = 512
/** While the context is above this, it is halved before slots are given up. */
const contextGenerous = 8192

/**
 * The largest shape that fits into `availableBytes`. What was asked for is kept; what was left open is its default
 * (the usual context, `slotsDefault`) and gives way: first a generous context, then slots, then the rest of the
 * context. Returns the smallest shape tried where nothing fits, so that the caller can name the amounts.
 */
export const fit = (
  need: Need,
  trainedContext: number,
  wanted: Wanted,
  slotsDefault: number,
  availableBytes: number
): { readonly shape: Shape; readonly bytes: number; readonly fits: boolean } => {
  const context = wanted.context ?? usualContext(trainedContext)
  let shape: Shape = { context, slots: wanted.slots ?? slotsDefault }
  for (;;) {
    const bytes = need(shape)
    if (bytes <= availableBytes) return { shape, bytes, fits: true }
    const next = smaller(shape, wanted)
    if (next === undefined) return { shape, bytes, fits: false }
    shape = next
  }
}

/** The longest context of one slot that fits, in whole steps; 0 where none does. */
export const largestContext = (need: Need, trainedContext: number, step: number, availableBytes: number): number => {
  const fits = (context: number): boolean => need({ context, slots: 1 }) <= availableBytes
  if (fits(trainedContext)) return trainedContext
  let [low, high] = [0, Math.floor(trainedContext / step)]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (fits(middle * step)) low = middle
    else high = middle - 1
  }
  return low * step
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
