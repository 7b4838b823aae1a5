/** Tokens to a vector, one text after the other, whoever asked: the addon reads what came of its sequence 0 alone. */
import type { NativeContext } from "../addon.ts"

export interface VectorsOptions {
  readonly native: NativeContext
  /** tokens a batch; a text that may not be cut fits into one */
  readonly batchSize: number
  /** the first elements of a vector; 0: all */
  readonly elements: number
}

export class Vectors {
  /** batches decoded so far */
  batches = 0
  private readonly options: VectorsOptions
  private last: Promise<unknown> = Promise.resolve()
  private isOver = false

  constructor(options: VectorsOptions) {
    this.options = options
  }

  /** In turn: who asks for one text after the other waits for all who came before. */
  of(tokens: ReadonlyArray<number>, signal?: AbortSignal): Promise<Float32Array> {
    const mine = this.last.then(() => {
      if (this.isOver) throw new Error("the model is being unloaded")
      signal?.throwIfAborted()
      return this.decode(Uint32Array.from(tokens))
    })
    this.last = mine.catch(() => undefined)
    return mine
  }

  /** Waits for the batch in flight. */
  async close(): Promise<void> {
    this.isOver = true
    await this.last
  }

  private async decode(tokens: Uint32Array): Promise<Float32Array> {
    const { batchSize, elements, native } = this.options
    native.disposeSequence(0)
    for (let at = 0; at < tokens.length; at += batchSize) {
      const piece = tokens.subarray(at, at + batchSize)
      native.initBatch(piece.length)
      // every token is asked for, or llama.cpp warns that it does so itself
      native.addToBatch(
        0,
        at,
        piece,
        Uint32Array.from(piece, (_, i) => i)
      )
      await native.decodeBatch()
      this.batches++
    }
    return Float32Array.from(native.getEmbedding(tokens.length, elements))
  }
}
