/** Plans by which the simulator found a bug, shrunk. Each stays, so that its bug does not come back. */
import type { Plan } from "../../src/simulator/run/plan.ts"
import { HiveId, localHive } from "../../src/machines/vocabulary/ids.ts"

const asleep = { awake: false } as const

export const regressions: ReadonlyArray<{ readonly name: string; readonly plan: Plan }> = [
  {
    name: "a job failed beside two hives that slept, and the hive that was cut off was left running",
    plan: {
      seed: 6,
      hives: [
        { id: localHive, ramMb: 16_000, gpus: [], ...asleep },
        { id: HiveId.make("hive1"), ramMb: 4000, gpus: [], ...asleep },
        { id: HiveId.make("hive2"), ramMb: 16_000, gpus: [], ...asleep }
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
      hives: [{ id: localHive, ramMb: 16_000, gpus: [2000], ...asleep }],
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
        { id: localHive, ramMb: 2000, gpus: [2000], awake: true },
        { id: HiveId.make("hive1"), ramMb: 16_000, gpus: [2000], ...asleep },
        { id: HiveId.make("hive2"), ramMb: 4000, gpus: [2000, 8000], ...asleep }
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
  },
  {
    name: "an epoch that a full disk kept out of the journal was given out again by the next queen",
    plan: {
      seed: 5,
      hives: [
        { id: localHive, ramMb: 16000, gpus: [], awake: true },
        { id: HiveId.make("hive1"), ramMb: 4000, gpus: [], awake: true },
        { id: HiveId.make("hive2"), ramMb: 2000, gpus: [], awake: false }
      ],
      jobs: [
        { id: 0, at: 35125, prompt: "tell cbda about 5f2412", teardown: "warm" },
        { id: 1, at: 2289, prompt: "tell bb75 about 290113", teardown: "warm" },
        { id: 2, at: 26164, prompt: "tell 7ef5 about e76eee", teardown: "warm" },
        { id: 3, at: 1510, prompt: "tell edf1 about 51f638", teardown: "warm" },
        { id: 4, at: 25886, prompt: "tell 03e5 about 322f22", teardown: "warm" },
        { id: 5, at: 262, prompt: "tell b6b0 about 720c6c", teardown: "warm" }
      ],
      faults: [
        { at: 612, kind: "disk-full", target: 941, forMs: 522, steps: 0 },
        { at: 1998, kind: "kill-keeper", target: 826, forMs: 32516, steps: 1 },
        { at: 6392, kind: "disk-full", target: 48, forMs: 13225, steps: 0 },
        { at: 7277, kind: "kill-keeper", target: 677, forMs: 113, steps: 6 },
        { at: 8730, kind: "kill-keeper", target: 12, forMs: 2463, steps: 0 },
        { at: 27881, kind: "stop-hive", target: 786, forMs: 32119, steps: 43 },
        { at: 30792, kind: "boot-failure", target: 549, forMs: 1509, steps: 0 },
        { at: 32197, kind: "boot-failure", target: 419, forMs: 1420, steps: 0 },
        { at: 43097, kind: "disk-full", target: 695, forMs: 4435, steps: 19 }
      ],
      tokens: 44,
      tokensPerS: 10,
      loadMs: 2858,
      bootMs: [20, 50],
      latencyMs: [0.2, 50],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a hive that was starting when its queen was killed was never claimed, and outlived `down`",
    plan: {
      seed: 3,
      hives: [
        { id: localHive, ramMb: 2000, gpus: [1000], awake: false },
        { id: HiveId.make("hive1"), ramMb: 4000, gpus: [1000], awake: false },
        { id: HiveId.make("hive2"), ramMb: 2000, gpus: [], awake: true }
      ],
      jobs: [
        { id: 2, at: 877, prompt: "tell ecfc about c07c8d", teardown: "warm" },
        { id: 3, at: 1632, prompt: "tell e4e3 about fee202", teardown: "warm" },
        { id: 4, at: 23412, prompt: "tell 6f53 about 3b7d31", teardown: "warm" },
        { id: 5, at: 1620, prompt: "tell d7e2 about c37878", teardown: "warm" },
        { id: 6, at: 34185, prompt: "tell 8c16 about d70b1f", teardown: "cold" },
        { id: 7, at: 1498, prompt: "tell 24e3 about 52e7cf", teardown: "cold" }
      ],
      faults: [
        { at: 2162, kind: "kill-queen", target: 849, forMs: 4733, steps: 0 },
        { at: 4265, kind: "kill-worker", target: 127, forMs: 4985, steps: 7 },
        { at: 13603, kind: "boot-failure", target: 380, forMs: 27968, steps: 22 },
        { at: 18053, kind: "boot-failure", target: 896, forMs: 3908, steps: 0 },
        { at: 27790, kind: "kill-worker", target: 440, forMs: 31557, steps: 0 },
        { at: 38520, kind: "disk-full", target: 781, forMs: 2837, steps: 56 }
      ],
      tokens: 27,
      tokensPerS: 50,
      loadMs: 2390,
      bootMs: [20, 2000],
      latencyMs: [0.2, 1],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a progress of the same moment came after the terminal event",
    plan: {
      seed: 909,
      hives: [{ id: localHive, ramMb: 2000, gpus: [8000, 2000], awake: true }],
      jobs: [
        { id: 3, at: 1588, prompt: "tell 2034 about cb4f74", teardown: "warm" },
        { id: 5, at: 8087, prompt: "tell 9473 about 61d21b", teardown: "warm" }
      ],
      faults: [
        { at: 0, kind: "hub-hash", target: 845, forMs: 12961, steps: 0 },
        { at: 8988, kind: "stop-queen", target: 814, forMs: 3050, steps: 0 }
      ],
      tokens: 40,
      tokensPerS: 20,
      loadMs: 1308,
      bootMs: [20, 2000],
      latencyMs: [0.2, 5],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a full disk kept the end of a job that a reboot had cut out of the journal, and the next queen continued it",
    plan: {
      seed: 1000363,
      hives: [
        { id: localHive, ramMb: 4000, gpus: [], awake: false },
        { id: HiveId.make("hive1"), ramMb: 16000, gpus: [], awake: false }
      ],
      jobs: [
        { id: 3, at: 29139, prompt: "tell 0ddf about 953fab", teardown: "warm" },
        { id: 4, at: 1453, prompt: "tell d3e0 about 9839f0", teardown: "cold" }
      ],
      faults: [
        { at: 25986, kind: "crash-machine", target: 974, forMs: 3487, steps: 0 },
        { at: 27474, kind: "disk-full", target: 488, forMs: 20490, steps: 26 },
        { at: 33265, kind: "kill-queen", target: 215, forMs: 727, steps: 0 }
      ],
      tokens: 35,
      tokensPerS: 10,
      loadMs: 2307,
      bootMs: [20, 50],
      latencyMs: [0.2, 1],
      hub: { breaks: 0.3, corrupts: 0.2 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a hive that hung held its address against the next one: the jobs of the next queen failed with CONFLICT",
    plan: {
      seed: 201,
      hives: [
        { id: localHive, ramMb: 16000, gpus: [1000], awake: false },
        { id: HiveId.make("hive1"), ramMb: 4000, gpus: [1000, 1000], awake: false }
      ],
      jobs: [
        { id: 2, at: 18943, prompt: "tell 570b about 5dcb43", teardown: "warm" },
        { id: 3, at: 975, prompt: "tell 89d0 about 3da134", teardown: "warm" }
      ],
      faults: [
        { at: 2989, kind: "disk-full", target: 819, forMs: 22267, steps: 46 },
        { at: 10624, kind: "stop-hive", target: 283, forMs: 28602, steps: 0 },
        { at: 13282, kind: "disk-full", target: 523, forMs: 1242, steps: 0 }
      ],
      tokens: 33,
      tokensPerS: 10,
      loadMs: 2262,
      bootMs: [20, 2000],
      latencyMs: [0.2, 50],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a stream that was cut in mid-frame went on behind the cut, which no connection does",
    plan: {
      seed: 703,
      hives: [
        { id: localHive, ramMb: 4000, gpus: [2000, 8000], awake: false },
        { id: HiveId.make("hive1"), ramMb: 4000, gpus: [], awake: true }
      ],
      jobs: [
        { id: 0, at: 33676, prompt: "tell d827 about cea8f6", teardown: "warm", model: "file:/models/a.gguf" },
        { id: 1, at: 39713, prompt: "tell ea5e about 98de7d", teardown: "warm", model: "file:/models/a.gguf" },
        { id: 2, at: 871, prompt: "tell 8492 about 8a7761", teardown: "warm", model: "file:/models/b.gguf" },
        { id: 3, at: 26416, prompt: "tell 8637 about f8ec00", teardown: "cold", model: "file:/models/b.gguf" },
        { id: 4, at: 38325, prompt: "tell a709 about e7ee43", teardown: "cold", model: "file:/models/a.gguf" },
        { id: 5, at: 7483, prompt: "tell 993c about 21330a", teardown: "cold", model: "minillama" },
        { id: 6, at: 32188, prompt: "tell 5604 about 7b63db", teardown: "warm", model: "minillama" },
        { id: 7, at: 32910, prompt: "tell 3100 about b8acb8", teardown: "cold", model: "file:/models/a.gguf" }
      ],
      faults: [
        { at: 8532, kind: "stop-keeper", target: 88, forMs: 25125, steps: 58 },
        { at: 41469, kind: "stop-keeper", target: 184, forMs: 18531, steps: 0 },
        { at: 42892, kind: "mid-frame", target: 367, forMs: 15655, steps: 0 },
        { at: 46278, kind: "kill-queen", target: 112, forMs: 10211, steps: 13 },
        { at: 55973, kind: "kill-queen", target: 382, forMs: 1588, steps: 0 },
        { at: 59900, kind: "mid-frame", target: 148, forMs: 100, steps: 0 }
      ],
      tokens: 250,
      tokensPerS: 10,
      loadMs: 402,
      bootMs: [20, 300],
      latencyMs: [0.2, 5],
      hub: { breaks: 0.3, corrupts: 0.2 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a queen that lost the race for her port came up once the winner was gone, after `down`",
    plan: {
      seed: 1146,
      hives: [
        { id: localHive, ramMb: 4000, gpus: [8000], awake: false },
        { id: HiveId.make("hive1"), ramMb: 4000, gpus: [], awake: true }
      ],
      jobs: [{ id: 0, at: 28722, prompt: "tell 788f about ae3626", teardown: "cold", client: { stream: true } }],
      faults: [
        { at: 34627, kind: "slow-start", target: 404, forMs: 2224, steps: 55 },
        { at: 48129, kind: "slow-start", target: 932, forMs: 3648, steps: 12 },
        { at: 51217, kind: "kill-queen", target: 65, forMs: 1007, steps: 0 },
        { at: 51251, kind: "hives-stop", target: 125, forMs: 2182, steps: 27 },
        { at: 55266, kind: "hub-429", target: 624, forMs: 1146, steps: 20 }
      ],
      tokens: 281,
      tokensPerS: 10,
      loadMs: 900,
      bootMs: [20, 2000],
      latencyMs: [0.2, 5],
      hub: { breaks: 0.3, corrupts: 0.2 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a hive that was out of reach when it was stopped was taken for gone, and outlived `down`",
    plan: {
      seed: 1388,
      hives: [
        { id: localHive, ramMb: 2000, gpus: [1000, 8000], awake: false },
        { id: HiveId.make("hive1"), ramMb: 2000, gpus: [], awake: false },
        { id: HiveId.make("hive2"), ramMb: 16000, gpus: [], awake: true }
      ],
      jobs: [{ id: 4, at: 7374, prompt: "tell e90e about 4c2828", teardown: "warm" }],
      faults: [
        { at: 14245, kind: "cut", target: 271, forMs: 21393, steps: 0 },
        { at: 25132, kind: "hives-stop", target: 824, forMs: 3192, steps: 17 }
      ],
      tokens: 95,
      tokensPerS: 10,
      loadMs: 2234,
      bootMs: [20, 300],
      latencyMs: [0.2, 5],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "jobs that waited for a worker failed when it was stopped, and did not ask for another",
    plan: {
      seed: 1795,
      hives: [
        { id: localHive, ramMb: 2000, gpus: [1000], awake: false },
        { id: HiveId.make("hive1"), ramMb: 4000, gpus: [], awake: false }
      ],
      jobs: [
        { id: 0, at: 0, prompt: "tell bd77 about 907743", teardown: "warm" },
        { id: 1, at: 21945, prompt: "tell 0d68 about f63ca8", teardown: "warm" }
      ],
      faults: [
        { at: 19433, kind: "workers-stop", target: 16, forMs: 8649, steps: 20 },
        { at: 24645, kind: "workers-stop", target: 534, forMs: 3570, steps: 23 }
      ],
      tokens: 73,
      tokensPerS: 20,
      loadMs: 2881,
      bootMs: [20, 300],
      latencyMs: [0.2, 5],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a job failed because its hive was still ending when a new queen wanted it",
    plan: {
      seed: 2606,
      hives: [
        { id: localHive, ramMb: 2000, gpus: [2000], awake: false },
        { id: HiveId.make("hive1"), ramMb: 16000, gpus: [8000, 2000], awake: false },
        { id: HiveId.make("hive2"), ramMb: 2000, gpus: [1000, 8000], awake: true }
      ],
      jobs: [
        { id: 0, at: 29514, prompt: "tell 8850 about 956e76", teardown: "warm" },
        { id: 1, at: 25437, prompt: "tell 6edb about ef5581", teardown: "warm" },
        { id: 2, at: 34645, prompt: "tell 5ffd about a6a511", teardown: "warm" },
        { id: 3, at: 9876, prompt: "tell 8422 about 156e43", teardown: "warm" },
        { id: 4, at: 9876, prompt: "tell ef40 about 859a3f", teardown: "cold" }
      ],
      faults: [
        { at: 14171, kind: "hives-rm", target: 229, forMs: 12644, steps: 0 },
        { at: 29896, kind: "hives-stop", target: 683, forMs: 4517, steps: 6 },
        { at: 31407, kind: "kill-queen", target: 282, forMs: 8778, steps: 0 }
      ],
      tokens: 54,
      tokensPerS: 10,
      loadMs: 254,
      bootMs: [20, 50],
      latencyMs: [0.2, 50],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a job that waited for a hive failed, because a cold session that had used the hive ended",
    plan: {
      seed: 100_455,
      hives: [
        { id: localHive, ramMb: 2000, gpus: [8000], awake: false },
        { id: HiveId.make("hive1"), ramMb: 16_000, gpus: [1000], awake: false }
      ],
      jobs: [
        { id: 1, at: 30_037, prompt: "tell 5366 about 4d2579", teardown: "warm", model: "file:/models/a.gguf" },
        { id: 3, at: 133, prompt: "tell b732 about 048d60", teardown: "cold", model: "file:/models/a.gguf" }
      ],
      faults: [
        { at: 1212, kind: "disk-full", target: 442, forMs: 24_024, steps: 31 },
        { at: 2146, kind: "crash-machine", target: 140, forMs: 16_904, steps: 13 },
        { at: 7751, kind: "crash-machine", target: 609, forMs: 333, steps: 3 },
        { at: 8181, kind: "kill-worker", target: 118, forMs: 12_322, steps: 14 },
        { at: 17_371, kind: "disk-full", target: 693, forMs: 15_068, steps: 0 },
        { at: 26_015, kind: "half-open", target: 194, forMs: 33_412, steps: 14 }
      ],
      tokens: 62,
      tokensPerS: 10,
      loadMs: 1349,
      bootMs: [20, 300],
      latencyMs: [0.2, 5],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60_000,
      end: "down"
    }
  },
  {
    name: "an epoch was given out twice by a queen whose catalog was lost together with what her machine had not synced",
    plan: {
      seed: 172,
      hives: [{ id: localHive, ramMb: 16000, gpus: [], awake: false }],
      jobs: [
        {
          id: 1,
          at: 1008,
          prompt: "tell 76ae about b2d6f3",
          teardown: "warm",
          client: { stream: false, leavesAfter: 3 }
        }
      ],
      faults: [
        { at: 5455, kind: "kill-hive", target: 269, forMs: 3328, steps: 18 },
        { at: 27618, kind: "hub-403", target: 716, forMs: 1328, steps: 14 },
        { at: 34298, kind: "crash-machine", target: 751, forMs: 1372, steps: 0 },
        { at: 38458, kind: "stop-queen", target: 280, forMs: 12081, steps: 0 },
        { at: 38553, kind: "corrupt-queen-catalog", target: 0, forMs: 0, steps: 50 }
      ],
      tokens: 195,
      tokensPerS: 50,
      loadMs: 2584,
      healAt: 60000,
      bootMs: [20, 300],
      latencyMs: [0.2, 1],
      hub: { breaks: 0, corrupts: 0 },
      end: "down"
    }
  },
  {
    name: "a hive that was stopped while a queen who had lost her catalog claimed it anew was left running",
    plan: {
      seed: 246,
      hives: [
        { id: localHive, ramMb: 4000, gpus: [1000], awake: false },
        { id: HiveId.make("hive1"), ramMb: 2000, gpus: [1000], awake: false }
      ],
      jobs: [
        { id: 0, at: 36892, prompt: "tell aeae about 48ab9e", teardown: "cold" },
        { id: 1, at: 1271, prompt: "tell 3978 about 38423b", teardown: "warm" },
        {
          id: 2,
          at: 14794,
          prompt: "tell 0407 about aacedc",
          teardown: "warm",
          client: { stream: false, pausesMs: 2945 }
        },
        { id: 3, at: 379, prompt: "tell 66b7 about 7f7f06", teardown: "warm" },
        { id: 4, at: 6525, prompt: "tell b19e about e48a0a", teardown: "warm" },
        { id: 5, at: 36271, prompt: "tell 17ee about e7e424", teardown: "warm" },
        { id: 6, at: 13349, prompt: "tell b9b2 about 56ad92", teardown: "warm" },
        { id: 7, at: 4524, prompt: "tell 82f2 about 661ae4", teardown: "cold" }
      ],
      faults: [
        { at: 0, kind: "hub-403", target: 687, forMs: 34422, steps: 0 },
        { at: 2980, kind: "corrupt-queen-catalog", target: 0, forMs: 0, steps: 18 },
        { at: 3903, kind: "workers-stop", target: 481, forMs: 3251, steps: 0 },
        { at: 5329, kind: "kill-queen", target: 626, forMs: 8994, steps: 6 },
        { at: 5774, kind: "down", target: 906, forMs: 30381, steps: 0 },
        { at: 6588, kind: "kill-worker", target: 86, forMs: 3789, steps: 0 },
        { at: 6892, kind: "hives-stop", target: 733, forMs: 1768, steps: 0 },
        { at: 7497, kind: "half-open", target: 956, forMs: 9612, steps: 22 },
        { at: 11047, kind: "abort-worker", target: 62, forMs: 13038, steps: 0 },
        { at: 13349, kind: "kill-worker", target: 13, forMs: 33248, steps: 0 }
      ],
      tokens: 288,
      tokensPerS: 50,
      loadMs: 313,
      healAt: 60000,
      bootMs: [20, 300],
      latencyMs: [0.2, 50],
      hub: { breaks: 0, corrupts: 0 },
      end: "down"
    }
  },
  {
    name: "a hive that a queen before had woken, and that was slow to answer, was taken for a stranger at its address",
    plan: {
      seed: 7348,
      hives: [
        { id: localHive, ramMb: 4000, gpus: [], awake: false },
        { id: HiveId.make("hive1"), ramMb: 4000, gpus: [2000], awake: true }
      ],
      jobs: [
        { id: 0, at: 0, prompt: "tell e205 about 718cc8", teardown: "cold" },
        { id: 1, at: 9964, prompt: "tell 1de8 about 6d040a", teardown: "warm" },
        { id: 5, at: 1889, prompt: "tell e6fa about ba1b7d", teardown: "warm" },
        { id: 6, at: 38130, prompt: "tell e34a about c09002", teardown: "warm" },
        { id: 7, at: 834, prompt: "tell 303c about 5873be", teardown: "warm" }
      ],
      faults: [
        { at: 1664, kind: "crash-machine", target: 986, forMs: 104, steps: 24 },
        { at: 2216, kind: "kill-queen", target: 111, forMs: 1248, steps: 29 },
        { at: 3174, kind: "half-open", target: 147, forMs: 24249, steps: 5 },
        { at: 4568, kind: "boot-failure", target: 981, forMs: 4133, steps: 0 },
        { at: 10637, kind: "echo", target: 557, forMs: 15153, steps: 20 },
        { at: 28041, kind: "stop-queen", target: 527, forMs: 31959, steps: 0 }
      ],
      tokens: 46,
      tokensPerS: 50,
      loadMs: 593,
      bootMs: [20, 2000],
      latencyMs: [0.2, 50],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a job that asked a hive for room failed, because a cold session that had used the hive ended",
    plan: {
      seed: 11684,
      hives: [
        { id: localHive, ramMb: 16000, gpus: [1000, 8000], awake: false },
        { id: HiveId.make("hive1"), ramMb: 4000, gpus: [8000, 2000], awake: false }
      ],
      jobs: [
        { id: 0, at: 8707, prompt: "tell 4edd about 23c752", teardown: "warm" },
        { id: 1, at: 7144, prompt: "tell ae44 about ac16d5", teardown: "cold" },
        { id: 4, at: 1931, prompt: "tell 074d about 3892b9", teardown: "cold" },
        { id: 5, at: 15254, prompt: "tell cdea about 5e49e4", teardown: "warm", client: { stream: true } }
      ],
      faults: [
        { at: 0, kind: "hub-404", target: 386, forMs: 23144, steps: 2 },
        { at: 2620, kind: "stop-keeper", target: 369, forMs: 15185, steps: 33 },
        { at: 6446, kind: "stop-hive", target: 126, forMs: 10969, steps: 0 },
        { at: 33054, kind: "corrupt-catalog", target: 162, forMs: 26307, steps: 0 },
        { at: 40799, kind: "reset", target: 872, forMs: 2687, steps: 0 }
      ],
      tokens: 80,
      tokensPerS: 20,
      loadMs: 213,
      bootMs: [20, 300],
      latencyMs: [0.2, 50],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "an epoch was given out twice by a second queen after the loss of the catalog: a full disk had ended the first",
    plan: {
      seed: 18,
      hives: [
        { id: localHive, ramMb: 2000, gpus: [], awake: false },
        { id: HiveId.make("hive1"), ramMb: 4000, gpus: [], awake: false },
        { id: HiveId.make("hive2"), ramMb: 2000, gpus: [], awake: false }
      ],
      jobs: [
        { id: 0, at: 1706, prompt: "tell 8cea about 658250", teardown: "warm" },
        { id: 1, at: 29144, prompt: "tell dbb5 about c88245", teardown: "warm" },
        { id: 2, at: 29144, prompt: "tell ed43 about 678d6d", teardown: "cold" },
        {
          id: 3,
          at: 29144,
          prompt: "tell f1ec about cd81e8",
          teardown: "warm",
          client: { stream: true, pausesMs: 5953 }
        },
        { id: 4, at: 2061, prompt: "tell 3fbd about 69d343", teardown: "cold" }
      ],
      faults: [
        { at: 2800, kind: "slow-start", target: 623, forMs: 2388, steps: 0 },
        { at: 5977, kind: "cut", target: 829, forMs: 1094, steps: 0 },
        { at: 8243, kind: "disk-full", target: 916, forMs: 2798, steps: 12 },
        { at: 8937, kind: "disk-full", target: 190, forMs: 6294, steps: 1 },
        { at: 29233, kind: "slow-start", target: 681, forMs: 30767, steps: 39 },
        { at: 29738, kind: "corrupt-queen-catalog", target: 981, forMs: 29646, steps: 0 },
        { at: 30738, kind: "stop-queen", target: 72, forMs: 25585, steps: 32 },
        { at: 30963, kind: "disk-full", target: 538, forMs: 18003, steps: 0 },
        { at: 32785, kind: "half-open", target: 380, forMs: 27215, steps: 0 },
        { at: 34179, kind: "crash-machine", target: 562, forMs: 19426, steps: 0 }
      ],
      tokens: 83,
      tokensPerS: 20,
      loadMs: 928,
      bootMs: [20, 50],
      latencyMs: [0.2, 5],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a worker decoded on for a queen that was killed: no connection of a killed process was closed",
    plan: {
      seed: 326,
      hives: [
        { id: localHive, ramMb: 16000, gpus: [2000], awake: false },
        { id: HiveId.make("hive1"), ramMb: 4000, gpus: [8000, 8000], awake: false },
        { id: HiveId.make("hive2"), ramMb: 16000, gpus: [], awake: false }
      ],
      jobs: [
        { id: 0, at: 1154, prompt: "tell f8ef about 8b0a3e", teardown: "warm" },
        { id: 1, at: 39448, prompt: "tell 4675 about 14a372", teardown: "cold" }
      ],
      faults: [
        { at: 43209, kind: "corrupt-queen-catalog", target: 267, forMs: 188, steps: 27 },
        { at: 56642, kind: "hang-worker", target: 163, forMs: 3358, steps: 49 }
      ],
      tokens: 202,
      tokensPerS: 10,
      loadMs: 2969,
      bootMs: [20, 50],
      latencyMs: [0.2, 1],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a hive that was stopped in its start came up when the next one had ended, and nobody took it in",
    plan: {
      seed: 5289,
      hives: [
        { id: localHive, ramMb: 16000, gpus: [2000], awake: false },
        { id: HiveId.make("hive1"), ramMb: 16000, gpus: [8000], awake: true }
      ],
      jobs: [{ id: 0, at: 680, prompt: "tell bacd about 57cb6b", teardown: "cold", model: "file:/models/a.gguf" }],
      faults: [
        { at: 1365, kind: "stop-hive", target: 988, forMs: 9628, steps: 0 },
        { at: 2078, kind: "hives-stop", target: 510, forMs: 3015, steps: 0 },
        { at: 2275, kind: "hub-hash", target: 380, forMs: 12380, steps: 48 },
        { at: 2474, kind: "kill-queen", target: 879, forMs: 378, steps: 0 }
      ],
      tokens: 41,
      tokensPerS: 10,
      loadMs: 489,
      bootMs: [20, 2000],
      latencyMs: [0.2, 5],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a job failed because the hive that it asked for room was ending by itself",
    plan: {
      seed: 23849,
      hives: [{ id: localHive, ramMb: 2000, gpus: [1000], awake: false }],
      jobs: [
        { id: 0, at: 1236, prompt: "tell bd04 about 30f1de", teardown: "cold" },
        {
          id: 1,
          at: 31100,
          prompt: "tell 295f about b89c18",
          teardown: "warm",
          client: { stream: false, leavesAfter: 15 }
        },
        { id: 4, at: 29536, prompt: "tell 57f1 about a75500", teardown: "cold" },
        { id: 5, at: 6824, prompt: "tell 27dd about 3f09d5", teardown: "warm" }
      ],
      faults: [{ at: 29781, kind: "clock-jump", target: 952, forMs: 4418, steps: 60 }],
      tokens: 85,
      tokensPerS: 10,
      loadMs: 513,
      bootMs: [20, 50],
      latencyMs: [0.2, 50],
      hub: { breaks: 0.3, corrupts: 0.2 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a journal that had met a full disk was written again when there was room, and lacked what came in between",
    plan: {
      seed: 25179,
      hives: [
        { id: localHive, ramMb: 16000, gpus: [2000, 1000], awake: false },
        { id: HiveId.make("hive1"), ramMb: 16000, gpus: [8000, 8000], awake: false },
        { id: HiveId.make("hive2"), ramMb: 2000, gpus: [2000], awake: true }
      ],
      jobs: [
        {
          id: 8,
          at: 34767,
          prompt: "tell 264b about 1c1274",
          teardown: "warm",
          model: "minillama",
          client: { stream: false, leavesAfter: 12 }
        },
        { id: 9, at: 33123, prompt: "tell 0fe3 about 1f0666", teardown: "warm", model: "file:/models/b.gguf" }
      ],
      faults: [
        { at: 0, kind: "hub-404", target: 83, forMs: 4740, steps: 26 },
        { at: 39435, kind: "stop-worker", target: 179, forMs: 8406, steps: 0 },
        { at: 42846, kind: "disk-full", target: 74, forMs: 448, steps: 16 }
      ],
      tokens: 92,
      tokensPerS: 10,
      loadMs: 933,
      bootMs: [20, 300],
      latencyMs: [0.2, 1],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a hive that came up after its queen had died and its name was forgotten was left running",
    plan: {
      seed: 60523,
      hives: [
        { id: localHive, ramMb: 2000, gpus: [], awake: true },
        { id: HiveId.make("hive1"), ramMb: 2000, gpus: [], awake: false },
        { id: HiveId.make("hive2"), ramMb: 16000, gpus: [], awake: false }
      ],
      jobs: [
        { id: 4, at: 907, prompt: "tell eccc about 7deaea", teardown: "warm" },
        { id: 5, at: 907, prompt: "tell 11ca about 510d7b", teardown: "cold" },
        {
          id: 6,
          at: 20906,
          prompt: "tell 2d2c about 963898",
          teardown: "warm",
          client: { stream: true, leavesAfter: 28 }
        },
        { id: 7, at: 12522, prompt: "tell 54c6 about 3b1b22", teardown: "warm", client: { stream: false } },
        { id: 8, at: 12522, prompt: "tell 12fa about cd995f", teardown: "warm" }
      ],
      faults: [
        { at: 1741, kind: "kill-queen", target: 891, forMs: 9749, steps: 8 },
        { at: 2279, kind: "hives-rm", target: 928, forMs: 3357, steps: 0 }
      ],
      tokens: 32,
      tokensPerS: 50,
      loadMs: 1809,
      bootMs: [20, 2000],
      latencyMs: [0.2, 1],
      hub: { breaks: 0.3, corrupts: 0.2 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a job that needed more context failed for want of room while a worker's memory was on its way back, in a place that was just given up",
    plan: {
      seed: 100281,
      hives: [
        { id: localHive, ramMb: 260, gpus: [], awake: true },
        { id: HiveId.make("hive1"), ramMb: 260, gpus: [], awake: true },
        { id: HiveId.make("hive2"), ramMb: 260, gpus: [], awake: false }
      ],
      jobs: [
        { id: 0, at: 1320, prompt: "tell 6797 about 5f2f24", teardown: "warm", words: 3443 },
        { id: 1, at: 3136, prompt: "tell 46cd about 0dbc94", teardown: "warm", words: 5172 },
        { id: 3, at: 32059, prompt: "tell 4c03 about d10048", teardown: "cold", client: { stream: true } }
      ],
      faults: [
        { at: 20, kind: "reset", target: 603, forMs: 22564, steps: 0 },
        { at: 4350, kind: "reset", target: 190, forMs: 6957, steps: 36 },
        { at: 6340, kind: "hub-403", target: 55, forMs: 459, steps: 0 },
        { at: 7215, kind: "stop-hive", target: 412, forMs: 3917, steps: 38 },
        { at: 12842, kind: "kill-hive", target: 867, forMs: 27594, steps: 0 },
        { at: 17190, kind: "stop-keeper", target: 694, forMs: 23846, steps: 0 },
        { at: 21142, kind: "kill-hive", target: 822, forMs: 2197, steps: 0 },
        { at: 33780, kind: "clock-jump", target: 792, forMs: 9047, steps: 37 },
        { at: 45695, kind: "kill-hive", target: 777, forMs: 1171, steps: 32 }
      ],
      tokens: 189,
      tokensPerS: 50,
      loadMs: 1014,
      bootMs: [20, 300],
      latencyMs: [0.2, 50],
      hub: { breaks: 0.3, corrupts: 0.2 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a job that needed more context failed for want of room while the worker in its way was just dying",
    plan: {
      seed: 100378,
      hives: [
        { id: localHive, ramMb: 260, gpus: [], awake: true },
        { id: HiveId.make("hive1"), ramMb: 260, gpus: [], awake: true }
      ],
      jobs: [
        { id: 0, at: 16925, prompt: "tell 4e6c about 544d5c", teardown: "cold" },
        { id: 1, at: 9216, prompt: "tell 97a7 about 0ac014", teardown: "warm", words: 3627 }
      ],
      faults: [
        { at: 23295, kind: "hang-worker", target: 388, forMs: 1643, steps: 0 },
        { at: 27465, kind: "stop-keeper", target: 820, forMs: 425, steps: 0 },
        { at: 28391, kind: "stop-keeper", target: 958, forMs: 1661, steps: 33 },
        { at: 30385, kind: "abort-worker", target: 83, forMs: 29615, steps: 0 }
      ],
      tokens: 121,
      tokensPerS: 10,
      loadMs: 2356,
      bootMs: [20, 50],
      latencyMs: [0.2, 50],
      hub: { breaks: 0.3, corrupts: 0.2 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "an answer ended where the context of its worker did, which fitted its prompt and could have been larger",
    plan: {
      seed: 103511,
      hives: [
        { id: localHive, ramMb: 2000, gpus: [1000, 8000], awake: true },
        { id: HiveId.make("hive1"), ramMb: 2000, gpus: [1000], awake: true },
        { id: HiveId.make("hive2"), ramMb: 16000, gpus: [], awake: false }
      ],
      jobs: [
        { id: 3, at: 28888, prompt: "tell cc05 about dd677f", teardown: "cold", words: 5929 },
        { id: 7, at: 10739, prompt: "tell 7149 about 54b5c5", teardown: "warm", words: 3190 }
      ],
      faults: [
        { at: 32123, kind: "half-open", target: 212, forMs: 27877, steps: 0 },
        { at: 33710, kind: "stop-queen", target: 83, forMs: 1242, steps: 25 }
      ],
      tokens: 283,
      tokensPerS: 50,
      loadMs: 494,
      bootMs: [20, 50],
      latencyMs: [0.2, 50],
      hub: { breaks: 0.3, corrupts: 0.2 },
      healAt: 60000,
      end: "down"
    }
  },
  {
    name: "a hive that had bound its address and was not on file yet was named a stranger there by the next queen",
    plan: {
      seed: 21,
      hives: [{ id: localHive, ramMb: 16_000, gpus: [], ...asleep }],
      jobs: [
        { id: 0, at: 100, prompt: "tell 0a about 1", teardown: "warm" },
        { id: 1, at: 2510, prompt: "tell 0b about 2", teardown: "warm" }
      ],
      faults: [{ at: 2500, kind: "kill-queen", target: 0, forMs: 1000, steps: 0 }],
      tokens: 20,
      tokensPerS: 20,
      loadMs: 300,
      bootMs: [20, 2000],
      latencyMs: [0.2, 1],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 30_000,
      end: "down"
    }
  },
  {
    name: "the same, of a hive whose queen was killed a second earlier",
    plan: {
      seed: 22,
      hives: [{ id: localHive, ramMb: 16_000, gpus: [], ...asleep }],
      jobs: [
        { id: 0, at: 100, prompt: "tell 0a about 1", teardown: "warm" },
        { id: 1, at: 1510, prompt: "tell 0b about 2", teardown: "warm" }
      ],
      faults: [{ at: 1500, kind: "kill-queen", target: 0, forMs: 1000, steps: 0 }],
      tokens: 20,
      tokensPerS: 20,
      loadMs: 300,
      bootMs: [20, 2000],
      latencyMs: [0.2, 1],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 30_000,
      end: "down"
    }
  },
  {
    name: "the queen turned round without end over a job whose only device for another worker was one that it could not have",
    plan: {
      seed: 3361,
      hives: [
        { id: localHive, ramMb: 2000, gpus: [1000, 1000], ...asleep },
        { id: HiveId.make("hive1"), ramMb: 4000, gpus: [2000], ...asleep }
      ],
      jobs: (
        [
          [1, 5805, 123],
          [2, 1661, 138],
          [3, 1661, 130],
          [5, 211, 42],
          [6, 211, 103],
          [7, 227, 25]
        ] as const
      ).map(([id, at, texts]) => ({
        id,
        at,
        texts,
        prompt: `tell ${id} about it`,
        teardown: "warm",
        model: "file:/models/embeddings.gguf",
        client: { surface: "embeddings", stream: false }
      })),
      faults: [{ at: 7345, kind: "boot-failure", target: 395, forMs: 5390, steps: 0 }],
      tokens: 44,
      tokensPerS: 10,
      loadMs: 2767,
      bootMs: [20, 2000],
      latencyMs: [0.2, 5],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60_000,
      end: "down"
    }
  },
  {
    name: "a worker decoded for a queen who had gone while her request was on its way",
    plan: {
      seed: 1065,
      hives: [
        { id: localHive, ramMb: 4000, gpus: [2000, 2000], ...asleep },
        { id: HiveId.make("hive1"), ramMb: 4000, gpus: [1000, 8000], ...asleep },
        { id: HiveId.make("hive2"), ramMb: 4000, gpus: [2000], ...asleep }
      ],
      jobs: [
        {
          id: 2,
          at: 19_200,
          prompt: "tell da38 about c438cd",
          teardown: "cold",
          calls: true,
          client: { stream: true, surface: "ollama" }
        },
        {
          id: 4,
          at: 1120,
          prompt: "tell 09ee about 349a73",
          teardown: "warm",
          words: 2670,
          calls: false,
          client: { stream: true, surface: "responses" }
        }
      ],
      faults: [
        { at: 9237, kind: "half-open", target: 414, forMs: 39_601, steps: 0 },
        { at: 20_117, kind: "hang-worker", target: 960, forMs: 33_702, steps: 0 }
      ],
      tokens: 98,
      tokensPerS: 10,
      loadMs: 1915,
      bootMs: [20, 50],
      latencyMs: [0.2, 5],
      hub: { breaks: 0, corrupts: 0 },
      healAt: 60_000,
      end: "down",
      speech: { form: 2, unlearned: 0.3 }
    }
  }
]
