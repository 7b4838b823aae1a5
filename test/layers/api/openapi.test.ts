/** The OpenAPI documents say what the interfaces declare. */
import { served } from "../../../src/machines/vocabulary/openai/fields.ts"
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Api } from "../../../src/protocol/endpoint.ts"
import { codesOf } from "../../../src/protocol/openapi/errors.ts"
import { openApi } from "../../../src/protocol/openapi/openapi.ts"
import { decodeError } from "../../../src/protocol/wire/error.ts"
import { hiveApi } from "../../../src/protocol/hive.ts"
import { queenApi } from "../../../src/protocol/queen/index.ts"
import { workerApi } from "../../../src/protocol/worker.ts"

const apis: ReadonlyArray<readonly [string, Api]> = [
  ["queen", queenApi],
  ["hive", hiveApi],
  ["worker", workerApi]
]

interface Content {
  readonly examples?: Readonly<Record<string, { readonly $ref?: string }>>
  readonly "x-rbee-events"?: Readonly<Record<string, unknown>>
}
type Operations = Readonly<
  Record<
    string,
    Readonly<
      Record<
        string,
        { readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Content>> }>> }
      >
    >
  >
>

/** All `$ref`s of a document. */
const refs = (value: unknown): ReadonlyArray<string> =>
  typeof value !== "object" || value === null
    ? []
    : Object.entries(value).flatMap(([key, inner]) => (key === "$ref" ? [String(inner)] : refs(inner)))

const at = (document: unknown, pointer: string): unknown =>
  pointer
    .slice(2)
    .split("/")
    // documents are plain JSON
    .reduce<unknown>((value, key) => (value as Readonly<Record<string, unknown>> | undefined)?.[key], document)

describe("openapi.json", () => {
  it.each(apis)(
    "of the %s has every call once, with every parameter of its path, and no dangling reference",
    (_, api) => {
      const document = openApi(api, { title: "rbee", version: "1.2.3", guarded: true })
      const found = Object.entries(
        document["paths"] as Record<string, Record<string, { operationId: string }>>
      ).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, { operationId }]) => ({ path, method, operationId }))
      )
      expect(found.map(({ operationId }) => operationId).toSorted()).toEqual(Object.keys(api).toSorted())
      for (const { path, method, operationId } of found) {
        const endpoint = api[operationId]
        expect([method.toUpperCase(), path.replaceAll("{", ":").replaceAll("}", "")]).toEqual([
          endpoint?.method,
          endpoint?.path
        ])
        const parameters = at(document, `#/paths`) as Record<
          string,
          Record<string, { parameters: Array<{ name: string }> }>
        >
        const names = parameters[path]?.[method]?.parameters.map(({ name }) => name)
        for (const [, param] of path.matchAll(/\{(\w+)\}/g)) expect(names).toContain(param)
      }
      for (const ref of refs(document)) expect([ref, at(document, ref)]).not.toEqual([ref, undefined])
      expect(JSON.parse(JSON.stringify(document))).toEqual(document)
    }
  )

  it("says what a job takes: its header, its limits, and that nothing else is allowed", () => {
    const document = openApi(queenApi, { title: "rbee", version: "1", guarded: false })
    expect(document["paths"]).toMatchObject({
      "/jobs": {
        post: {
          parameters: [{ name: "idempotency-key", in: "header", required: false }],
          requestBody: {
            content: {
              "application/json": {
                schema: {
                  required: ["model"],
                  additionalProperties: false,
                  properties: { temperature: { minimum: 0, maximum: 2 }, model: { maxLength: 512 } }
                }
              }
            }
          },
          responses: {
            "201": {},
            "409": {
              description: "CONFLICT",
              content: {
                "application/json": { examples: { CONFLICT: { $ref: "#/components/examples/rbee-CONFLICT" } } }
              }
            }
          }
        }
      },
      "/health": { get: { security: [] } },
      "/shutdown": { post: { parameters: [{ name: "cascade", in: "query" }, { name: "session" }] } }
    })
    expect(document).not.toHaveProperty("security")
  })

  it.each(apis)("of the %s has an example of each error, in its envelope, by its status", (_, api) => {
    const document = openApi(api, { title: "rbee", version: "1", guarded: true })
    for (const endpoint of Object.values(api)) {
      const path = endpoint.path.replace(/:(\w+)/g, "{$1}")
      // documents are plain JSON
      const { responses } = (document["paths"] as Operations)[path]?.[endpoint.method.toLowerCase()] ?? {
        responses: {}
      }
      const found = Object.entries(responses).flatMap(([status, { content }]) =>
        Object.entries(content?.["application/json"]?.examples ?? {}).flatMap(([code, { $ref }]) => {
          if ($ref === undefined) return []
          const { value } = at(document, $ref) as { readonly value: unknown }
          expect([code, decodeError(value)?.status]).toEqual([code, Number(status)])
          expect(decodeError(value)?.code).toBe(code)
          return [code]
        })
      )
      expect([...new Set(found)].sort()).toEqual([...codesOf(endpoint)].sort())
    }
  })

  it.each(apis)("of the %s has an example of each JSON answer, which its own schema takes", (_, api) => {
    const document = JSON.parse(JSON.stringify(openApi(api, { title: "rbee", version: "1", guarded: true })))
    for (const [name, endpoint] of Object.entries(api)) {
      const path = endpoint.path.replace(/:(\w+)/g, "{$1}")
      for (const [status, schema] of Object.entries(endpoint.answers.json ?? {})) {
        const { content } = document.paths[path][endpoint.method.toLowerCase()].responses[status]
        if (content === undefined) continue
        const example = content["application/json"].examples.answer?.value
        expect([name, status, example]).not.toEqual([name, status, undefined])
        const read = Schema.decodeUnknownEither(schema)(example)
        expect([name, status, Either.isRight(read) ? "taken" : String(read.left)]).toEqual([name, status, "taken"])
      }
    }
  })

  it("says what a stream carries, and a text is", () => {
    const document = openApi(queenApi, { title: "rbee", version: "1", guarded: false })
    const paths = document["paths"] as Operations
    const events = paths["/jobs/{id}/events"]?.["get"]?.responses["200"]?.content?.["text/event-stream"]
    expect(Object.keys(events?.["x-rbee-events"] ?? {})).toEqual(expect.arrayContaining(["token", "done", "error"]))
    expect(Object.keys(paths["/metrics"]?.["get"]?.responses["200"]?.content ?? {})).toEqual([
      "text/plain; version=0.0.4; charset=utf-8"
    ])
  })

  it("says what a chat completion may ask, null included", () => {
    const document = JSON.stringify(openApi({ v1Chat: queenApi.v1Chat }, { title: "t", version: "1", guarded: false }))
    const { properties, required } =
      JSON.parse(document).paths["/v1/chat/completions"].post.requestBody.content["application/json"].schema
    expect(required).toEqual(["messages"])
    expect(Object.keys(properties).sort()).toEqual([...served].sort())
    expect(JSON.stringify(properties.seed)).toContain("null")
  })
})
