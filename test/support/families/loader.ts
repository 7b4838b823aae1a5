/** A program that loads each file whose path it reads, answers a token with it, and says what came of it. */
import { createInterface } from "node:readline"
import * as Effect from "effect/Effect"
import { Engine } from "../../../src/layers/engine/index.ts"
import { layerLlama } from "../../../src/layers/engine/llama.ts"

const answer = (modelPath: string) =>
  Effect.gen(function* () {
    const engine = yield* Engine
    const model = yield* engine.load({ modelPath, slots: 2, context: 256, threads: 1, onProgress: () => undefined })
    yield* model.generate({
      input: { _tag: "Prompt", prompt: "hello the world" },
      maxTokens: 2,
      sampling: { temperature: 0, topP: 1, topK: 0 },
      stop: [],
      ignoreEos: true,
      onToken: () => undefined
    })
    return "answered"
  }).pipe(
    Effect.catchAll((error) => Effect.succeed(error.code)),
    Effect.catchAllDefect((defect) => Effect.succeed(`defect: ${String(defect)}`)),
    Effect.scoped,
    Effect.provide(layerLlama({ gpu: "cpu" }))
  )

for await (const path of createInterface(process.stdin)) {
  process.stdout.write(`${await Effect.runPromise(answer(path))}\n`)
}
