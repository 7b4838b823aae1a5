/** Schemas made grammars by the real thread. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { CurrentGrammars } from "../../src/layers/grammars/index.ts"
import { threadedGrammars } from "../../src/layers/grammars/thread.ts"
import { contentOnly } from "../../src/machines/dialect/dialect.ts"
import type { Wishes } from "../../src/machines/grammar/answer/constraint.ts"

/** An object of as many texts, each with a pattern of its own. */
const large = (count: number) => ({
  type: "object",
  properties: Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`field${at}`, { type: "string", pattern: `^[a-z]{1,40}-${at}$` }])
  )
})
const to = (schema: Record<string, unknown>): Wishes => ({ response_format: { type: "json_schema", schema } })
const answering = (wishes: Wishes) => ({ wishes, dialect: contentOnly(""), prompt: "", ends: ["</s>"] })

describe("the thread that makes grammars", () => {
  it.scopedLive("makes those that would be made here, and refuses what would be refused", () =>
    Effect.gen(function* () {
      const [here, there] = [yield* CurrentGrammars, threadedGrammars()]
      const schemas = [
        {},
        { type: "integer", minimum: 3 },
        large(3),
        { not: {} },
        { type: "poem" },
        { pattern: "(?=a)" }
      ]
      for (const wishes of [{}, { response_format: { type: "json_object" } } as const, ...schemas.map(to)]) {
        const asked = (grammars: typeof here) =>
          Effect.map(
            Effect.all([
              Effect.either(Effect.as(grammars.check(wishes), undefined)),
              Effect.either(grammars.of(answering(wishes)))
            ]),
            (all) => all.map(Either.mapLeft(({ code, details, message }) => ({ code, details, message })))
          )
        const found = yield* asked(there)
        expect(found).toEqual(yield* asked(here))
        // and again, remembered
        expect(yield* asked(there)).toEqual(found)
      }
    })
  )

  it.scopedLive("makes here what a thread that ends without a word was asked for", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "rbee-grammars-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const program = join(folder, "ends.cjs")
      writeFileSync(program, 'require("node:worker_threads").parentPort.once("message", () => process.exit(0))')
      const schema = answering(to({ type: "integer" }))
      const asked = Effect.timeout(threadedGrammars(program).of(schema), 5000)
      expect(yield* asked).toBe(yield* (yield* CurrentGrammars).of(schema))
    })
  )

  it.scopedLive("holds nobody up, however large a schema is", () =>
    Effect.gen(function* () {
      const grammars = threadedGrammars()
      yield* grammars.check(to({}))
      let turns = 0
      const counting = setInterval(() => turns++, 1)
      yield* grammars.check(to(large(150)))
      clearInterval(counting)
      expect(turns).toBeGreaterThan(10)
    })
  )
})
