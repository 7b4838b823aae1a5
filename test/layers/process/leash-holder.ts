/** A parent for the leash test: starts a child on a leash, prints its pid, and stays until it is killed. */
import { writeSync } from "node:fs"
import * as Effect from "effect/Effect"
import { Processes } from "../../../src/layers/process/index.ts"
import { layerNode } from "../../../src/layers/process/node.ts"

const program = Effect.gen(function* () {
  const { spawn } = yield* Processes
  const child = yield* spawn({
    command: process.execPath,
    args: ["-e", `process.stdin.resume().on("end", () => process.exit(0)); require("fs").writeSync(3, "up\\n")`],
    env: {},
    graceMs: 100,
    onControlLine: () => writeSync(1, `${child.id.pid}\n`)
  })
  yield* Effect.never
})

Effect.runFork(program.pipe(Effect.scoped, Effect.provide(layerNode)))
