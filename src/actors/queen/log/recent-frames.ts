/** The newest committed frames of a job, encoded once for all its readers; bounded, the rest is in the journal. */
import { withoutFirst } from "./frames.ts"

/** UTF-16 code units kept a job: more than one batch of a slow reader, little for thousands of jobs */
const KEPT = 128 * 1024
/** small blocks grow to this before a new one begins, so that a token a turn does not cost a block a token */
const BLOCK = 8 * 1024

interface Block {
  readonly first: number
  last: number
  frames: string
}

export class RecentFrames {
  private readonly blocks: Array<Block> = []
  private size = 0

  /** `frames` hold the ids `first`…`last`, which follow the newest that is kept. */
  add(first: number, last: number, frames: string): void {
    const newest = this.blocks.at(-1)
    if (newest !== undefined && newest.frames.length < BLOCK) {
      newest.frames += frames
      newest.last = last
    } else this.blocks.push({ first, last, frames })
    this.size += frames.length
    // reading a character makes one flat text of the thousand small pieces that it was put together from
    frames.charCodeAt(0)
    while (this.size > KEPT && this.blocks.length > 1) this.size -= this.blocks.shift()?.frames.length ?? 0
  }

  /** Frames that follow id `after`, up to `last`; undefined where the journal must be asked. */
  after(after: number): { readonly frames: string; readonly last: number } | undefined {
    const from = this.blocks.findIndex((block) => block.last > after)
    const first = this.blocks[from]
    if (first === undefined || first.first > after + 1) return undefined
    let frames = withoutFirst(first.frames, after + 1 - first.first)
    let last = first.last
    for (const block of this.blocks.slice(from + 1)) {
      frames += block.frames
      last = block.last
    }
    return { frames, last }
  }
}
