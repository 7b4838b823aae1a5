import { describe, expect, it } from "vitest"
import { readable } from "../../../src/main/cli/commands/logs.ts"
import { commands } from "../../../src/main/cli/commands.ts"
import { commandHelp, groupHelp, rootHelp, settingsHelp } from "../../../src/main/cli/help.ts"
import { age, table, width } from "../../../src/main/cli/table.ts"
import { jobDetails, jobsTable, workersTable } from "../../../src/main/cli/views.ts"
import { optionsOf } from "../../../src/main/cli/commands/infer.ts"
import type { InferValues } from "../../../src/main/cli/commands/infer-flags.ts"
import {
  JobId,
  WorkerId,
  HiveId,
  localHive,
  DeviceId,
  cpuDevice,
  ModelRef
} from "../../../src/machines/vocabulary/ids.ts"
import type { ExactHow } from "../../../src/machines/vocabulary/worker.ts"

const worker = {
  id: WorkerId.make("w1"),
  hive: localHive,
  instance: "i",
  state: "idle",
  load_progress: 1,
  device: cpuDevice,
  model: ModelRef.make("a\u001b[2Jb\nc"),
  context: 512,
  slots: 4,
  busy: 1,
  tokens_out: 0,
  restarts: 0,
  infers: []
} as const

describe("a table", () => {
  it("aligns its columns, also with wide characters, and leaves no blanks at the end", () => {
    expect(
      table(
        ["A", "BB"],
        [
          ["long", "x"],
          ["蜂🐝", "y"]
        ]
      )
    ).toBe("A     BB\nlong  x\n蜂🐝  y\n")
    expect(width("e\u0301")).toBe(1)
  })
  it("fits its terminal: the widest columns give, and show how they begin and end", () => {
    const path = `/home/me/${"a-long-folder/".repeat(5)}model-Q8_0.gguf`
    const wide = table(["MODEL", "FILE"], [["HF:author/a-repository-with-a-name:Q8_0", path]], 60)
    for (const line of wide.split("\n")) expect(width(line)).toBeLessThanOrEqual(60)
    expect(wide).toMatch(/HF:author\/\S+…\S+:Q8_0 {2}\/home\/me\/\S+…\S+-Q8_0\.gguf\n/)
    expect(width(table(["A"], [["蜂".repeat(20)]], 21).split("\n")[1] ?? "")).toBeLessThanOrEqual(21)
    // never narrower than what can be read, and whole where there is no terminal
    expect(table(["A", "B"], [["x".repeat(30), "y".repeat(30)]], 5)).toContain("xxxx…xxx  yyyy…yyy")
    expect(table(["FILE"], [[path]])).toContain(path)
  })
  it.each([80, 120])("of a help fits %i columns, examples as they are typed", (room) => {
    const specs = commands.map(({ spec }) => spec)
    const pages = [
      rootHelp("1.2.3", specs, room),
      settingsHelp(room),
      groupHelp("hives", specs, room),
      ...specs.map((spec) => commandHelp(spec, room))
    ]
    const typed = new Set(specs.flatMap(({ examples }) => examples.map((example) => `  ${example}`)))
    const lines = pages
      .flatMap((page) => page.split("\n"))
      .filter((line) => !typed.has(line) && !/^ {2}rbee /.test(line))
    expect(lines.filter((line) => width(line) > room)).toEqual([])
  })
  it("says ages in the unit that reads best", () => {
    expect([0, 119_000, 120_000, 3 * 3_600_000, 72 * 3_600_000].map(age)).toEqual([
      "0 s",
      "119 s",
      "2 min",
      "3 h",
      "3 d"
    ])
  })
  it("shows no control characters of elsewhere", () => {
    expect(workersTable([worker]).split("\n")).toHaveLength(3)
    expect(workersTable([worker])).not.toContain("\u001b")
  })
  it("says how a worker is exact, or why not", () => {
    const shown = (exactness: { readonly exact: boolean; readonly exact_how: ExactHow }) =>
      /.* {2}(\S.*?) {2,}7$/m.exec(workersTable([{ ...worker, pid: 7, ...exactness }]))?.[1]
    expect(shown({ exact: true, exact_how: "any" })).toBe("yes")
    expect(shown({ exact: true, exact_how: "threes" })).toBe("yes, by threes")
    expect(shown({ exact: false, exact_how: "dear" })).toBe("no: dear")
    expect(shown({ exact: false, exact_how: "differs" })).toBe("no")
  })
})

describe("a job", () => {
  const job = {
    job_id: JobId.make("job-1"),
    model: ModelRef.make("minillama"),
    state: "queued",
    position: 2,
    placement: {
      hive: localHive,
      device: cpuDevice,
      losers: [{ hive: localHive, device: DeviceId.make("gpu0"), verdict: "too full" }]
    },
    tokens: 0,
    failovers: 0,
    created_at: 0,
    timings: {}
  } as const
  it("is listed with its place in the queue", () => {
    expect(jobsTable([job], 5000)).toContain("queued (position 2)  minillama  localhost/cpu  0       5 s")
  })
  it("shows why the losers were not taken", () => {
    expect(jobDetails(job)).toContain("gpu0 of hive localhost: too full")
  })
})

describe("a log line", () => {
  it("of JSON is readable, with its fields", () => {
    const line = JSON.stringify({
      message: "hive claimed",
      logLevel: "INFO",
      timestamp: "2026-11-22T19:00:00.000Z",
      cause: "",
      annotations: { hive: localHive },
      spans: {},
      fiberId: "#1"
    })
    expect(readable(line, "queen", "").text).toBe("2026-11-22T19:00:00.000Z INFO  queen: hive claimed hive=localhost")
  })
  it("of a crash is shown as it is, at the time of the line before", () => {
    expect(readable("Segmentation fault", "worker-w1", "2026")).toEqual({
      at: "2026",
      text: "worker-w1: Segmentation fault"
    })
  })
})

describe("the options of infer", () => {
  const none: InferValues & { readonly model: string } = {
    model: "minillama",
    hive: undefined,
    device: undefined,
    noCpu: false,
    system: undefined,
    noStream: false,
    maxTokens: undefined,
    temperature: undefined,
    topP: undefined,
    topK: undefined,
    seed: undefined,
    stop: [],
    ignoreEos: false,
    context: undefined,
    json: false,
    quiet: false,
    raw: false,
    cold: false,
    keepWarm: false,
    oneProcess: false,
    inspect: false
  }
  it("leave out what was not given", () => {
    expect(optionsOf(none, "hello")).toEqual({
      request: {
        model: ModelRef.make("minillama"),
        messages: [{ role: "user", content: "hello" }],
        stream: true,
        allow_cpu: true
      },
      teardown: "warm",
      format: "plain"
    })
  })
  it("reach the job, each under its name", () => {
    const given: InferValues & { readonly model: string } = {
      ...none,
      model: ModelRef.make("file:/a.gguf"),
      hive: HiveId.make("far"),
      device: DeviceId.make("GPU1"),
      noCpu: true,
      system: "be brief",
      noStream: true,
      maxTokens: 5,
      temperature: 0,
      topP: 0.5,
      topK: 0,
      seed: 0,
      stop: ["a", "b"],
      ignoreEos: true,
      context: 64,
      json: true,
      cold: true
    }
    expect(optionsOf(given, "hello")).toEqual({
      request: {
        model: ModelRef.make("file:/a.gguf"),
        hive: HiveId.make("far"),
        device: DeviceId.make("gpu1"),
        allow_cpu: false,
        stream: false,
        max_tokens: 5,
        temperature: 0,
        top_p: 0.5,
        top_k: 0,
        seed: 0,
        stop: ["a", "b"],
        ignore_eos: true,
        context: 64,
        messages: [
          { role: "system", content: "be brief" },
          { role: "user", content: "hello" }
        ]
      },
      teardown: "cold",
      format: "json"
    })
    expect(optionsOf({ ...none, keepWarm: true, quiet: true }, "x")).toMatchObject({
      request: { keep_warm: true },
      format: "quiet"
    })
  })
})
