import { describe, expect, it } from "vitest"
import { rbeeError } from "../../../src/machines/errors.ts"
import {
  lesserNeed,
  mayReloadAt,
  neededContext,
  noLonger,
  outgrownContext,
  usualContext
} from "../../../src/machines/policy/memory/context.ts"
import { llama } from "../../../src/machines/kinds/llama/llama.ts"
import { largestContext, type Shape } from "../../../src/machines/policy/memory/fit.ts"
import { makeRoom } from "../../../src/machines/policy/placement/residency.ts"
import { takeCapacityTurns } from "../../../src/machines/policy/placement/capacity-turns.ts"
import { fleetOf, resident } from "../../support/fleet.ts"
import { facts } from "../../support/hive-world.ts"
import { JobId, HiveId, DeviceId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const overflow = (details: object) => rbeeError("INVALID_REQUEST", "too long", "", { ...details })

describe("The context of a slot", () => {
  it("is what the model was trained with, and of a large one no more than most people need", () => {
    expect([512, 32_768, 10_000_000].map((trained) => usualContext(trained))).toEqual([512, 32_768, 32_768])
  })

  it("that a prompt needs has room for the answer, and grows by more than one turn of a conversation", () => {
    const amounts = { prompt_tokens: 40_000, context: 32_768, trained_context: 131_072 }
    expect(neededContext(overflow(amounts))).toEqual({ context: 52_224, prompt: 40_000, had: 32_768 })
    expect(neededContext(overflow(amounts), 32_000)?.context).toBe(52_224)
    expect(neededContext(overflow({ ...amounts, trained_context: 41_000 }))?.context).toBe(41_000)
  })

  it("is no longer one where the model cannot hold the prompt, or the refusal is another", () => {
    expect(neededContext(overflow({ prompt_tokens: 600, context: 512, trained_context: 512 }))).toBeUndefined()
    expect(neededContext(overflow({ prompt_tokens: 9000, context: 512, trained_context: 8192 }))).toBeUndefined()
    expect(neededContext(overflow({ reason: "the template refuses it" }))).toBeUndefined()
  })

  it("that a machine could give at most is named where a prompt needs more", () => {
    const need = { context: 52_224, prompt: 40_000, had: 32_768 }
    const error = noLonger(need, rbeeError("VRAM_EXHAUSTED", "GPU0 has 1 MB", "", { context_max: 45_056 }))
    expect(error).toMatchObject({ code: "INVALID_REQUEST", details: { prompt_tokens: 40_000, context: 45_056 } })
    expect(error.message).toContain("maximum context length is 45056 tokens")
    expect(error.message).toContain("Ask for a context of 45056 tokens")
    expect(noLonger(need, rbeeError("VRAM_EXHAUSTED", "full")).message).toContain("length is 32768 tokens")
  })

  it("is the most that there is room for where the prompt fits into that, and it is more than there was", () => {
    const need = { context: 52_224, prompt: 40_000, had: 32_768 }
    const lesser = (context_max?: number) =>
      lesserNeed(need, rbeeError("VRAM_EXHAUSTED", "full", "", context_max === undefined ? {} : { context_max }))
        ?.context
    expect([undefined, 32_768, 40_000, 40_001, 52_223, 52_224].map(lesser)).toEqual([
      undefined,
      undefined,
      undefined,
      40_001,
      52_223,
      undefined
    ])
  })

  it("that an answer needs which has filled its own is for what is still to come of it", () => {
    const usage = { prompt_tokens: 4000, completion_tokens: 96, cached_tokens: 0 }
    const done = { usage, outgrown: { context: 4096, trained_context: 131_072 } }
    expect(outgrownContext(done, 96)).toEqual({ context: 7168, prompt: 4096, had: 4096 })
    expect(outgrownContext(done, 96, 97)?.context).toBe(6144)
    expect(outgrownContext(done, 96, 96)).toBeUndefined()
    expect(outgrownContext(done, 1024)).toBeUndefined()
    expect(outgrownContext(done, 1024, 100_000)?.context).toBe(8192)
    expect(outgrownContext({ usage }, 96)).toBeUndefined()
  })

  it("is made larger in place at once, and again a minute later", () => {
    const small = resident("w1", { readyAt: 0, memoryMb: 100 })
    const room = (now: number, reloadedAt?: number, model = small.model) =>
      makeRoom([{ ...small, ...(reloadedAt === undefined ? {} : { reloadedAt }) }], 50, () => 0, now, model)
    expect(mayReloadAt(undefined)).toBeLessThan(0)
    expect(room(10_000).kind).toBe("now")
    expect(room(10_000, 5000)).toMatchObject({ kind: "later", at: 65_000 })
    expect(room(65_000, 5000).kind).toBe("now")
    // another model is not held up by it
    expect(room(10_000, 5000, ModelRef.make("another")).kind).toBe("now")
  })

  it("that is larger has the old worker closed at once, where another model has patience with it", () => {
    const fleet = fleetOf({ box: [100] }, [resident("old", { device: DeviceId.make("gpu0"), free: 3, memoryMb: 100 })])
    fleet.setHive({
      hive: HiveId.make("box"),
      devices: {
        cpu: { cores: 1, ram_mb: 1, ram_free_mb: 1 },
        gpus: [{ id: DeviceId.make("gpu0"), name: "GPU", backend: "cuda", vram_mb: 100, vram_free_mb: 100 }]
      },
      beats: [{ id: DeviceId.make("gpu0"), state: "healthy", free_mb: 0 }]
    })
    const turns = (model: string) => {
      const hopes = [{ hive: HiveId.make("box"), device: DeviceId.make("gpu0"), requiredMb: 90 }]
      return takeCapacityTurns(
        [{ job: JobId.make("j"), model: ModelRef.make(model), since: 10_000, hopes }],
        fleet,
        11_000
      )
    }
    expect([...turns("minillama").close]).toEqual(["old"])
    expect([...turns("another").close]).toEqual([])
    fleet.setResident(resident("old", { device: DeviceId.make("gpu0"), memoryMb: 100 }))
    expect(turns("minillama").go).toEqual([{ job: "j", replaces: ["old"] }])
    expect(turns("another").go).toEqual([{ job: "j", replaces: [] }])
  })

  it("at its largest fits into the room there is, and one row of cells more does not", () => {
    const terms = { backend: "cuda", kvType: "f16" } as const
    const model = { ...facts, trainedContext: 1_000_000 }
    const need = (shape: Shape) => llama.memory.bytes(model, shape, terms)
    const largest = (room: number) => largestContext(need, model.trainedContext, llama.memory.step, room)
    const room = need({ context: 50_000, slots: 1 })
    const context = largest(room)
    expect(need({ context, slots: 1 })).toBeLessThanOrEqual(room)
    expect(need({ context: context + 256, slots: 1 })).toBeGreaterThan(room)
    expect(largest(0)).toBe(0)
    expect(largest(1e15)).toBe(1_000_000)
  })
})
