/** What must hold of a remote machine before a hive can run there. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { usable } from "../../../src/layers/remote/check.ts"
import type { Look } from "../../../src/layers/remote/questions.ts"
import { HiveId } from "../../../src/machines/vocabulary/ids.ts"

const machine = (change: Partial<Look>): Look => ({
  platform: "linux",
  arch: "x64",
  node: "v22.11.0",
  npm: true,
  folder: "/home/you/.local/state/rbee/hive-box",
  socket: "/home/you/.local/state/rbee/q.sock",
  cores: 8,
  ram_mb: 16_000,
  ram_free_mb: 8000,
  disk_free_mb: 100_000,
  gpu_tools: [],
  others: [],
  clock: 0,
  installed: "1.0.0",
  ...change
})
const running = (version: string) => ({ pid: 7, start: "1", url: "http://127.0.0.1:8600", version })
const refusal = (change: Partial<Look>) => Effect.flip(usable(HiveId.make("box"), machine(change), "1.0.0"))

describe("a remote machine", () => {
  it.effect("is usable with this very version, installed or running, and a Node that is new enough", () =>
    Effect.gen(function* () {
      for (const node of ["v20.19.0", "v20.20.2", "v22.0.0", "v100.0.0"])
        yield* usable(HiveId.make("box"), machine({ node, hive: running("1.0.0") }), "1.0.0")
      yield* usable(HiveId.make("box"), machine({}), "1.0.0")
    })
  )

  it.effect("says which Node it has where that is too old, or none that is known", () =>
    Effect.gen(function* () {
      for (const node of ["v20.18.9", "v18.20.0", "v9.99.99", "strange"]) {
        const error = yield* refusal({ node })
        assert.strictEqual(error.code, "NODE_MISSING")
        assert.include(error.what, `hive box has Node ${node}, and rbee needs 20.19`)
      }
    })
  )

  it.effect("says what is installed or runs where that is another version, and what to do in which order", () =>
    Effect.gen(function* () {
      const { installed: _, ...none } = machine({})
      const missing = yield* Effect.flip(usable(HiveId.make("box"), none, "1.0.0"))
      assert.deepInclude(missing, { code: "NOT_INSTALLED", todo: "rbee hives install box" })
      const other = yield* refusal({ installed: "0.9.0" })
      assert.deepInclude(other, {
        code: "VERSION_MISMATCH",
        what: "hive box has rbee 0.9.0, this is rbee 1.0.0",
        todo: "rbee hives upgrade box"
      })
      // what runs decides: what is installed is for the next start
      const runs = yield* refusal({ hive: running("0.9.0") })
      assert.deepInclude(runs, {
        code: "VERSION_MISMATCH",
        what: "hive box runs rbee 0.9.0, this is rbee 1.0.0",
        todo: "rbee hives stop box, then rbee hives upgrade box"
      })
      yield* usable(HiveId.make("box"), machine({ installed: "0.9.0", hive: running("1.0.0") }), "1.0.0")
    })
  )
})
