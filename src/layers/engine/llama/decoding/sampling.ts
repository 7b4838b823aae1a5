/** How the next token is drawn. */
import { randomBytes } from "node:crypto"
import type { Sampling } from "../../index.ts"
import { rootName } from "../../../../machines/grammar/render.ts"
import type { Piece } from "../reading/pieces.ts"
import { Dry } from "./dry.ts"
import type { Addon, AddonGrammarState, AddonModel, AddonSampler, SamplerConfig } from "../addon.ts"

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

/** What an answer is held to. */
export interface Constraint {
  readonly grammar: string
  /** tokens of the answer that there are already */
  readonly resumed: ReadonlyArray<number>
  readonly isEnd: (token: number) => boolean
  /** tokens that cannot follow this one */
  readonly forbiddenAfter: (token: number | undefined) => ReadonlyArray<number>
}

/** What else there is to a draw. */
interface Beside {
  readonly constraint?: Constraint | undefined
  /** the text of a token, control tokens written out */
  readonly spelt?: (token: number) => Piece
  /** native samplers that no answer uses */
  readonly unused?: Array<AddonSampler>
}

/** It is as if new: the seed, which is never given, is another than the one that comes. */
const cleared: SamplerConfig = { temperature: 0, seed: 0xffff_ffff }

const unspelt = (): Piece => ""

/** The tokens before the next one, and where the answer's begin. */
export interface Before {
  readonly tokens: ReadonlyArray<number>
  readonly promptLength: number
}

/**
 * The sampler of one answer. With a temperature, each token is drawn with a generator seeded from (seed, index) rather
 * than from the state that earlier draws left: so an answer that continues on another worker, from its exact tokens,
 * draws the same next tokens as the undisturbed one, and there is no state to carry over. What depends on the tokens
 * before (a grammar, penalties) is made of them anew.
 *
 * A grammar is asked of the drawn token alone; only where it refuses, all tokens are asked, and another one is drawn:
 * asking them first would draw others, and cost more than the model itself where the vocabulary is large.
 */
export class AnswerSampler {
  readonly native: AddonSampler
  private readonly unused: Array<AddonSampler> | undefined
  private readonly seed: number
  private readonly sampling: Sampling
  private readonly constraint: Constraint | undefined
  private readonly dry: Dry | undefined
  private readonly state: AddonGrammarState | undefined
  /** each token is drawn in the same way, whatever came before */
  private readonly isFixed: boolean
  private disposed = false

  constructor(addon: Addon, model: AddonModel, sampling: Sampling, beside: Beside = {}) {
    const { constraint, spelt = unspelt, unused } = beside
    // as large as the vocabulary: to make one takes longer than to draw a token
    this.native = unused?.pop() ?? new addon.AddonSampler(model)
    this.unused = unused
    this.sampling = sampling
    this.constraint = constraint
    this.seed = sampling.seed ?? randomBytes(4).readUInt32LE()
    this.state = constraint === undefined ? undefined : stateOf(addon, model, constraint)
    const { bias = [], dry, penalties, temperature, xtc } = sampling
    this.dry = dry === undefined ? undefined : new Dry(dry, spelt)
    const isPlain = bias.length === 0 && penalties === undefined && xtc === undefined && dry === undefined
    this.isFixed = temperature <= 0 && isPlain && constraint === undefined
    if (this.isFixed) this.native.applyConfig({ temperature: 0 })
  }

  /** Call before the token after these is drawn. */
  prepare(before: Before): void {
    if (this.isFixed) return
    const { minP = 0, temperature, topK, topP, xtc } = this.sampling
    this.native.applyConfig({
      temperature,
      ...(topK > 0 ? { topK } : {}),
      ...(topP < 1 ? { topP } : {}),
      ...(minP > 0 ? { minP } : {}),
      ...(xtc === undefined ? {} : { xtcProbability: xtc.probability, xtcThreshold: xtc.threshold }),
      ...(temperature > 0 || xtc !== undefined
        ? { seed: seedAt(this.seed, before.tokens.length - before.promptLength) }
        : {}),
      ...this.penalised(before),
      ...this.biased(before),
      ...(this.state === undefined ? {} : { grammarEvaluationState: this.state })
    })
  }

  dispose(): void {
    if (this.disposed) return
    this.disposed = true
    if (this.unused === undefined || this.state !== undefined) return this.native.dispose()
    this.native.applyConfig(cleared)
    this.unused.push(this.native)
  }

  private penalised({ tokens }: Before): Partial<SamplerConfig> {
    const { penalties } = this.sampling
    if (penalties === undefined) return {}
    const { frequency, lastTokens, presence, repeat } = penalties
    return {
      repeatPenaltyTokens: Uint32Array.from(tokens.slice(-lastTokens)),
      repeatPenaltyMaxTokens: lastTokens,
      repeatPenalty: repeat,
      repeatPenaltyPresencePenalty: presence,
      repeatPenaltyFrequencyPenalty: frequency
    }
  }

  private biased({ promptLength, tokens }: Before): Partial<SamplerConfig> {
    const { bias = [] } = this.sampling
    const last = tokens.length > promptLength ? tokens.at(-1) : undefined
    const forbidden = this.constraint?.forbiddenAfter(last) ?? []
    const repeating = this.dry?.penalties(tokens)
    if (bias.length + forbidden.length + (repeating?.size ?? 0) === 0) return {}
    return {
      tokenBiasKeys: Uint32Array.from([...bias.map(({ token }) => token), ...(repeating?.keys() ?? []), ...forbidden]),
      tokenBiasValues: Float32Array.from([
        ...bias.map(({ by }) => by),
        ...(repeating?.values() ?? []),
        ...forbidden.map(() => -Infinity)
      ])
    }
  }
}

/** Where the grammar is after the tokens that there are. The end of an answer is none of its tokens. */
const stateOf = (addon: Addon, model: AddonModel, { grammar, isEnd, resumed }: Constraint): AddonGrammarState => {
  const read = new addon.AddonGrammar(grammar, { addonExports: addon, rootRuleName: rootName })
  const state = new addon.AddonGrammarEvaluationState(model, read)
  for (const token of resumed) if (!isEnd(token)) addon.AddonSampler.acceptGrammarEvaluationStateToken(state, token)
  return state
}
