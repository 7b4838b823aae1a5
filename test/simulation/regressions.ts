/** Plans by which the simulator found a bug, shrunk. Each stays, so that its bug does not come back. */
import type { Plan } from "../../src/main/simulate/plan.ts"

const asleep = { awake: false } as const

export const regressions: ReadonlyArray<{ readonly name: string; readonly plan: Plan }> = [
  {
    name: "a job failed beside two hives that slept, and the hive that was cut off was left running",
    plan: {
      seed: 6,
      hives: [
        { id: "localhost", ramMb: 16_000, gpus: [], ...asleep },
        { id: "hive1", ramMb: 4000, gpus: [], ...asleep },
        { id: "hive2", ramMb: 16_000, gpus: [], ...asleep }
      ],
      jobs: [{ id: 7, at: 633, prompt: "tell ac04 about 1574c2", teardown: "warm" }],
      faults: [{ at: 9544, kind: "cut", target: 208, forMs: 39_642, steps: 8 }],
      tokens: 257,
      tokensPerS: 20,
      loadMs: 2622,
      bootMs: [20, 50],
      latencyMs: [0.2, 50],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60_000,
      end: "down"
    }
  },
  {
    name: "one epoch of a job was taken in twice after a crash of the queen's machine",
    plan: {
      seed: 60,
      hives: [{ id: "localhost", ramMb: 16_000, gpus: [2000], ...asleep }],
      jobs: [
        { id: 2, at: 1213, prompt: "tell 8add about c8c972", teardown: "warm" },
        { id: 3, at: 25_021, prompt: "tell 1dcf about 3c0b2c", teardown: "cold" }
      ],
      faults: [
        { at: 11_226, kind: "reset", target: 143, forMs: 19_442, steps: 9 },
        { at: 11_421, kind: "crash-machine", target: 397, forMs: 18_756, steps: 0 }
      ],
      tokens: 138,
      tokensPerS: 10,
      loadMs: 290,
      bootMs: [20, 300],
      latencyMs: [0.2, 1],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60_000,
      end: "down"
    }
  },
  {
    name: "a hive that answered again at the moment of the shutdown was left running",
    plan: {
      seed: 96,
      hives: [
        { id: "localhost", ramMb: 2000, gpus: [2000], awake: true },
        { id: "hive1", ramMb: 16_000, gpus: [2000], ...asleep },
        { id: "hive2", ramMb: 4000, gpus: [2000, 8000], ...asleep }
      ],
      jobs: [
        { id: 0, at: 875, prompt: "tell bd6c about ecf54b", teardown: "warm" },
        { id: 1, at: 1225, prompt: "tell a22f about 1c8c1b", teardown: "cold" },
        { id: 2, at: 1178, prompt: "tell 881b about 4fb3b9", teardown: "warm" },
        { id: 3, at: 1753, prompt: "tell 24ed about 7ffd48", teardown: "warm" },
        { id: 4, at: 233, prompt: "tell c309 about 5abf35", teardown: "cold" }
      ],
      faults: [
        { at: 33_426, kind: "half-open", target: 437, forMs: 26_574, steps: 0 },
        { at: 34_150, kind: "stop-queen", target: 520, forMs: 2383, steps: 7 },
        { at: 36_624, kind: "ctrl-c", target: 235, forMs: 4007, steps: 0 },
        { at: 38_080, kind: "ctrl-c", target: 774, forMs: 21_920, steps: 1 },
        { at: 45_752, kind: "stop-hive", target: 86, forMs: 14_248, steps: 44 }
      ],
      tokens: 46,
      tokensPerS: 20,
      loadMs: 2248,
      bootMs: [20, 300],
      latencyMs: [0.2, 50],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60_000,
      end: "down"
    }
  }
]
