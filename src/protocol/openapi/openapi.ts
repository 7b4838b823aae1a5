/**
 * The OpenAPI 3.1 document of an interface, from its declarations. Made when somebody asks for it, which takes some
 * 20 ms; loading this file costs next to nothing.
 */
import * as JSONSchema from "effect/JSONSchema"
import * as AST from "effect/SchemaAST"
import type { WireSchema } from "../answers.ts"
import type { Api, Endpoint } from "../endpoint.ts"
import { answerExample } from "./answer-examples.ts"
import { errorResponses, examplesOf, schemasOfErrors } from "./errors.ts"
import { megabyte } from "../wire/wire.ts"
import { hasBody, paramsOf } from "../wire/input.ts"
import { isObject } from "../../machines/formats/json/is-object.ts"

export interface OpenApiInfo {
  /** "rbee queen" */
  readonly title: string
  readonly version: string
  /** calls need the cluster's token */
  readonly guarded: boolean
}

type Json = Readonly<Record<string, unknown>>
type Schemas = Record<string, JSONSchema.JsonSchema7>

export const openApi = (api: Api, info: OpenApiInfo): Json => {
  const schemas: Schemas = {}
  const paths: Record<string, Record<string, unknown>> = {}
  for (const [name, endpoint] of Object.entries(api)) {
    const path = endpoint.path.replace(/:(\w+)/g, "{$1}")
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operation(name, endpoint, schemas) }
  }
  return {
    openapi: "3.1.0",
    info: { title: info.title, version: info.version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    paths,
    components: {
      schemas: { ...schemas, ...schemasOfErrors },
      examples: examplesOf(api),
      ...(info.guarded ? { securitySchemes: { token: { type: "http", scheme: "bearer" } } } : {})
    },
    ...(info.guarded ? { security: [{ token: [] }] } : {})
  }
}

const json = (schema: unknown, more: Json = {}) => ({ "application/json": { schema, ...more } })
const text = { type: "string" }

const schemaOf = (ast: AST.AST, schemas: Schemas): JSONSchema.JsonSchema7 =>
  JSONSchema.fromAST(ast, {
    definitions: schemas,
    definitionPath: "#/components/schemas/",
    target: "openApi3.1",
    topLevelReferenceStrategy: "skip",
    additionalPropertiesStrategy: "allow"
  })

const operation = (name: string, endpoint: Endpoint, schemas: Schemas): Json => {
  const input: unknown = schemaOf((endpoint.documented ?? endpoint.input).ast, schemas)
  const shape = isObject(input) ? input : {}
  const properties = isObject(shape["properties"]) ? shape["properties"] : {}
  const required = Array.isArray(shape["required"]) ? shape["required"] : []
  const parameter = (place: "path" | "query" | "header", label: string, field: string) => ({
    name: label,
    in: place,
    required: place === "path" || required.includes(field),
    schema: properties[field] ?? text
  })
  const inPath = paramsOf(endpoint.path)
  const headers = Object.entries(endpoint.headers ?? {})
  const elsewhere = new Set([...inPath, ...(endpoint.query ?? []), ...headers.map(([, field]) => field)])
  const rest = Object.keys(properties).filter((field) => !elsewhere.has(field))
  const inQuery = [...(endpoint.query ?? []), ...(hasBody(endpoint) ? [] : rest)]
  const body = {
    ...shape,
    properties: Object.fromEntries(rest.map((field) => [field, properties[field]])),
    required: required.filter((field) => rest.includes(field)),
    additionalProperties: endpoint.strict !== true
  }
  const showsBody = hasBody(endpoint) && (rest.length > 0 || Object.keys(properties).length === 0)
  return {
    operationId: name,
    summary: endpoint.summary,
    ...(endpoint.scope === "open" ? { security: [] } : {}),
    "x-rbee-scope": endpoint.scope,
    parameters: [
      ...inPath.map((field) => parameter("path", field, field)),
      ...inQuery.map((field) => parameter("query", field, field)),
      ...headers.map(([header, field]) => parameter("header", header, field))
    ],
    ...(showsBody
      ? {
          requestBody: {
            description: `At most ${(endpoint.maxBytes ?? megabyte) / megabyte} MiB`,
            required: body.required.length > 0,
            content: json(body)
          }
        }
      : {}),
    responses: merged(answers(endpoint, schemas), errorResponses(endpoint))
  }
}

const inside = (value: unknown, ...path: ReadonlyArray<string>): Json =>
  path.reduce<Json>((at, key) => (isObject(at[key]) ? at[key] : {}), isObject(value) ? value : {})

/** A status may be an answer and an error: a worker that loads is not ready, and nor is one that ends. */
const merged = (answered: Json, failed: Json): Json => {
  const both = (status: string): Json => {
    const type = "application/json"
    const [one, other] = [answered[status], failed[status]].map((each) => inside(each, "content", type))
    return {
      ...inside(answered[status]),
      content: {
        [type]: {
          schema: { anyOf: [one?.["schema"], other?.["schema"]] },
          examples: { ...inside(one, "examples"), ...inside(other, "examples") }
        }
      }
    }
  }
  const shared = Object.keys(answered).filter((status) => status in failed)
  return { ...answered, ...failed, ...Object.fromEntries(shared.map((status) => [status, both(status)])) }
}

const answers = (endpoint: Endpoint, schemas: Schemas): Json => {
  const { answers: all, tells = [] } = endpoint
  const headers = Object.fromEntries(tells.map((name) => [name, { schema: text }]))
  const at = (status: string): Json => ({
    description: endpoint.summary,
    ...(tells.length === 0 ? {} : { headers }),
    ...contentOf(endpoint, Number(status), schemas)
  })
  const statuses = new Set([...Object.keys(all.json ?? {}), ...Object.keys(all.text ?? {})])
  if (all.events !== undefined) statuses.add("200")
  return Object.fromEntries([...statuses].map((status) => [status, at(status)]))
}

/** What a body of this status may be, by media type. */
const contentOf = (endpoint: Pick<Endpoint, "answers" | "surface">, status: number, schemas: Schemas): Json => {
  const { events, json: values, text: texts } = endpoint.answers
  const value = values?.[status]
  const type = texts?.[status]
  const types = type === undefined ? [] : typeof type === "string" ? [type] : type
  const content = {
    ...(value === undefined || AST.isVoidKeyword(value.ast)
      ? {}
      : json(schemaOf(value.ast, schemas), { examples: { answer: { value: answerExample(value) } } })),
    ...Object.fromEntries(types.map((one) => [one, { schema: text }])),
    ...(events === undefined || status !== 200 ? {} : { [endpoint.surface.framing.type]: stream(events, schemas) })
  }
  return Object.keys(content).length === 0 ? {} : { content }
}

/** OpenAPI has no word for the events of a stream: its text, and what each event carries. */
const stream = (events: Readonly<Record<string, WireSchema>>, schemas: Schemas): Json => ({
  schema: text,
  "x-rbee-events": Object.fromEntries(Object.entries(events).map(([name, { ast }]) => [name, schemaOf(ast, schemas)]))
})
