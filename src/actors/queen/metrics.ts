/**
 * The queen's counters and their Prometheus text. Names mean what vLLM's and OpenTelemetry's mean. Counting is a plain
 * addition: the token path does it.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

/** Counts of observations at or under each bound, as Prometheus histograms are. */
export class Histogram {
  private readonly bounds: ReadonlyArray<number>
  private readonly counts: Array<number>
  private sum = 0

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

  samples(name: string): ReadonlyArray<string> {
    let count = 0
    const buckets = this.counts.map((each, at) => {
      count += each
      const bound = this.bounds[at]
      return sample(`${name}_bucket`, { le: bound === undefined ? "+Inf" : String(bound) }, count)
    })
    return [...buckets, sample(`${name}_sum`, {}, this.sum), sample(`${name}_count`, {}, count)]
  }
}

/** seconds */
const FIRST_TOKEN = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
const PER_TOKEN = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]
const LOAD = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900]

export type Outcome = "done" | "failed" | "cancelled"

/** What happened since this queen started. */
export class Meters {
  promptTokens = 0
  generatedTokens = 0
  failovers = 0
  readonly ended: Record<Outcome, number> = { done: 0, failed: 0, cancelled: 0 }
  readonly firstToken = new Histogram(FIRST_TOKEN)
  readonly perToken = new Histogram(PER_TOKEN)
  /** a model into memory, from the start of its worker to ready */
  readonly modelLoad = new Histogram(LOAD)
}

export class Metrics extends Context.Tag("rbee/Metrics")<Metrics, Meters>() {}

export const layerMetrics = Layer.sync(Metrics, () => new Meters())

/** What is so at this moment; the queen's view knows it. */
export interface Gauges {
  readonly version: string
  readonly running: number
  readonly waiting: number
  /** by their state */
  readonly hives: Readonly<Record<string, number>>
  readonly workers: Readonly<Record<string, number>>
  readonly memory: ReadonlyArray<{
    readonly hive: string
    readonly gpu: string
    readonly totalBytes: number
    readonly freeBytes: number
  }>
}

/** The content type of the text format. */
export const metricsType = "text/plain; version=0.0.4; charset=utf-8"

export const renderMetrics = (meters: Meters, gauges: Gauges): string => {
  const byState = (name: string, counts: Readonly<Record<string, number>>) =>
    Object.entries(counts).map(([state, count]) => sample(name, { state }, count))
  const vram = gauges.memory.flatMap(({ hive, gpu, totalBytes, freeBytes }) => [
    sample("rbee_vram_bytes", { hive, gpu, kind: "total" }, totalBytes),
    sample("rbee_vram_bytes", { hive, gpu, kind: "free" }, freeBytes)
  ])
  const families: ReadonlyArray<readonly [string, string, string, ReadonlyArray<string>]> = [
    ["rbee_build_info", "gauge", "Version of this queen.", [sample("rbee_build_info", { version: gauges.version }, 1)]],
    one("rbee_requests_running", "gauge", "Jobs that have a place.", gauges.running),
    one("rbee_requests_waiting", "gauge", "Jobs that wait for a place.", gauges.waiting),
    [
      "rbee_requests_total",
      "counter",
      "Jobs that ended, by how.",
      Object.entries(meters.ended).map(([outcome, count]) => sample("rbee_requests_total", { outcome }, count))
    ],
    one("rbee_failovers_total", "counter", "Answers that went on with another worker.", meters.failovers),
    [
      "rbee_tokens_total",
      "counter",
      "Tokens read and written.",
      [
        sample("rbee_tokens_total", { type: "prompt" }, meters.promptTokens),
        sample("rbee_tokens_total", { type: "generation" }, meters.generatedTokens)
      ]
    ],
    histogram("rbee_time_to_first_token_seconds", "From the request to its first token.", meters.firstToken),
    histogram("rbee_time_per_output_token_seconds", "Mean time between the tokens of an answer.", meters.perToken),
    histogram("rbee_model_load_seconds", "From the start of a worker to its model in memory.", meters.modelLoad),
    ["rbee_hives", "gauge", "Known hives, by state.", byState("rbee_hives", gauges.hives)],
    ["rbee_workers", "gauge", "Workers, by state.", byState("rbee_workers", gauges.workers)],
    ["rbee_vram_bytes", "gauge", "Memory of the GPUs by the hives' ledgers.", vram]
  ]
  return families
    .filter(([, , , samples]) => samples.length > 0)
    .map(([name, type, help, samples]) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.join("\n")}\n`)
    .join("")
}

const one = (name: string, type: string, help: string, value: number) =>
  [name, type, help, [sample(name, {}, value)]] as const

const histogram = (name: string, help: string, values: Histogram) =>
  [name, "histogram", help, values.samples(name)] as const

const escapeLabel = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"')

const sample = (name: string, labels: Readonly<Record<string, string>>, value: number): string => {
  const inner = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`)
  return `${name}${inner.length === 0 ? "" : `{${inner.join(",")}}`} ${value}`
}
