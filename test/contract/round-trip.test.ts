/** Every endpoint of every interface, on every transport: what goes in comes out, whatever it is. */
import { describe, expect, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import type { Api, Endpoint, JsonEndpoint } from "../../src/protocol/endpoint.ts"
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
    Arbitrary.make(schema).filter((value) => faithful(Schema.encodeSync(schema)(value)) && fits(value)),
    { numRuns: samplesEach, seed }
  )

/** Optional fields that are undefined are absent on the wire. */
const pruned = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)))

/** A 204 has no body, so that nothing but "nothing" can come of it. */
const bodiless = (endpoint: Endpoint): boolean => endpoint.kind === "json" && endpoint.status === 204

const outputsOf = (endpoint: JsonEndpoint): ReadonlyArray<unknown> =>
  AST.isVoidKeyword(endpoint.output.ast) ? [undefined] : samples(endpoint.output, () => true)

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
            const outputs =
              endpoint.kind === "json"
                ? outputsOf(endpoint)
                : [{ _tag: "Json", status: 200, body: { any: ["thing", 1, null] } }]
            let turn = 0
            const client = yield* transport.open(
              api,
              recording(api, seen, () =>
                Effect.succeed(endpoint.kind === "events" ? () => Effect.void : outputs[turn++ % outputs.length])
              )
            )
            const inputs = samples(endpoint.input, (value) => headersFit(endpoint, value) && paramsFit(endpoint, value))
            for (const [index, input] of inputs.entries()) {
              const answer = yield* callOf(client, name)(input)
              expect(seen.at(-1)?.name).toBe(name)
              expect(pruned(seen.at(-1)?.input)).toEqual(pruned(input))
              if (endpoint.kind === "events") {
                expect(answer).toBeTypeOf("function")
                continue
              }
              const sent = outputs[index % outputs.length]
              expect(answer ?? null).toEqual(bodiless(endpoint) ? null : (pruned(sent) ?? null))
            }
            expect(seen).toHaveLength(samplesEach)
          })
        )
      }
    })
  }
}
