/** What the page makes of a trace: the world at any moment, the tree, the marks. */
import { assert, describe, it } from "vitest"
import { forest, type Leaf } from "../../src/inspector/forest.ts"
import { activeIds, lifeOf, stateText } from "../../src/inspector/format.ts"
import { keyOf } from "../../src/inspector/model.ts"
import { readTrace, Recording } from "../../src/inspector/recording.ts"
import type { InspectRecord } from "../../src/machines/vocabulary/inspect.ts"

const snapshot = (value: unknown, tags: ReadonlyArray<string> = []) => ({ status: "active" as const, value, tags })
const queen = { daemon: "queen", at: 1000 }
const hive = { daemon: "hive-a", at: 1000 }

const beginning: ReadonlyArray<InspectRecord> = [
  { kind: "trace", version: 1, source: "cluster", at: 1000 },
  { kind: "daemon", ...queen, state: "up" },
  { kind: "actor", ...queen, path: "queen/tree", started: 900, children: [{ id: "hives", running: true }] },
  {
    kind: "actor",
    ...queen,
    path: "queen/hives",
    parent: "queen/tree",
    child: "hives",
    started: 900,
    children: [{ id: "a", running: true }]
  },
  {
    kind: "actor",
    ...queen,
    path: "queen/hives/a",
    parent: "queen/hives",
    child: "a",
    machine: "hive",
    snapshot: snapshot({ healthy: "beating" }, ["healthy"]),
    started: 900
  },
  { kind: "daemon", ...hive, state: "up" },
  {
    kind: "actor",
    ...hive,
    path: "hive",
    started: 950,
    children: [
      { id: "store", running: true },
      { id: "workers", running: true }
    ]
  },
  { kind: "actor", ...hive, path: "hive/workers", parent: "hive", child: "workers", started: 950, children: [] },
  {
    kind: "actor",
    ...hive,
    path: "hive/workers/w1",
    parent: "hive/workers",
    child: "w1",
    machine: "worker",
    snapshot: snapshot("cold", ["cold"]),
    started: 990
  }
]

const recorded = (...more: ReadonlyArray<InspectRecord>): Recording => {
  const recording = new Recording()
  for (const record of [...beginning, ...more]) recording.add(record)
  return recording
}

const outline = (leaves: ReadonlyArray<Leaf>, depth = 0): ReadonlyArray<string> =>
  leaves.flatMap((leaf) => [`${" ".repeat(depth)}${leaf.label}`, ...outline(leaf.children, depth + 1)])

const worker = keyOf("hive-a", "hive/workers/w1")
const moved = (at: number, value: unknown, tags: ReadonlyArray<string>): InspectRecord => ({
  kind: "snapshot",
  daemon: "hive-a",
  at,
  path: "hive/workers/w1",
  event: { type: "GO" },
  snapshot: snapshot(value, tags)
})

describe("a recording", () => {
  it("shows each hive's tree below the queen's actor of it, plain children among the actors", () => {
    assert.deepEqual(outline(forest(recorded().now, 6000)), [
      "queen",
      " queen/tree",
      "  hives",
      "   a",
      "    hive",
      "     store",
      "     workers",
      "      w1"
    ])
  })

  it("gives the world after any of its records, the same as when it came to them", () => {
    const recording = recorded()
    const states: Array<string> = []
    for (let step = 0; step < 1600; step++) {
      recording.add(moved(1001 + step, `s${step}`, ["healthy"]))
      states.push(stateText(recording.now.actors.get(worker)?.snapshot?.value))
    }
    for (const step of [0, 1, 499, 500, 733, 1500, 1599]) {
      const world = recording.at(beginning.length + step + 1)
      assert.strictEqual(stateText(world.actors.get(worker)?.snapshot?.value), states[step])
      assert.strictEqual(world.at, 1001 + step)
      assert.strictEqual(recording.countAt(1001 + step), beginning.length + step + 1)
    }
    assert.strictEqual(recording.at(0).actors.size, 0)
  })

  it("is read from the file that it was saved to", () => {
    const recording = recorded(moved(1100, { healthy: "busy" }, ["healthy"]))
    const again = readTrace(recording.toText())
    assert.deepEqual(again.records, recording.records)
    assert.deepEqual([...again.now.actors], [...recording.now.actors])
  })

  it.each([
    ["", "the file is empty"],
    ['{"kind":"event","at":1}', "line 1"],
    ['{"kind":"trace","version":1,"source":"cluster","at":1}\nnonsense', "line 2"]
  ])("refuses %j and says where", (text, says) => {
    assert.throws(() => readTrace(text), says)
  })

  it("counts restarts of a worker's process, by its own report, and marks them", () => {
    const restarting: InspectRecord = {
      kind: "supervision",
      ...hive,
      at: 2000,
      path: "hive/workers/w1",
      child: "process",
      context: "restarting",
      reason: "killed by SIGKILL",
      restarts: { count: 1, max: 3, period_ms: 60_000 },
      backoff_ms: 0
    }
    const recording = recorded(restarting)
    const actor = recording.now.actors.get(worker)
    assert.deepInclude(actor, { restarted: 1, restartedAt: 2000, restarts: restarting.restarts })
    assert.deepEqual(
      recording.marks.map(({ index, kind }) => [index, kind]),
      [[beginning.length, "restart"]]
    )
  })

  it("counts the restart of a supervised actor for its next life", () => {
    const workers = { ...hive, at: 2000, path: "hive/workers" }
    const again = beginning.at(-1)
    assert.isDefined(again)
    const { now } = recorded(
      { kind: "exit", ...hive, at: 2000, path: "hive/workers/w1", reason: "defect", error: "Error: a bug" },
      { kind: "supervision", ...workers, child: "w1", context: "restarting", reason: "" },
      again
    )
    assert.deepInclude(now.actors.get(worker), { restarted: 1, gone: undefined })
  })

  it("lets the actors of a daemon end with it", () => {
    const { now } = recorded({ kind: "daemon", ...hive, at: 5000, state: "down" })
    const actor = now.actors.get(worker)
    assert.strictEqual(actor?.gone, 5000)
    assert.strictEqual(actor === undefined ? "" : lifeOf(actor), "gone")
  })

  it("draws a job's phases from its chart, one after another, with a failover between", () => {
    const path = "queen/jobs/job-1"
    const states = ["placing", { provisioning: { model: "ensuring", runtime: "ready" } }, "starting", "streaming"]
    const { now } = recorded(
      {
        kind: "actor",
        ...queen,
        path,
        parent: "queen/jobs",
        child: "job-1",
        machine: "job",
        snapshot: snapshot("queued"),
        started: 1000
      },
      ...[...states, "degraded", "placing", "streaming", "done"].map((value, index): InspectRecord => ({
        kind: "snapshot",
        daemon: "queen",
        at: 1100 + index * 100,
        path,
        event: { type: "GO" },
        snapshot: snapshot(value)
      }))
    )
    assert.deepEqual(
      now.jobs.get("job-1")?.phases.map(({ state, from, to }) => `${state} ${from}-${to}`),
      [
        "queued 1000-1100",
        "placing 1100-1200",
        "provisioning 1200-1300",
        "starting 1300-1400",
        "streaming 1400-1500",
        "degraded 1500-1600",
        "placing 1600-1700",
        "streaming 1700-1800",
        "done 1800-1800"
      ]
    )
  })

  it("knows all states that a nested value is in", () => {
    assert.deepEqual(activeIds({ present: { phase: { healthy: "busy" }, pulse: "counting" } }), [
      "",
      "present",
      "present.phase",
      "present.phase.healthy",
      "present.phase.healthy.busy",
      "present.pulse",
      "present.pulse.counting"
    ])
  })
})
