/** What passes without Schema is what Schema would have passed unchanged. */
import { describe, expect, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { fastValidator } from "../../../src/machines/formats/json/fast-validate.ts"
import type { WireSchema } from "../../../src/protocol/answers.ts"
import { hiveApi } from "../../../src/protocol/hive.ts"
import { queenApi } from "../../../src/protocol/queen/index.ts"
import { workerApi } from "../../../src/protocol/worker.ts"
import { Heartbeat } from "../../../src/machines/vocabulary/hive.ts"
import { JobRequest, JobView } from "../../../src/machines/vocabulary/job.ts"
import { InferRequest } from "../../../src/machines/vocabulary/worker.ts"

const schemas: ReadonlyArray<WireSchema> = [queenApi, hiveApi, workerApi].flatMap((api) =>
  Object.values(api).flatMap((endpoint) => [endpoint.input, ...Object.values(endpoint.answers.json ?? {})])
)

/** Values like those that a schema takes, with one thing about them changed. */
const nearly = (schema: WireSchema) =>
  FastCheck.tuple(
    Arbitrary.make(Schema.encodedSchema(schema)),
    FastCheck.nat(),
    FastCheck.oneof(FastCheck.anything(), FastCheck.constantFrom<unknown>(undefined, null, {}, [], "", -1, 1.5))
  ).map(([value, at, other]) => {
    const copy: unknown = structuredClone(value)
    const places: Array<() => void> = []
    const visit = (inner: unknown): void => {
      if (typeof inner !== "object" || inner === null) return
      const fields = inner as Record<string, unknown> // arrays have string keys too
      for (const key of Object.keys(fields)) {
        places.push(
          () => (fields[key] = other),
          () => delete fields[key],
          () => (fields[`${key}_`] = other)
        )
        visit(fields[key])
      }
    }
    visit(copy)
    places[at % (places.length * 2 + 1)]?.()
    // what a wire can carry: no holes, no fields on arrays
    return JSON.parse(JSON.stringify(copy) ?? "null") as unknown
  })

describe("a value that is right as it stands", () => {
  it("is one that Schema decodes and encodes to an equal value", () => {
    let passed = 0
    for (const schema of schemas) {
      const accepts = fastValidator(schema.ast)
      if (accepts === undefined) continue
      FastCheck.assert(
        FastCheck.property(FastCheck.oneof(nearly(schema), FastCheck.jsonValue()), (value) => {
          if (!accepts(value)) return
          passed++
          for (const onExcessProperty of ["ignore", "error"] as const) {
            for (const code of [Schema.decodeUnknownEither(schema), Schema.encodeUnknownEither(schema)]) {
              expect(code(value, { onExcessProperty })).toEqual(Either.right(value))
            }
          }
        }),
        { numRuns: 60 }
      )
    }
    expect(passed).toBeGreaterThan(100)
  })

  it("is every heartbeat, every job and every request of one without fields of a later version", () => {
    for (const schema of [Heartbeat, Schema.Array(JobView), JobRequest, InferRequest] as ReadonlyArray<WireSchema>) {
      const accepts = fastValidator(schema.ast)
      FastCheck.assert(
        FastCheck.property(Arbitrary.make(schema), (value) => {
          // which is left to Schema
          FastCheck.pre(!JSON.stringify(value).includes('"__proto__"'))
          return accepts?.(value) === true
        })
      )
    }
    const accepts = fastValidator(Schema.Struct({ a: Schema.optional(Schema.String) }).ast)
    expect([{}, { a: "x" }, { a: undefined }, { b: 1 }, { a: 1 }, null, []].map((value) => accepts?.(value))).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
      false
    ])
  })

  it("is never decided where decoding changes values, or where two objects compete", () => {
    const a = Schema.Struct({ a: Schema.String })
    const ab = Schema.Struct({ a: Schema.String, b: Schema.String })
    for (const schema of [Schema.NumberFromString, Schema.Union(a, ab), Schema.Struct({}), Schema.Void] as const) {
      expect(fastValidator(schema.ast)).toBeUndefined()
    }
  })
})
