/** Worker runtimes that cannot be had, and those that take their place. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describe } from "vitest"
import type { Machine } from "../../../src/layers/devices/index.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import { llama } from "../../../src/machines/kinds/llama/llama.ts"
import type { KindId } from "../../../src/machines/vocabulary/kind.ts"
import type { Backend } from "../../../src/machines/vocabulary/device.ts"
import { makeWorld, settle } from "../../support/hive-world.ts"
import { DeviceId } from "../../../src/machines/vocabulary/ids.ts"

const gpu = { id: DeviceId.make("gpu0"), name: "H100", vram_mb: 80_000, vram_free_mb: 80_000 }

/** An NVIDIA card on which CUDA does not work, as its trial tells, and whose driver has Vulkan. */
const makeCard = (vulkan: "works" | "does not work") =>
  Effect.gen(function* () {
    const asked: Array<Backend> = []
    const installed = new Set<Backend>()
    const look = Effect.sync((): Machine => {
      const machine = { cpu: { cores: 4, ramBytes: 16e9, ramFreeBytes: 15e9 }, driver: "580" }
      if (!asked.includes("cuda")) return { ...machine, gpus: [{ ...gpu, backend: "cuda" }] }
      if (installed.has("vulkan")) return { ...machine, gpus: [{ ...gpu, backend: "vulkan" }] }
      return { ...machine, gpus: [], lacks: { kind: llama.id, backend: "vulkan" } }
    })
    const runtimes = {
      find: (_: KindId, backend: Backend) =>
        Effect.sync(() => (installed.has(backend) ? { version: "0", folder: undefined } : undefined)),
      install: (_: KindId, backend: Backend) =>
        Effect.suspend(() => {
          asked.push(backend)
          if (backend === "cuda" || vulkan === "does not work") {
            return Effect.fail(rbeeError("BACKEND_UNAVAILABLE", "its trial failed", "Choose another device"))
          }
          installed.add(backend)
          return Effect.succeed({ version: "0", folder: undefined })
        }),
      prove: () => Effect.succeed("works" as const),
      learn: () => Effect.succeed(undefined),
      read: () => Effect.succeed(undefined),
      sweep: Effect.void
    }
    const { hive } = yield* makeWorld({}, { look, runtimes })
    yield* hive.api.provisionWorker({ kind: "cuda-llm-worker-rbee" })
    yield* settle
    const { gpus } = yield* hive.api.devices({})
    return { asked, backends: gpus.map(({ backend }) => backend) }
  })

describe("A runtime that does not work on its device", () => {
  it.scoped("has the next one installed in its place, and the device is there again", () =>
    Effect.map(makeCard("works"), (card) => expect(card).toEqual({ asked: ["cuda", "vulkan"], backends: ["vulkan"] }))
  )

  it.scoped("is not tried for ever where the next one does not work either", () =>
    Effect.map(makeCard("does not work"), (card) => expect(card).toEqual({ asked: ["cuda", "vulkan"], backends: [] }))
  )
})
