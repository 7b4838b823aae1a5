/**
 * What the slots' memories hold. A cache of keys and values can be cut anywhere; the state of a recurrent layer is that
 * after its last token, and goes back only to where a copy of it was taken: before the last token of a prompt, at the
 * end of an answer, and every so many tokens between.
 */
import { copyBytesMax, copyEvery } from "../../../../machines/kinds/llama/copies.ts"
import type { Slot } from "../../slots.ts"
import type { Addon, AddonCheckpoint, NativeContext } from "../addon.ts"
import type { LlamaAnswer } from "./answer.ts"

interface Copy {
  readonly slot: Slot
  /** tokens that it is the state after */
  readonly at: number
  readonly native: AddonCheckpoint
}

export interface CachesOptions {
  readonly addon: Pick<Addon, "AddonContextSequenceCheckpoint">
  readonly native: NativeContext
  /** it has recurrent layers */
  readonly hasState: boolean
  /** so many copies are kept at most, as they are booked */
  readonly copiesMax: number
  /** whether what follows this many tokens is computed as if they had only just been read */
  readonly isBorder: (tokens: number) => boolean
}

export class Caches {
  readonly hasState: boolean
  private readonly options: CachesOptions
  /** oldest first */
  private copies: Array<Copy> = []

  constructor(options: CachesOptions) {
    this.options = options
    this.hasState = options.hasState
  }

  /** Cuts the slot's memory down to this many tokens, or as few more as it must; returns how many it holds then. */
  async cut(slot: Slot, tokens: number): Promise<number> {
    const { isBorder, native } = this.options
    this.drop((copy) => copy.slot === slot && copy.at > tokens)
    if (tokens > 0 && native.removeTokenCellsFromSequence(slot.id, tokens, -1)) return tokens
    const copy = this.copies.findLast((one) => one.slot === slot && isBorder(one.at))
    if (copy !== undefined && (await native.restoreCheckpoint(copy.native, copy.at - 1))) return copy.at
    native.disposeSequence(slot.id)
    this.drop((one) => one.slot === slot)
    return 0
  }

  /** After a batch: takes a copy where the answer is at a place to come back to. */
  async keep(answer: LlamaAnswer): Promise<void> {
    if (!this.hasState || !this.isPlace(answer)) return
    this.makeRoom()
    const native = new this.options.addon.AddonContextSequenceCheckpoint()
    await native.init(this.options.native, answer.slot.id)
    if (native.maxPos !== answer.filled - 1) return native.dispose()
    this.copies.push({ slot: answer.slot, at: answer.filled, native })
  }

  /** The slot's memory is filled with something else: no copy is of it any more. */
  forget(slot: Slot): void {
    this.drop((copy) => copy.slot === slot)
  }

  dispose(): void {
    this.drop(() => true)
  }

  private isPlace({ filled, hasEnded, promptLength, slot }: LlamaAnswer): boolean {
    const last = this.copies.findLast((one) => one.slot === slot)?.at ?? 0
    if (filled <= last) return false
    return filled === promptLength - 1 || hasEnded || filled - (filled % copyEvery) > last
  }

  /** For one more, of which the last one tells how large it is: the oldest go. */
  private makeRoom(): void {
    const next = this.copies.at(-1)?.native.size ?? 0
    let bytes = this.copies.reduce((sum, one) => sum + one.native.size, next)
    let count = this.copies.length + 1
    this.drop((one) => {
      const isTooMuch = bytes > copyBytesMax || count > this.options.copiesMax
      if (isTooMuch) {
        bytes -= one.native.size
        count--
      }
      return isTooMuch
    })
  }

  private drop(isGone: (copy: Copy) => boolean): void {
    this.copies = this.copies.filter((copy) => {
      const goes = isGone(copy)
      if (goes) copy.native.dispose()
      return !goes
    })
  }
}
