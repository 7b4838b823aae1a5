import { describe, expect, it } from "vitest"
import { HiveMeters, Meters, otherModels } from "../../../src/actors/queen/metrics/metrics.ts"
import { families, type Gauges, renderMetrics } from "../../../src/actors/queen/metrics/metrics-text.ts"
import { noUsage } from "../../../src/machines/people/charge.ts"
import type { Heartbeat } from "../../../src/machines/vocabulary/hive.ts"
import { WorkerId, HiveId, localHive, DeviceId, cpuDevice, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const gauges: Gauges = {
  version: "1.2.3",
  running: ["minillama", "minillama", 'file:/my "model"\\\n.gguf'],
  waiting: ["file:/m.gguf"],
  hives: ["healthy"],
  workers: [{ hive: localHive, model: ModelRef.make("minillama"), state: "busy" }],
  memory: [
    {
      hive: HiveId.make("my-hive"),
      device: DeviceId.make("gpu0"),
      totalBytes: 12e9,
      leasedBytes: 10e9,
      freeBytes: 1.5e9
    }
  ]
}

const beat = (...workers: ReadonlyArray<readonly [id: string, restarts: number]>): Heartbeat => ({
  hive_id: localHive,
  instance: "h",
  seq: 1,
  version: "1",
  url: "http://127.0.0.1:8600",
  devices: [],
  workers: workers.map(([id, restarts]) => ({
    id: WorkerId.make(id),
    instance: `${id}.${restarts}`,
    state: "idle",
    load_progress: 1,
    device: cpuDevice,
    model: ModelRef.make("minillama"),
    context: 512,
    slots: 4,
    busy: 0,
    tokens_out: 0,
    restarts,
    infers: []
  }))
})

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

describe("What keys have used", () => {
  it("is counted apart for so many of them, and together for the rest", () => {
    const meters = new Meters()
    for (let at = 0; at < 300; at++)
      meters.charged({ ...noUsage, key: `key-${at}`, day: "2026-11-30", jobs: 1, prompt_tokens: 2, device_s: 0.5 })
    meters.charged({ ...noUsage, key: "key-0", day: "2026-11-30", jobs: 1, completion_tokens: 3 })
    const text = renderMetrics(meters, gauges)
    expect(text).toContain('rbee_key_jobs_total{key="key-0"} 2')
    expect(text).toContain('rbee_key_tokens_total{key="key-0",type="generation"} 3')
    expect(text).toContain('rbee_key_device_seconds_total{key="key-0"} 0.5')
    expect(text).toContain('rbee_key_jobs_total{key="other"} 44')
    expect(text.match(/^rbee_key_jobs_total/gm)).toHaveLength(257)
  })
})

describe("the queen's metrics", () => {
  it("are valid Prometheus text, every family of them", () => {
    const meters = new Meters()
    const model = meters.model(ModelRef.make("minillama"))
    model.generatedTokens = 7
    model.firstToken.observe(0.02)
    meters.ended(ModelRef.make("minillama"), "done")
    meters.hive("localhost").beat(beat(["w1", 1]))
    meters.hive("localhost").loaded(ModelRef.make("minillama"), 0.3)
    meters.charged({ ...noUsage, key: "ada", day: "2026-11-30", jobs: 1 })
    const text = renderMetrics(meters, gauges)
    expect([...lint(text).keys()]).toEqual(families.map(({ name }) => name))
    for (const sample of [
      'rbee_build_info{version="1.2.3"} 1',
      'rbee_requests_running{model="minillama"} 2',
      'rbee_tokens_total{model="minillama",type="generation"} 7',
      'rbee_requests_total{model="minillama",outcome="done"} 1',
      'rbee_worker_restarts_total{hive="localhost",model="minillama"} 1',
      'rbee_model_load_seconds_count{hive="localhost",model="minillama"} 1',
      'rbee_memory_bytes{hive="my-hive",device="gpu0",kind="leased"} 10000000000',
      'rbee_requests_running{model="file:/my \\"model\\"\\\\\\n.gguf"} 1'
    ])
      expect(text.split("\n")).toContain(sample)
  })

  it("count observations at or under each bound", () => {
    const meters = new Meters()
    for (const seconds of [0.01, 0.02, 1000]) meters.model(ModelRef.make("m")).firstToken.observe(seconds)
    const lines = renderMetrics(meters, gauges).split("\n")
    const bucket = (le: string) => `rbee_time_to_first_token_seconds_bucket{model="m",le="${le}"}`
    expect(lines).toContain(`${bucket("0.01")} 1`)
    expect(lines).toContain(`${bucket("0.025")} 2`)
    expect(lines).toContain(`${bucket("300")} 2`)
    expect(lines).toContain(`${bucket("+Inf")} 3`)
  })

  it("count each restart of a worker once, whatever comes of the worker", () => {
    const hive = new HiveMeters()
    for (const workers of [beat(["w1", 0]), beat(["w1", 2]), beat(["w1", 2]), beat(), beat(["w2", 1])])
      hive.beat(workers)
    expect([...hive.restarts]).toEqual([["minillama", 3]])
    expect(hive.heartbeats).toBe(5)
  })

  it("give no label to what never answered, nor to more models than a reader can bear", () => {
    const meters = new Meters()
    for (let n = 0; n < 1000; n++) {
      meters.ended(ModelRef.make(`HF:no/such${n}`), "failed")
      meters.model(ModelRef.make(`file:/${n}.gguf`)).generatedTokens++
    }
    expect(meters.models.size).toBeLessThan(300)
    expect(meters.model(otherModels).ended.failed).toBe(1000)
  })
})
