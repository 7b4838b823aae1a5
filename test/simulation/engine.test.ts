import { expect, it } from "vitest"
import { estimateBytes } from "../../src/machines/kinds/llama/memory.ts"
import { workerBytes } from "../../src/simulator/world/engine.ts"
import { processBytes } from "../../src/simulator/world/machine.ts"
import { facts } from "../../src/simulator/world/models.ts"

it.each([
  [1, 512],
  [4, 512],
  [1, 2048],
  [4, 4096]
])(
  "A simulated worker of %i slots of %i tokens takes no more than is promised for it, and hardly less",
  (slots, context) => {
    const promised = estimateBytes(facts, { slots, context }, { backend: "cpu", kvType: "f16" })
    const taken = workerBytes(slots, context) + processBytes
    expect(taken).toBeLessThanOrEqual(promised)
    expect(taken).toBeGreaterThan(0.8 * promised)
  }
)
