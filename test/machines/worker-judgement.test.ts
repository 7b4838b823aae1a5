/** What a hive concludes from what its worker's beats say. */
import { assert, describe, it } from "@effect/vitest"
import { afterBeat } from "../../src/machines/worker-judgement.ts"
import { failures } from "../../src/machines/kinds/llama/words.ts"
import { WorkerId } from "../../src/machines/vocabulary/ids.ts"
import { workerLimits } from "../../src/machines/worker-terms.ts"
import { workerMachine } from "../../src/machines/worker.ts"
import { Coverage, Walk } from "../support/walk.ts"

describe("How long a batch of a worker takes", () => {
  const walk = new Walk(
    workerMachine,
    {
      id: WorkerId.make("w1"),
      shape: { context: 4096, slots: 4 },
      pinned: false,
      expectedBatchMs: 100,
      limits: { ...workerLimits, idleMs: 2000, drainMs: 7000 },
      failures
    },
    new Coverage()
  )
  const beat = (busy: number, progress: number) => ({ busy, tokens_out: 0, progress, infers: [] })
  const context = { ...walk.snapshot.context, batchMs: 100, stillMs: 8000, beat: beat(1, 4) }

  it("is learnt from the batches between two beats, half of it from each", () => {
    assert.strictEqual(afterBeat(context, beat(1, 8)).batchMs, (100 + 8000 / 4) / 2)
  })

  it("is not learnt while nothing moves or nothing was asked", () => {
    assert.strictEqual(afterBeat(context, beat(1, 4)).batchMs, 100)
    assert.strictEqual(afterBeat({ ...context, beat: beat(0, 4) }, beat(1, 8)).batchMs, 100)
  })

  it("starts its clock anew with each step, and while nothing is asked; else it goes on", () => {
    const stillMs = (last: ReturnType<typeof beat>) => afterBeat(context, last).stillMs
    assert.deepStrictEqual([beat(1, 5), beat(0, 4), beat(1, 4)].map(stillMs), [0, 0, 8000])
  })
})
