/** How the next token is drawn. */
import { randomBytes } from "node:crypto"
import type { Sampling } from "../../index.ts"
import type { Addon, AddonModel, AddonSampler } from "../addon.ts"

/** an invertible hash of 32 bits: neighbours come out with nothing in common */
const mix = (value: number): number => {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d)
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b)
  return h ^ (h >>> 16)
}

/**
 * A 32-bit seed for the token at `index` of an answer with `seed`, which may be any integer of 64 bits as a number holds it. 0xFFFFFFFF means
 * "random" to llama.cpp and is never given.
 */
export const seedAt = (seed: number, index: number): number => {
  const high = Math.floor(seed / 0x1_0000_0000)
  const mixed = mix(mix(mix(high) ^ seed) ^ index) >>> 0
  return mixed === 0xffff_ffff ? 0 : mixed
}

/**
 * The sampler of one answer. With a temperature, each token is drawn with a generator seeded from (seed, index) rather
 * than from the state that earlier draws left: so an answer that continues on another worker, from its exact tokens,
 * draws the same next tokens as the undisturbed one, and there is no state to carry over.
 */
export class AnswerSampler {
  readonly native: AddonSampler
  private readonly seed: number
  private readonly sampling: Sampling
  private readonly greedy: boolean
  private disposed = false

  constructor(addon: Addon, model: AddonModel, sampling: Sampling) {
    this.native = new addon.AddonSampler(model)
    this.sampling = sampling
    this.greedy = sampling.temperature <= 0
    this.seed = sampling.seed ?? randomBytes(4).readUInt32LE()
    if (this.greedy) this.native.applyConfig({ temperature: 0 })
  }

  /** Call before the token at `index` of the answer is drawn. */
  prepare(index: number): void {
    if (this.greedy) return
    const { minP = 0, temperature, topK, topP } = this.sampling
    this.native.applyConfig({
      temperature,
      ...(topK > 0 ? { topK } : {}),
      ...(topP < 1 ? { topP } : {}),
      ...(minP > 0 ? { minP } : {}),
      seed: seedAt(this.seed, index)
    })
  }

  dispose(): void {
    if (this.disposed) return
    this.disposed = true
    this.native.dispose()
  }
}
