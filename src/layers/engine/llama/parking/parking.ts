/**
 * Parking of what slots hold. A slot is written to a file before another conversation takes it, at rest, and before the
 * model goes; whoever asks for more of the same tokens later has it loaded again. The context is used between batches
 * only, as long as writing or reading one state takes; files are checked and sealed beside the decoding.
 */
import { anybody } from "../../../parked/names.ts"
import { kvBytes } from "../../../../machines/kinds/llama/memory.ts"
import type { LoadOptions } from "../../index.ts"
import { commonPrefix, type Held, type Slot } from "../../slots.ts"
import type { AddonContext } from "../addon.ts"
import type { Caches } from "../decoding/caches.ts"
import type { LlamaAnswer } from "../decoding/answer.ts"
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
  readonly caches: Pick<Caches, "forget">
  /** tokens a slot */
  readonly context: number
  /** bytes of a state of so many tokens, as the header promises */
  readonly bytesOf: (tokens: number) => number
  /** false: a state is of use as a whole alone */
  readonly canCut: boolean
  /** what follows this many tokens is computed as if they had only just been read */
  readonly isBorder: (tokens: number) => boolean
  /** how many of the first `prefix` cells serve a prompt that begins with them, of which so many were read as a prompt */
  readonly kept: (cells: Pick<Slot, "prompt">, prefix: number) => number
}

/** Undefined: nothing is kept. */
export const parkingOf = ({
  caches,
  isBorder,
  kept,
  loaded,
  options,
  runtime,
  slots
}: Pick<ParkingOptions, "slots" | "isBorder" | "kept"> & {
  readonly caches: Caches
  readonly runtime: Runtime
  readonly loaded: Loaded
  readonly options: LoadOptions
}): Parking | undefined => {
  const { kvType = "f16", parking } = options
  if (parking === undefined) return undefined
  const { facts } = loaded.header
  const canCut = !caches.hasState
  const shelf = new Shelf({ ...parking, identity: identityOf(runtime, loaded, options), canCut, now: Date.now })
  // the promised cells are rounded up: a little more than what is written
  const bytesOf = (tokens: number) => kvBytes(facts, { context: tokens, slots: 1 }, kvType)
  return new Parking({
    native: loaded.native,
    slots,
    shelf,
    caches,
    context: loaded.context,
    bytesOf,
    canCut,
    isBorder,
    kept
  })
}

/** What was parked of a conversation, and how much of it is of use. */
export interface Found {
  readonly parked: Parked
  readonly prefix: number
}

export class Parking {
  /** answers that began with what was parked, and tokens that they did not read */
  readonly saved = { answers: 0, tokens: 0 }
  private readonly options: ParkingOptions
  /** uses of slots that were looked at, and need not be again */
  private readonly seen = new Map<Slot, number>()
  private sealing: Promise<void> = Promise.resolve()

  constructor(options: ParkingOptions) {
    this.options = options
  }

  /** What was parked of these tokens, if it beats what the slots hold; it has been checked. */
  async find(scope: string, wanted: ReadonlyArray<number>): Promise<Found | undefined> {
    const { shelf, slots } = this.options
    await shelf.open()
    for (;;) {
      const found = shelf.best(scope || anybody, wanted, (parked, prefix) => this.useful(parked, prefix, wanted.length))
      if (found === undefined) return undefined
      const held = Math.max(...slots.map((slot) => (slot.busy ? 0 : this.inSlot(slot, scope, wanted))))
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
    const { filled, prompt, scope, tokens } = slot
    const isWorth = this.value(slot) - kept >= worthTokens && this.isNew(slot)
    slot.leaving = isWorth ? { tokens, filled, prompt, scope } : undefined
  }

  /** Before the slot's memory is cut to what the answer begins with. Nothing is decoding. */
  async change(answer: LlamaAnswer): Promise<void> {
    const { parked: found, slot } = answer
    const { leaving } = slot
    slot.leaving = undefined
    if (leaving !== undefined) await this.save(slot.id, leaving)
    answer.parked = undefined
    if (found === undefined) return
    this.options.caches.forget(slot)
    const isLoaded = await this.load(slot.id, found.parked)
    // dropped meanwhile: its slot may be another's by now, who counted on other cells
    if (!isLoaded || answer.over) return answer.reuse(0)
    answer.reuse(found.prefix)
    slot.filled = found.prefix
    slot.prompt = Math.min(found.parked.prompt, found.prefix)
    this.saved.answers++
    this.saved.tokens += found.prefix
  }

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
    if (!slot.busy) await this.save(slot.id, slot)
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

  /** How much of what it holds can be of use later. */
  private value({ filled, prompt }: Held): number {
    return this.usable(filled, prompt, filled)
  }

  /** Of a state of `length` tokens, for a prompt that begins with the first `prefix` of them. */
  private usable(length: number, prompt: number, prefix: number): number {
    const { canCut, isBorder, kept } = this.options
    if (canCut) return kept({ prompt }, prefix)
    return prefix === length && isBorder(length) ? length : 0
  }

  /** A good part of it is in no file. */
  private isNew(held: Held): boolean {
    const value = this.value(held)
    const tokens = held.tokens.slice(0, held.filled)
    const best = this.options.shelf.best(held.scope || anybody, tokens, (parked, prefix) =>
      this.usable(parked.tokens.length, parked.prompt, prefix)
    )
    return value - (best?.prefix ?? 0) >= Math.max(worthTokens, value * newShare)
  }

  private inSlot(slot: Slot, scope: string, wanted: ReadonlyArray<number>): number {
    const prefix = slot.scope === scope ? commonPrefix(slot, wanted) : 0
    return this.options.kept(slot, prefix)
  }

  /** The last token is read in any case: its logits are needed. */
  private useful({ prompt, tokens }: Pick<Parked, "prompt" | "tokens">, prefix: number, wanted: number): number {
    if (tokens.length > this.options.context) return 0
    const useful = this.usable(tokens.length, prompt, Math.min(prefix, wanted - 1))
    return useful >= tokens.length * usefulShare ? useful : 0
  }

  private async save(sequence: number, { filled, prompt, scope, tokens }: Held): Promise<void> {
    const { bytesOf, native, shelf } = this.options
    const sealed = {
      scope: scope || anybody,
      tokens: Uint32Array.from(tokens.slice(0, filled)),
      prompt: Math.min(prompt, filled)
    }
    // of cells that it does not know of a state is of no use
    if (!native.removeTokenCellsFromSequence(sequence, filled, -1)) return
    const draft = await shelf.draft(bytesOf(filled)).catch(() => undefined)
    if (draft === undefined) return
    const isSaved = await native.saveSequenceStateToFile(draft.path, sequence, NONE).then(
      () => true,
      () => false
    )
    // no room on the disk, most often: the conversation is read again
    const seal = () => (isSaved ? shelf.put(draft, sealed) : shelf.discard(draft))
    this.sealing = this.sealing.then(seal).catch(() => shelf.discard(draft))
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
