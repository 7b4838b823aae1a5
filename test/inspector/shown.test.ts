/** What the page shows of the world: a name for each id, a bar for each phase, a row for each actor. */
import { assert, describe, it } from "vitest"
import { forest, type Leaf } from "../../src/inspector/forest.ts"
import { keyOf, type Phase } from "../../src/inspector/model.ts"
import { titleOf } from "../../src/inspector/names.ts"
import { Recording } from "../../src/inspector/recording.ts"
import { moveOf, rowsOf } from "../../src/inspector/rows.ts"
import { spansOf } from "../../src/inspector/spans.ts"
import type { InspectRecord } from "../../src/machines/vocabulary/inspect.ts"

const queen = { daemon: "queen", at: 1000 }
const child = (parent: string, id: string, machine: string): InspectRecord => ({
  kind: "actor",
  ...queen,
  path: `${parent}/${id}`,
  parent,
  child: id,
  machine,
  started: 1000
})
const view = (of: "job" | "worker", id: string, shown: unknown): InspectRecord => ({
  kind: "view",
  ...queen,
  of,
  id,
  view: shown
})
const llama = "HF:someone/Llama-3.2-1B-GGUF:Q4_K_M"
const job = { job_id: "job-7f3a", state: "streaming", tokens: 3, failovers: 0, created_at: 1000, timings: {} }

const recorded = (...records: ReadonlyArray<InspectRecord>): Recording => {
  const recording = new Recording()
  for (const record of records) recording.add(record)
  return recording
}

describe("what the page shows", () => {
  it.each([
    ["an answer, its model and who asked", child("queen/jobs", "job-7f3a", "job"), "Llama-3.2-1B-GGUF:Q4_K_M for ada"],
    [
      "a worker, its model and its device",
      child("hive/workers", "w-91c", "worker"),
      "Llama-3.2-1B-GGUF:Q4_K_M on gpu0"
    ],
    ["what has no model, its path", child("queen/hives", "attic", "hive"), "queen/hives/attic"],
    ["an answer of which nothing is known yet, its path", child("queen/jobs", "job-0", "job"), "queen/jobs/job-0"]
  ])("is, of %s, before any id", (_, actor, name) => {
    const { now } = recorded(
      actor,
      view("job", "job-7f3a", { ...job, model: llama, key: "ada" }),
      view("worker", "w-91c", { id: "w-91c", model: llama, device: "gpu0", instance: "i", tokens_out: 0 }),
      // it has ended, and its row is there for a moment longer
      view("worker", "w-91c", null)
    )
    const [shown] = [...now.actors.values()]
    assert.isDefined(shown)
    assert.strictEqual(titleOf(now, shown), name)
  })

  it("is one gap from the loss of a worker until tokens come again", () => {
    const phases = ["queued", "streaming", "degraded", "placing", "starting", "streaming", "degraded", "failed"].map(
      (state, index): Phase => ({ state, from: index * 100, to: index * 100 + 100 })
    )
    assert.deepEqual(
      spansOf(phases).map(({ from, parts, state, to }) => [state, from, to, parts.length]),
      [
        ["queued", 0, 100, 1],
        ["streaming", 100, 200, 1],
        ["degraded", 200, 500, 3],
        ["streaming", 500, 600, 1],
        ["degraded", 600, 700, 1],
        ["failed", 700, 800, 1]
      ]
    )
  })
})

describe("the rows of the tree", () => {
  const roots = forest(
    recorded(
      { kind: "actor", ...queen, path: "queen", started: 1000, children: [{ id: "store", running: true }] },
      child("queen", "hives", "hives"),
      child("queen/hives", "attic", "hive"),
      child("queen", "jobs", "jobs")
    ).now,
    6000
  )
  const labels = (of: ReadonlyArray<{ readonly leaf: Leaf }>) => of.map(({ leaf }) => leaf.label)
  const rows = rowsOf(roots, new Set())

  it("say what they are among, and leave out what is below one that is closed", () => {
    assert.deepEqual(labels(rows), ["queen", "queen", "store", "hives", "attic", "jobs"])
    assert.deepInclude(rows[3], { depth: 2, isOpen: true, position: 2, siblings: 3 })
    const closed = rowsOf(roots, new Set([keyOf("queen", "queen/hives")]))
    assert.deepEqual(labels(closed), ["queen", "queen", "store", "hives", "jobs"])
    assert.deepInclude(closed[3], { isOpen: false })
  })

  it.each([
    ["ArrowDown", 0, 1],
    ["ArrowDown", 5, 5],
    ["ArrowUp", 3, 2],
    ["ArrowUp", 0, 0],
    ["Home", 4, 0],
    ["End", 1, 5],
    ["ArrowRight", 3, 4],
    ["ArrowRight", 4, undefined],
    ["ArrowLeft", 3, "fold"],
    ["ArrowLeft", 4, 3],
    ["ArrowLeft", 2, 1],
    ["Enter", 2, "choose"],
    [" ", 2, "choose"],
    ["x", 2, undefined]
  ] as const)("answer %s at row %i as a tree does", (key, at, move) => {
    assert.strictEqual(moveOf(key, rows, at), move)
  })

  it("open at the right arrow what is closed, and do not go into it", () => {
    const closed = rowsOf(roots, new Set([keyOf("queen", "queen/hives")]))
    assert.strictEqual(moveOf("ArrowRight", closed, 3), "fold")
    assert.strictEqual(moveOf("ArrowLeft", closed, 3), 1)
  })
})
