/** Every endpoint of every interface, on every transport: what goes in comes out, whatever it is. */
import { describe, expect, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import type { Api, Endpoint } from "../../src/protocol/endpoint.ts"
import { hiveApi } from "../../src/protocol/hive.ts"
import { queenApi } from "../../src/protocol/queen/index.ts"
import { workerApi } from "../../src/protocol/worker.ts"
import { callOf, recording, type Seen, transports } from "./transports.ts"

const samplesEach = 12
/** one seed for all runs: a failure here is found again by running it again */
const seed = 20_261_122

/** JSON has no NaN, no infinities, no −0 and no lone surrogates; those are refused or changed by any JSON wire. */
const faithful = (value: unknown): boolean => {
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0)
  if (typeof value === "string") return !/\p{Surrogate}/u.test(value)
  if (typeof value !== "object" || value === null) return true
  return Object.entries(value).every(([key, inner]) => key !== "__proto__" && faithful(key) && faithful(inner))
}

/** Header values are printable ASCII without spaces at their ends, and not empty. */
const headersFit = (endpoint: Endpoint, input: unknown): boolean =>
  Object.values(endpoint.headers ?? {}).every((field) => {
    const value = (input as Readonly<Record<string, unknown>>)[field] // inputs are objects by declaration
    return value === undefined || (typeof value === "string" && /^[\x21-\x7e]+$/.test(value))
  })

const paramsFit = (endpoint: Endpoint, input: unknown): boolean =>
  !endpoint.path.includes(":ref") || (input as { readonly ref: string }).ref !== "" // inputs are objects by declaration

const samples = (schema: Schema.Schema.AnyNoContext, fits: (value: unknown) => boolean): ReadonlyArray<unknown> =>
  FastCheck.sample(
    Arbitrary.make(schema).filter(
      // a record of the schema's loses `__proto__` as it is encoded
      (value) => faithful(value) && faithful(Schema.encodeSync(schema)(value)) && fits(value)
    ),
    { numRuns: samplesEach, seed }
  )

/** Optional fields that are undefined are absent on the wire. */
const pruned = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)))

/** The values of a schema; of none, nothing. */
const valuesOf = (schema: Schema.Schema.AnyNoContext): ReadonlyArray<unknown> =>
  AST.isVoidKeyword(schema.ast) ? [undefined] : samples(schema, () => true)

const feed = () => Effect.void

/** Whatever a handler of this endpoint may give, and whether it is told what it is. */
const outputsOf = ({ answers }: Endpoint): ReadonlyArray<unknown> => {
  const values = Object.entries(answers.json ?? {}).flatMap(([status, schema]) =>
    valuesOf(schema).map((body) => ({ _tag: "Json", status: Number(status), body }))
  )
  const texts = Object.entries(answers.text ?? {}).flatMap(([status, types]) =>
    [types].flat().map((type) => ({ _tag: "Text", status: Number(status), type, body: "rbee_up 1\n" }))
  )
  const streams = answers.events === undefined ? [] : [{ _tag: "Events", feed }]
  const forms = Object.keys(answers.json ?? {}).length + texts.length + streams.length
  if (forms > 1 || answers.headed === true) return [...values, ...texts, ...streams]
  return [...values.map(({ body }) => body), ...texts.map(({ body }) => body), ...streams.map((stream) => stream.feed)]
}

/** What can be compared: a stream is another function on each side. */
const comparable = (output: unknown): unknown =>
  JSON.parse(JSON.stringify(output ?? null, (_, value) => (typeof value === "function" ? "a stream" : value)))

const apis: ReadonlyArray<readonly [string, Api]> = [
  ["queen", queenApi],
  ["hive", hiveApi],
  ["worker", workerApi]
]

for (const transport of transports) {
  for (const [role, api] of apis) {
    describe(`${role} over ${transport.name}`, () => {
      for (const [name, endpoint] of Object.entries(api)) {
        it.scopedLive(`${name} takes every input and gives every answer unchanged`, () =>
          Effect.gen(function* () {
            const seen: Array<Seen> = []
            const outputs = outputsOf(endpoint)
            let turn = 0
            const client = yield* transport.open(
              api,
              recording(api, seen, () => Effect.succeed(outputs[turn++ % outputs.length]))
            )
            const inputs = samples(endpoint.input, (value) => headersFit(endpoint, value) && paramsFit(endpoint, value))
            for (const [index, input] of inputs.entries()) {
              const answer = yield* callOf(client, name)(input)
              expect(seen.at(-1)?.name).toBe(name)
              expect(pruned(seen.at(-1)?.input)).toEqual(pruned(input))
              expect(comparable(answer)).toEqual(comparable(outputs[index % outputs.length]))
            }
            expect(seen).toHaveLength(samplesEach)
          })
        )
      }
    })
  }
}
