/**
 * Parking of what slots hold. A slot is written to a file before another conversation takes it, at rest, and before the
 * model goes; whoever asks for more of the same tokens later has it loaded again. The context is used between batches
 * only, as long as writing or reading one state takes; files are checked and sealed beside the decoding.
 */
import { anybody } from "../../../parked/names.ts"
import { wideFrom } from "../../../../machines/kinds/llama/batches.ts"
import { kvBytes } from "../../../../machines/kinds/llama/memory.ts"
import type { LoadOptions } from "../../index.ts"
import { commonPrefix, type Held, type Slot } from "../../slots.ts"
import type { AddonContext } from "../addon.ts"
import type { Caches } from "../decoding/caches.ts"
import { type Asked, type Cells, nextTurn } from "../decoding/pieces.ts"
import type { LlamaAnswer } from "../decoding/answer.ts"
import type { Way } from "../decoding/way.ts"
import type { Loaded } from "../model.ts"
import type { Runtime } from "../runtime.ts"
import { identityOf } from "./identity.ts"
import { type Parked, Shelf } from "./shelf.ts"

/** tokens; less is read again as fast as it is loaded */
const worthTokens = 64
/** of what is loaded so much must be of use, at least */
const usefulShare = 1 / 16
/** a conversation is written anew when this share of it is new */
const newShare = 1 / 8

const NONE = new Uint32Array(0)

export interface ParkingOptions {
  readonly native: Pick<
    AddonContext,
    "disposeSequence" | "loadSequenceStateFromFile" | "removeTokenCellsFromSequence" | "saveSequenceStateToFile"
  >
  readonly slots: ReadonlyArray<Slot>
  readonly shelf: Shelf
  readonly caches: Pick<Caches, "forget" | "settle">
  /** tokens a slot */
  readonly context: number
  /** bytes of a state of so many tokens, as the header promises */
  readonly bytesOf: (tokens: number) => number
  readonly onRestored: (tokens: number) => void
  /** false: a state is of use as a whole alone */
  readonly canCut: boolean
  /** how much of what is held a prompt may begin with */
  readonly usable: (held: Cells, asked: Asked) => number
}

/** Undefined: nothing is kept. */
export const parkingOf = ({
  caches,
  loaded,
  options,
  runtime,
  slots,
  usable,
  way
}: Pick<ParkingOptions, "slots" | "usable"> & {
  readonly caches: Caches
  readonly runtime: Runtime
  readonly loaded: Loaded
  readonly options: LoadOptions
  readonly way: Way
}): Parking | undefined => {
  const { kvType = "f16", parking } = options
  if (parking === undefined) return undefined
  const { facts } = loaded.header
  const canCut = !caches.hasState
  const shelf = new Shelf({ ...parking, identity: identityOf(runtime, loaded, options, way), canCut, now: Date.now })
  // the promised cells are rounded up: a little more than what is written
  const bytesOf = (tokens: number) => kvBytes(facts, { context: tokens, slots: 1 }, kvType)
  return new Parking({
    native: loaded.native,
    slots,
    shelf,
    caches,
    context: loaded.context,
    onRestored: options.onRestored ?? (() => undefined),
    bytesOf,
    canCut,
    usable
  })
}

/** What was parked of a conversation, and how much of it is of use. */
export interface Found {
  readonly parked: Parked
  readonly prefix: number
}

export class Parking {
  private readonly options: ParkingOptions
  /** uses of slots that were looked at, and need not be again */
  private readonly seen = new Map<Slot, number>()
  private sealing: Promise<void> = Promise.resolve()

  constructor(options: ParkingOptions) {
    this.options = options
  }

  /** What was parked of these tokens, the first of which are a prompt, if it beats what the slots hold; it has been checked. */
  async find(scope: string, wanted: ReadonlyArray<number>, prompt: number): Promise<Found | undefined> {
    const { shelf, slots, usable } = this.options
    const asked = { prompt, all: wanted.length }
    const inSlot = (slot: Slot): number =>
      slot.busy || slot.scope !== scope ? 0 : usable({ tokens: commonPrefix(slot, wanted), wide: slot.wide }, asked)
    await shelf.open()
    for (;;) {
      const found = shelf.best(scope || anybody, wanted, (parked, prefix) => this.useful(parked, prefix, asked))
      if (found === undefined) return undefined
      const held = Math.max(...slots.map(inSlot))
      if (!this.beats(found, held)) return undefined
      if (await shelf.check(found.parked)) return found
    }
  }

  /** It spares enough to be loaded. */
  beats({ prefix }: Found, held: number): boolean {
    return prefix >= held + worthTokens
  }

  /** Somebody takes this slot, and reads on after `kept` tokens of what it holds: the rest may be worth a file. */
  leave(slot: Slot, kept: number): void {
    const { filled, scope, tokens, wide } = slot
    const isWorth = this.value(slot) - kept >= worthTokens && this.isNew(slot)
    slot.leaving = isWorth ? { tokens, filled, wide, scope } : undefined
  }

  /** Before the slot's memory is cut to what the answer begins with. Nothing is decoding. */
  async change(answer: LlamaAnswer): Promise<void> {
    const { parked: found, slot } = answer
    const { leaving } = slot
    slot.leaving = undefined
    if (leaving !== undefined) await this.save(slot, leaving)
    answer.parked = undefined
    if (found === undefined) return
    this.options.caches.forget(slot)
    const isLoaded = await this.load(slot.id, found.parked)
    // dropped meanwhile: its slot may be another's by now, who counted on other cells
    if (!isLoaded || answer.over) return answer.reuse(0)
    answer.reuse(found.prefix)
    slot.filled = found.prefix
    slot.wide = Math.min(found.parked.wide, found.prefix)
    this.options.onRestored(found.prefix)
  }

  /** A file is soon written, and its worker may be ended. */
  readonly restMs = 1000

  /** Is there a slot at rest that is worth a file, and has none? */
  get isPending(): boolean {
    return this.options.slots.some((slot) => this.isDue(slot))
  }

  /** Writes one of them. */
  async step(): Promise<boolean> {
    const slot = this.options.slots.find((one) => this.isDue(one))
    if (slot === undefined) return false
    this.seen.set(slot, slot.used)
    await this.options.shelf.open()
    // it may have been taken meanwhile: what it held is being kept then
    if (slot.busy) return true
    const kept = await this.save(slot, slot)
    if (!slot.busy) slot.filled = Math.min(slot.filled, kept)
    return true
  }

  /** Writes all that are worth it, and returns when the files are whole. Nothing is decoding, nor will be. */
  async all(): Promise<void> {
    while (await this.step());
    await this.sealing
  }

  forget(scope?: string): void {
    const { shelf, slots } = this.options
    shelf.forget(scope)
    for (const slot of slots) {
      if (scope !== undefined && (slot.scope || anybody) !== scope) continue
      slot.leaving = undefined
      if (!slot.busy) slot.filled = 0
    }
  }

  private isDue(slot: Slot): boolean {
    if (slot.busy || this.seen.get(slot) === slot.used) return false
    const isDue = this.value(slot) >= worthTokens && this.isNew(slot)
    if (!isDue) this.seen.set(slot, slot.used)
    return isDue
  }

  /** How much of what it holds a next turn could begin with. */
  private value({ filled, wide }: Held): number {
    return this.options.usable({ tokens: filled, wide }, nextTurn(filled + wideFrom))
  }

  /** A good part of it is in no file. */
  private isNew(held: Held): boolean {
    const value = this.value(held)
    const tokens = held.tokens.slice(0, held.filled)
    const best = this.options.shelf.best(held.scope || anybody, tokens, (parked, prefix) =>
      this.usable(parked, prefix, nextTurn(prefix + wideFrom))
    )
    return value - (best?.prefix ?? 0) >= Math.max(worthTokens, value * newShare)
  }

  /** Of what was parked, for who asks for its first `prefix` tokens and more. */
  private usable({ tokens, wide }: Pick<Parked, "wide" | "tokens">, prefix: number, asked: Asked): number {
    const { canCut, usable } = this.options
    const serves = usable({ tokens: prefix, wide }, asked)
    return canCut || (prefix === tokens.length && serves === prefix) ? serves : 0
  }

  /** The last token is read in any case: its logits are needed. */
  private useful(parked: Pick<Parked, "wide" | "tokens">, prefix: number, asked: Asked): number {
    const { length } = parked.tokens
    if (length > this.options.context) return 0
    const useful = this.usable(parked, Math.min(prefix, asked.all - 1), asked)
    return useful >= length * usefulShare ? useful : 0
  }

  /** Writes what is held, or as much of it as a next turn can use where that cannot be cut; returns what the slot holds then. */
  private async save(slot: Slot, { filled, scope, tokens, wide }: Held): Promise<number> {
    const { bytesOf, caches, native, shelf } = this.options
    const kept = await caches.settle(slot, { filled, wide })
    // of cells that it does not know of a state is of no use
    if (kept === 0 || !native.removeTokenCellsFromSequence(slot.id, kept, -1)) return kept
    const sealed = {
      scope: scope || anybody,
      tokens: Uint32Array.from(tokens.slice(0, kept)),
      wide: Math.min(wide, kept)
    }
    const draft = await shelf.draft(bytesOf(kept)).catch(() => undefined)
    if (draft === undefined) return kept
    const isSaved = await native.saveSequenceStateToFile(draft.path, slot.id, NONE).then(
      () => true,
      () => false
    )
    // no room on the disk, most often: the conversation is read again
    const seal = () => (isSaved ? shelf.put(draft, sealed) : shelf.discard(draft))
    this.sealing = this.sealing.then(seal).catch(() => shelf.discard(draft))
    return kept
  }

  private async load(sequence: number, parked: Parked): Promise<boolean> {
    const { native, shelf } = this.options
    native.disposeSequence(sequence)
    try {
      await native.loadSequenceStateFromFile(parked.path, sequence, 1)
      return native.removeTokenCellsFromSequence(sequence, parked.tokens.length, -1)
    } catch {
      await shelf.drop(parked)
      return false
    }
  }
}
