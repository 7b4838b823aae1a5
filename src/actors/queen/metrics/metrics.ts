/**
 * What the queen counts. Counting is a plain addition to a plain field, since the token path does it; `metrics-text.ts`
 * writes it down. Names mean what vLLM's and OpenTelemetry's mean.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type { Heartbeat } from "../../../machines/vocabulary/hive.ts"
import { ModelRef } from "../../../machines/vocabulary/ids.ts"
import { added, noUsage } from "../../../machines/people/charge.ts"
import type { UsageCounts, UsageDay } from "../../../machines/vocabulary/people/usage.ts"

/** Counts of observations at or under each bound, as Prometheus histograms are. */
export class Histogram {
  readonly bounds: ReadonlyArray<number>
  /** one for each bound, and one for what is above the last */
  readonly counts: Array<number>
  sum = 0

  /** `bounds` ascending, without the last, infinite one */
  constructor(bounds: ReadonlyArray<number>) {
    this.bounds = bounds
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  observe(value: number): void {
    const at = this.bounds.findIndex((bound) => value <= bound)
    const bucket = at === -1 ? this.bounds.length : at
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.sum += value
  }
}

/** seconds */
const FIRST_TOKEN = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
const PER_TOKEN = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]
const LOAD = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900]

/** Models that are counted apart; a label that anybody can choose must not grow without bound. */
const modelsMax = 256
/** all the others, and what was asked for and never answered */
export const otherModels = ModelRef.make("other")

export type Outcome = "done" | "failed" | "cancelled"

/** What happened to the jobs of one model. */
export class ModelMeters {
  promptTokens = 0
  generatedTokens = 0
  failovers = 0
  readonly ended: Record<Outcome, number> = { done: 0, failed: 0, cancelled: 0 }
  readonly firstToken = new Histogram(FIRST_TOKEN)
  readonly perToken = new Histogram(PER_TOKEN)
}

/** What one hive did, as it said itself or as the queen saw it. */
export class HiveMeters {
  heartbeats = 0
  /** model → restarts of its workers */
  readonly restarts = new Map<string, number>()
  /** model → from the start of a worker to its model in memory */
  readonly loads = new Map<string, Histogram>()
  /** worker → restarts, as its last beat told them */
  private told = new Map<string, number>()

  beat({ workers }: Heartbeat): void {
    this.heartbeats++
    const told = new Map<string, number>()
    for (const { id, model, restarts } of workers) {
      told.set(id, restarts)
      const more = restarts - (this.told.get(id) ?? 0)
      if (more > 0) this.restarts.set(model, (this.restarts.get(model) ?? 0) + more)
    }
    this.told = told
  }

  loaded(model: ModelRef, seconds: number): void {
    const loads = this.loads.get(model) ?? new Histogram(LOAD)
    this.loads.set(model, loads)
    loads.observe(seconds)
  }
}

/** Keys that are counted apart, as models are: there may be thousands. */
const keysMax = 256
export const otherKeys = "other"

/** What happened since this queen started. */
export class Meters {
  readonly models = new Map<string, ModelMeters>()
  readonly hives = new Map<string, HiveMeters>()
  /** by key, what its jobs that have ended were charged with */
  readonly keys = new Map<string, UsageCounts>()
  /** fields of requests that nobody has published */
  ignoredFields = 0

  /** Of a model that answers. */
  model(ref: ModelRef): ModelMeters {
    const known = this.models.get(ref)
    if (known !== undefined) return known
    if (this.models.size > modelsMax && ref !== otherModels) return this.model(otherModels)
    const meters = new ModelMeters()
    this.models.set(ref, meters)
    return meters
  }

  /** A job has ended; a reference that never gave a token may be anything, it gets no label of its own. */
  ended(ref: ModelRef, outcome: Outcome): void {
    this.model(this.models.has(ref) ? ref : otherModels).ended[outcome]++
  }

  /** The job of a key has ended, with this charge. */
  charged(charge: UsageDay): void {
    const key = this.keys.has(charge.key) || this.keys.size < keysMax ? charge.key : otherKeys
    this.keys.set(key, added(this.keys.get(key) ?? noUsage, charge))
  }

  hive(id: string): HiveMeters {
    const known = this.hives.get(id)
    if (known !== undefined) return known
    const meters = new HiveMeters()
    this.hives.set(id, meters)
    return meters
  }
}

export class Metrics extends Context.Tag("rbee/Metrics")<Metrics, Meters>() {}

export const layerMetrics = Layer.sync(Metrics, () => new Meters())
