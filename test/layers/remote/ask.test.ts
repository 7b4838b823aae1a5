/** Why there is no answer of another machine's program. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ask } from "../../../src/layers/remote/ask.ts"
import type { Ran, SshConnection } from "../../../src/layers/ssh/index.ts"

const place = { host: "box", hive_port: 8600 }
const never = Effect.never
/** Commands end so, one after the other. */
const ending = (...ends: ReadonlyArray<Partial<Ran>>) => {
  const given: Array<string> = []
  const connection: SshConnection = {
    closed: never,
    ends: undefined,
    silentMs: () => 0,
    run: (_, stdin) =>
      Effect.sync(() => {
        given.push(stdin === "" ? "nothing" : "program")
        return { code: undefined, stdout: "", stderr: "", ...ends[given.length - 1] }
      }),
    open: () => never,
    listen: () => never,
    upload: () => never
  }
  return { connection, given }
}
const look = (connection: SshConnection) => Effect.flip(ask(connection, place, "uninstall", {}))

describe("a machine whose command ended without an answer", () => {
  it.effect("has no Node where it says so, also only when it is given nothing to read", () =>
    Effect.gen(function* () {
      const told = ending({ code: 127 })
      assert.strictEqual((yield* look(told.connection)).code, "NODE_MISSING")
      assert.deepEqual(told.given, ["program"])
      const untold = ending({ stderr: "/nowhere/node: No such file" }, { code: 127 })
      assert.strictEqual((yield* look(untold.connection)).code, "NODE_MISSING")
      assert.deepEqual(untold.given, ["program", "nothing"])
    })
  )

  it.effect("failed with its last words where it has Node", () =>
    Effect.gen(function* () {
      const { connection } = ending({ stderr: "out of memory" }, { code: 0 })
      const error = yield* look(connection)
      assert.strictEqual(error.code, "SSH_FAILED")
      assert.include(error.what, "out of memory")
    })
  )
})
