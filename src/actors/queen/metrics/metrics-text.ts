/** The queen's counters, and what is so at this moment, as Prometheus text (exposition format 0.0.4). */
import type { Histogram, Meters } from "./metrics.ts"
import type { HiveId, DeviceId, ModelRef } from "../../../machines/vocabulary/ids.ts"

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number | Histogram]

/** What is so at this moment; the queen's view knows it. */
export interface Gauges {
  readonly version: string
  /** canonical reference of each job that has a place, and of each that waits for one */
  readonly running: ReadonlyArray<string>
  readonly waiting: ReadonlyArray<string>
  /** the state of each known hive */
  readonly hives: ReadonlyArray<string>
  readonly workers: ReadonlyArray<{ readonly hive: HiveId; readonly model: ModelRef; readonly state: string }>
  readonly memory: ReadonlyArray<{
    readonly hive: HiveId
    readonly device: DeviceId
    readonly totalBytes: number
    readonly leasedBytes: number
    readonly freeBytes: number
  }>
}

interface Family {
  readonly name: string
  readonly type: "gauge" | "counter" | "histogram"
  readonly labels: ReadonlyArray<string>
  readonly help: string
  readonly samples: (meters: Meters, gauges: Gauges) => ReadonlyArray<Sample>
}

/** How many there are of each. */
const counted = (items: ReadonlyArray<Labels>): ReadonlyArray<Sample> => {
  const counts = new Map<string, readonly [Labels, number]>()
  for (const labels of items) {
    const key = JSON.stringify(labels)
    counts.set(key, [labels, (counts.get(key)?.[1] ?? 0) + 1])
  }
  return [...counts.values()]
}

/** Every family that `GET /metrics` can show; docs/metrics.md is made from this list. */
export const families: ReadonlyArray<Family> = [
  {
    name: "rbee_build_info",
    type: "gauge",
    labels: ["version"],
    help: "Version of this queen.",
    samples: (_, { version }) => [[{ version }, 1]]
  },
  {
    name: "rbee_requests_running",
    type: "gauge",
    labels: ["model"],
    help: "Jobs that have a place.",
    samples: (_, { running }) => counted(running.map((model) => ({ model })))
  },
  {
    name: "rbee_requests_waiting",
    type: "gauge",
    labels: ["model"],
    help: "Jobs that wait for a place.",
    samples: (_, { waiting }) => counted(waiting.map((model) => ({ model })))
  },
  {
    name: "rbee_requests_total",
    type: "counter",
    labels: ["model", "outcome"],
    help: "Jobs that ended, by how: done, failed or cancelled.",
    samples: (meters) =>
      [...meters.models].flatMap(([model, { ended }]) =>
        Object.entries(ended).map(([outcome, count]): Sample => [{ model, outcome }, count])
      )
  },
  {
    name: "rbee_failovers_total",
    type: "counter",
    labels: ["model"],
    help: "Answers that went on with another worker.",
    samples: (meters) => [...meters.models].map(([model, { failovers }]): Sample => [{ model }, failovers])
  },
  {
    name: "rbee_tokens_total",
    type: "counter",
    labels: ["model", "type"],
    help: "Tokens read (prompt) and written (generation).",
    samples: (meters) =>
      [...meters.models].flatMap(([model, { promptTokens, generatedTokens }]): ReadonlyArray<Sample> => [
        [{ model, type: "prompt" }, promptTokens],
        [{ model, type: "generation" }, generatedTokens]
      ])
  },
  {
    name: "rbee_time_to_first_token_seconds",
    type: "histogram",
    labels: ["model"],
    help: "From the request to its first token.",
    samples: (meters) => [...meters.models].map(([model, { firstToken }]): Sample => [{ model }, firstToken])
  },
  {
    name: "rbee_time_per_output_token_seconds",
    type: "histogram",
    labels: ["model"],
    help: "Mean time between the tokens of an answer.",
    samples: (meters) => [...meters.models].map(([model, { perToken }]): Sample => [{ model }, perToken])
  },
  {
    name: "rbee_model_load_seconds",
    type: "histogram",
    labels: ["hive", "model"],
    help: "From the start of a worker to its model in memory.",
    samples: (meters) =>
      [...meters.hives].flatMap(([hive, { loads }]) =>
        [...loads].map(([model, seconds]): Sample => [{ hive, model }, seconds])
      )
  },
  {
    name: "rbee_ignored_fields_total",
    type: "counter",
    labels: [],
    help: "Fields of requests to /v1 that are in no published schema; the header x-rbee-ignored names them.",
    samples: ({ ignoredFields }) => [[{}, ignoredFields]]
  },
  {
    name: "rbee_key_jobs_total",
    type: "counter",
    labels: ["key"],
    help: "Jobs of a key that ended; `local` needs none, `admin` has the token.",
    samples: ({ keys }) => [...keys].map(([key, { jobs }]): Sample => [{ key }, jobs])
  },
  {
    name: "rbee_key_tokens_total",
    type: "counter",
    labels: ["key", "type"],
    help: "Tokens that the ended jobs of a key were charged with: prompt (of them cached) and generation.",
    samples: ({ keys }) =>
      [...keys].flatMap(([key, used]): ReadonlyArray<Sample> => [
        [{ key, type: "prompt" }, used.prompt_tokens],
        [{ key, type: "cached" }, used.cached_tokens],
        [{ key, type: "generation" }, used.completion_tokens]
      ])
  },
  {
    name: "rbee_key_device_seconds_total",
    type: "counter",
    labels: ["key"],
    help: "Seconds of devices that the ended jobs of a key have had.",
    samples: ({ keys }) => [...keys].map(([key, { device_s }]): Sample => [{ key }, device_s])
  },
  {
    name: "rbee_hives",
    type: "gauge",
    labels: ["state"],
    help: "Known hives, by state.",
    samples: (_, { hives }) => counted(hives.map((state) => ({ state })))
  },
  {
    name: "rbee_heartbeats_total",
    type: "counter",
    labels: ["hive"],
    help: "Heartbeats that were taken from a hive.",
    samples: (meters) => [...meters.hives].map(([hive, { heartbeats }]): Sample => [{ hive }, heartbeats])
  },
  {
    name: "rbee_workers",
    type: "gauge",
    labels: ["hive", "model", "state"],
    help: "Workers, by state.",
    samples: (_, { workers }) => counted(workers.map(({ hive, model, state }) => ({ hive, model, state })))
  },
  {
    name: "rbee_worker_restarts_total",
    type: "counter",
    labels: ["hive", "model"],
    help: "Processes of workers that replaced one that died.",
    samples: (meters) =>
      [...meters.hives].flatMap(([hive, { restarts }]) =>
        [...restarts].map(([model, count]): Sample => [{ hive, model }, count])
      )
  },
  {
    name: "rbee_memory_bytes",
    type: "gauge",
    labels: ["hive", "device", "kind"],
    help: "Memory of the devices by the hives' ledgers: total, leased to workers, and free for new ones.",
    samples: (_, { memory }) =>
      memory.flatMap(({ hive, device, totalBytes, leasedBytes, freeBytes }): ReadonlyArray<Sample> => [
        [{ hive, device, kind: "total" }, totalBytes],
        [{ hive, device, kind: "leased" }, leasedBytes],
        [{ hive, device, kind: "free" }, freeBytes]
      ])
  }
]

/** The content type of the text format. */

export const renderMetrics = (meters: Meters, gauges: Gauges): string =>
  families
    .map(({ name, type, help, samples }) => {
      const lines = samples(meters, gauges).flatMap(([labels, value]) =>
        typeof value === "number" ? [line(name, labels, value)] : histogramLines(name, labels, value)
      )
      return lines.length === 0 ? "" : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("\n")}\n`
    })
    .join("")

const histogramLines = (name: string, labels: Labels, { bounds, counts, sum }: Histogram): ReadonlyArray<string> => {
  let count = 0
  const buckets = counts.map((each, at) => {
    count += each
    return line(`${name}_bucket`, { ...labels, le: String(bounds[at] ?? "+Inf") }, count)
  })
  return [...buckets, line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, count)]
}

const escapeLabel = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"')

const line = (name: string, labels: Labels, value: number): string => {
  const inner = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`)
  return `${name}${inner.length === 0 ? "" : `{${inner.join(",")}}`} ${value}`
}
