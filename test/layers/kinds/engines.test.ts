/** Which engine a worker starts: the one of the kind that its plan says. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Engine } from "../../../src/layers/engine/index.ts"
import { engineOf } from "../../../src/layers/kinds/engines.ts"
import { readArgument } from "../../../src/main/worker/argument.ts"
import { KindId } from "../../../src/machines/vocabulary/kind.ts"
import { scriptEngine, scriptKind } from "../../support/script-kind.ts"
import { plan } from "../../actors/worker/harness.ts"

const loaded = (kind: KindId) =>
  Effect.flatMap(Engine, ({ load }) =>
    load({ modelPath: "/nowhere.gguf", slots: 1, onProgress: () => undefined })
  ).pipe(Effect.scoped, Effect.provide(engineOf({ ...plan, kind }, { [scriptKind.id]: scriptEngine })))

describe("A worker's plan", () => {
  it.effect("starts the engine of its kind", () =>
    Effect.map(loaded(scriptKind.id), ({ backend }) => expect(backend).toBe("CPU"))
  )

  it.effect("of a kind that this program does not have fails by name, as what cannot be loaded does", () =>
    Effect.map(Effect.flip(loaded(KindId.make("other"))), (error) =>
      expect(error).toMatchObject({ code: "BACKEND_UNAVAILABLE", details: { kind: "other" } })
    )
  )

  it("without a kind, of a hive that knew of one only, is for the first", () => {
    const { kind: _, ...older } = plan
    const read = readArgument(JSON.stringify({ ...older, host: "127.0.0.1" }))
    expect(Either.map(read, (argument) => argument.plan.kind)).toEqual(Either.right("llama"))
  })
})
