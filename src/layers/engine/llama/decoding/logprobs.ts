/**
 * How likely a token was among all others, by the model alone: before temperature, penalties, bias or grammar. It is
 * asked by samplers of its own, after the token was drawn, so that no other one is drawn for it.
 */
import type { TokenLogprob } from "../../../../machines/vocabulary/job.ts"
import type { Pieces } from "../reading/pieces.ts"
import type { Addon, AddonModel, AddonSampler, LogitIndex, NativeContext } from "../addon.ts"

/** tokens that are compared: most draws are among them, and a whole vocabulary would take the event loop's time */
const near = 64

/** what stands for a probability of nothing, as in OpenAI's answers */
const least = -9999

export interface Ranking {
  readonly index: LogitIndex
  readonly token: number
  /** of the likeliest tokens */
  readonly top: number
}

export class Logprobs {
  private readonly addon: Addon
  private readonly model: AddonModel
  private readonly native: NativeContext
  private readonly pieces: Pieces
  private samplers: { readonly likeliest: AddonSampler; readonly nearest: AddonSampler } | undefined

  constructor(addon: Addon, model: AddonModel, native: NativeContext, pieces: Pieces) {
    this.addon = addon
    this.model = model
    this.native = native
    this.pieces = pieces
  }

  /** Of a token that was drawn from the batch that was decoded last; nothing may be decoding. `last`: the one before. */
  async of({ index, last, token, top }: Ranking & { readonly last: number | undefined }): Promise<TokenLogprob> {
    const { likeliest, nearest } = this.made()
    const [first, , share] = await this.native.sampleToken(index, likeliest, false, true)
    const [, shares] = await this.native.sampleToken(index, nearest, true)
    const ranked = ranking(first, Math.log(share), shares)
    const own = ranked.find(([one]) => one === token) ?? (await this.far(index, token))
    return {
      ...this.spoken(own, last, "visible"),
      top: ranked.slice(0, top).map((one) => this.spoken(one, last, "spelt"))
    }
  }

  dispose(): void {
    this.samplers?.likeliest.dispose()
    this.samplers?.nearest.dispose()
    this.samplers = undefined
  }

  private made() {
    if (this.samplers !== undefined) return this.samplers
    const [likeliest, nearest] = [new this.addon.AddonSampler(this.model), new this.addon.AddonSampler(this.model)]
    likeliest.applyConfig({ temperature: 0 })
    nearest.applyConfig({ temperature: 1, topK: near, seed: 1 })
    return (this.samplers = { likeliest, nearest })
  }

  /** It was drawn although it is not among the likeliest: a grammar, a bias or a high temperature. */
  private async far(index: LogitIndex, token: number): Promise<Likely> {
    const [, shares] = await this.native.sampleToken(index, this.made().likeliest, true)
    return [token, Math.log(pairs(shares).find(([one]) => one === token)?.[1] ?? 0)]
  }

  private spoken([token, logprob]: Likely, last: number | undefined, as: "visible" | "spelt") {
    const piece = this.pieces[as](token)
    const isSpaced = typeof piece === "string" && piece.startsWith(" ") && this.pieces.spaced(last, token)
    const bytes = Buffer.from(isSpaced ? piece.slice(1) : piece)
    return { token: bytes.toString(), bytes: Array.from(bytes), logprob: rounded(logprob) }
  }
}

type Likely = readonly [token: number, logprob: number]

const pairs = (shares: ReadonlyArray<number>): ReadonlyArray<readonly [token: number, share: number]> =>
  Array.from({ length: shares.length / 2 }, (_, at) => [shares[2 * at] ?? -1, shares[2 * at + 1] ?? 0])

/** Shares of the nearest alone, and what the likeliest has of all: what each has of all, likeliest first. */
const ranking = (first: number, logprob: number, shares: ReadonlyArray<number>): ReadonlyArray<Likely> => {
  const found = pairs(shares)
  const most = found.find(([token]) => token === first)?.[1] ?? 1
  return found
    .map(([token, share]): Likely => [token, logprob + Math.log(share / most)])
    .sort(([, one], [, other]) => other - one)
}

/** As many digits as a number of four bytes has. */
const rounded = (logprob: number): number => Math.max(least, Math.min(0, Math.round(logprob * 1e6) / 1e6)) + 0
