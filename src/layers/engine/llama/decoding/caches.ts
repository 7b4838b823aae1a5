/**
 * What the slots' memories hold. A cache of keys and values can be cut anywhere; the state of a recurrent layer is that
 * after its last token, and goes back only to where a copy of it was taken: before the last token of a prompt, some tokens
 * before that, every so many tokens between, and at the end of an answer where what was decoded may be kept.
 */
import { wideFrom } from "../../../../machines/kinds/llama/batches.ts"
import type { Rows } from "../../../../machines/kinds/llama/exact-types.ts"
import { copyBytesMax, copyEvery } from "../../../../machines/kinds/llama/copies.ts"
import type { Slot } from "../../slots.ts"
import type { Addon, AddonCheckpoint, NativeContext } from "../addon.ts"
import type { LlamaAnswer } from "./answer.ts"
import { type Asked, type Cells, copiesAt, nextTurn } from "./pieces.ts"

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
  readonly rows: Rows
  /** how much of what is held this answer may begin with */
  readonly usable: (held: Cells, asked: Asked) => number
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

  /** Cuts the slot's memory down to what the answer begins with, or as much less as it must; returns how many tokens that is. */
  cut({ filled, promptLength, slot, tokens }: LlamaAnswer): Promise<number> {
    return this.cutTo(slot, filled, slot.wide, { prompt: promptLength, all: tokens.length })
  }

  /** To the last place of such tokens that any next turn could go on from. A cache that can be cut stays as it is. */
  async settle(slot: Slot, { filled, wide }: Pick<Slot, "filled" | "wide">): Promise<number> {
    return this.hasState ? this.cutTo(slot, filled, wide, nextTurn(filled)) : filled
  }

  private async cutTo(slot: Slot, tokens: number, wide: number, asked: Asked): Promise<number> {
    const { native, usable } = this.options
    this.drop((copy) => copy.slot === slot && copy.at > tokens)
    const fits = (at: number): boolean => at > 0 && at === usable({ tokens: at, wide: Math.min(wide, at) }, asked)
    const isThere = native.getSequenceKvCacheMaxPosition(slot.id) >= tokens - 1
    if (isThere && fits(tokens) && native.removeTokenCellsFromSequence(slot.id, tokens, -1)) return tokens
    const copy = this.copies.findLast((one) => one.slot === slot && fits(one.at))
    if (copy !== undefined && (await native.restoreCheckpoint(copy.native, copy.at - 1))) {
      this.drop((one) => one.slot === slot && one.at > copy.at)
      return copy.at
    }
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
    if (hasEnded && this.endServes(slot, filled)) return true
    return copiesAt(promptLength, this.options.rows).includes(filled) || filled - (filled % copyEvery) > last
  }

  /** Could a next turn go on from here, from what was decoded? */
  private endServes({ wide }: Slot, tokens: number): boolean {
    return this.options.usable({ tokens, wide }, nextTurn(tokens + wideFrom)) === tokens
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
