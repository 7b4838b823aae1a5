import { describe, expect, it } from "vitest"
import { type Gauges, Histogram, Meters, renderMetrics } from "../../../src/actors/queen/metrics.ts"

const gauges: Gauges = {
  version: "1.2.3",
  running: 2,
  waiting: 1,
  hives: { healthy: 1, degraded: 0 },
  workers: {},
  memory: [{ hive: 'my "hive"\\\n', gpu: "gpu0", totalBytes: 12e9, freeBytes: 1.5e9 }]
}

const name = "[a-zA-Z_:][a-zA-Z0-9_:]*"
const label = `${name.replace(":", "")}="(?:[^"\\\\\\n]|\\\\["\\\\n])*"`
const sampleLine = new RegExp(`^(${name})(?:\\{${label}(?:,${label})*\\})? (-?[0-9.e+-]+|\\+Inf)$`)

/** What `promtool check metrics` would look at: families in one piece, announced, counters named as such. */
const lint = (text: string) => {
  const types = new Map<string, string>()
  let family = ""
  expect(text.endsWith("\n")).toBe(true)
  for (const line of text.slice(0, -1).split("\n")) {
    const [, kind, of, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (kind === "HELP" && of !== undefined) {
      expect(types.has(of), `${of} comes twice`).toBe(false)
      family = of
    } else if (kind === "TYPE" && of !== undefined) {
      expect(of).toBe(family)
      types.set(of, rest ?? "")
      expect(of.endsWith("_total")).toBe(rest === "counter")
    } else {
      const sample = sampleLine.exec(line)?.[1]
      expect(sample, line).toBeDefined()
      const suffixes = types.get(family) === "histogram" ? ["_bucket", "_sum", "_count"] : [""]
      expect(suffixes.map((suffix) => family + suffix)).toContain(sample)
    }
  }
  return types
}

describe("the queen's metrics", () => {
  it("are valid Prometheus text with the names that tools look for", () => {
    const meters = new Meters()
    meters.generatedTokens = 7
    meters.ended.done = 3
    meters.firstToken.observe(0.02)
    const text = renderMetrics(meters, gauges)
    const types = lint(text)
    expect([...types.keys()]).toEqual([
      "rbee_build_info",
      "rbee_requests_running",
      "rbee_requests_waiting",
      "rbee_requests_total",
      "rbee_failovers_total",
      "rbee_tokens_total",
      "rbee_time_to_first_token_seconds",
      "rbee_time_per_output_token_seconds",
      "rbee_model_load_seconds",
      "rbee_hives",
      "rbee_vram_bytes"
    ])
    expect(text).toContain('rbee_build_info{version="1.2.3"} 1\n')
    expect(text).toContain('rbee_tokens_total{type="generation"} 7\n')
    expect(text).toContain('rbee_requests_total{outcome="done"} 3\n')
    expect(text).toContain('rbee_vram_bytes{hive="my \\"hive\\"\\\\\\n",gpu="gpu0",kind="free"} 1500000000\n')
  })

  it("count observations at or under each bound", () => {
    const histogram = new Histogram([1, 2])
    for (const value of [0.5, 1, 1.5, 9]) histogram.observe(value)
    expect(histogram.samples("x")).toEqual([
      'x_bucket{le="1"} 2',
      'x_bucket{le="2"} 3',
      'x_bucket{le="+Inf"} 4',
      "x_sum 12",
      "x_count 4"
    ])
  })
})
