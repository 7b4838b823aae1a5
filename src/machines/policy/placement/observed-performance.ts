/** What was seen of the models: where their files are, how fast devices decode them, how much they are wanted. */
import { expectedRate, unknownBytes } from "./cost.ts"
import { type Place, placeKey } from "./place.ts"
import type { HiveId, ModelRef } from "../../vocabulary/ids.ts"

interface Bandwidth extends Place {
  readonly gbps: number
}

/** A use counts half after this time, milliseconds. */
const heatHalfMs = 600_000
/** How far an observed rate moves at each answer. */
const rateGain = 0.3

const smoothed = (before: number | undefined, value: number): number =>
  before === undefined ? value : before + rateGain * (value - before)

export class ObservedPerformance {
  private readonly files = new Map<ModelRef, Map<HiveId, number>>()
  /** by model and device, tokens/s */
  private readonly rates = new Map<ModelRef, Map<string, number>>()
  /** by model: observed ÷ expected, over all devices */
  private readonly factors = new Map<ModelRef, number>()
  private readonly heats = new Map<ModelRef, { readonly heat: number; readonly at: number }>()

  /** The models whose files are on a hive, with their sizes in bytes. */
  setFiles(hive: HiveId, models: ReadonlyArray<{ readonly model: ModelRef; readonly bytes: number }>): void {
    for (const hives of this.files.values()) hives.delete(hive)
    for (const { bytes, model } of models) this.addFile(hive, model, bytes)
  }

  addFile(hive: HiveId, model: ModelRef, bytes: number): void {
    const hives = this.files.get(model) ?? new Map<HiveId, number>()
    this.files.set(model, hives.set(hive, bytes))
  }

  /** Has any hive the model's file? */
  isSomewhere(model: ModelRef): boolean {
    return (this.files.get(model)?.size ?? 0) > 0
  }

  /** The models whose files some hive has. */
  *models(): Iterable<ModelRef> {
    for (const [model, hives] of this.files) if (hives.size > 0) yield model
  }

  /** Hives that have the model's file. */
  hivesWith(model: ModelRef): Iterable<HiveId> {
    return this.files.get(model)?.keys() ?? []
  }

  hasFile(hive: HiveId, model: ModelRef): boolean {
    return this.files.get(model)?.has(hive) === true
  }

  /** Bytes of a model's file, if any hive has it. */
  bytesOf(model: ModelRef): number | undefined {
    return this.files.get(model)?.values().next().value
  }

  /** An answer was decoded on a device at this rate. */
  observe(device: Bandwidth, model: ModelRef, tokensPerS: number): void {
    if (!(tokensPerS > 0)) return
    const rates = this.rates.get(model) ?? new Map<string, number>()
    const at = placeKey(device)
    const factor = tokensPerS / expectedRate(device.gbps, this.bytesOf(model) ?? unknownBytes)
    this.rates.set(model, rates.set(at, smoothed(rates.get(at), tokensPerS)))
    this.factors.set(model, smoothed(this.factors.get(model), factor))
  }

  /** Tokens a second: as seen on this device, else as expected, set right by what other devices did for the model. */
  rate(device: Bandwidth, model: ModelRef): number {
    const seen = this.rates.get(model)?.get(placeKey(device))
    if (seen !== undefined) return seen
    const expected = expectedRate(device.gbps, this.bytesOf(model) ?? unknownBytes)
    return expected * (this.factors.get(model) ?? 1)
  }

  /** A job wanted the model. */
  used(model: ModelRef, now: number): void {
    this.heats.set(model, { heat: this.heat(model, now) + 1, at: now })
  }

  /** Uses of late, each counting half after ten minutes. */
  heat(model: ModelRef, now: number): number {
    const known = this.heats.get(model)
    return known === undefined ? 0 : known.heat * 2 ** ((known.at - now) / heatHalfMs)
  }
}
