/**
 * The OpenAPI 3.1 document of an interface, from its declarations. Made when somebody asks for it, which takes some
 * 20 ms; loading this file costs next to nothing.
 */
import * as JSONSchema from "effect/JSONSchema"
import * as AST from "effect/SchemaAST"
import type { Api, Endpoint } from "./endpoint.ts"
import { megabyte } from "./wire/wire.ts"
import { paramsOf } from "./wire/input.ts"
import { isObject } from "../machines/formats/json/is-object.ts"

export interface OpenApiInfo {
  /** "rbee queen" */
  readonly title: string
  readonly version: string
  /** calls need the cluster's token */
  readonly guarded: boolean
}

type Json = Readonly<Record<string, unknown>>

export const openApi = (api: Api, info: OpenApiInfo): Json => {
  const schemas: Record<string, JSONSchema.JsonSchema7> = {}
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
      schemas,
      responses: { Error: { description: "The error, in the one envelope", content: json(errorSchema) } },
      ...(info.guarded ? { securitySchemes: { token: { type: "http", scheme: "bearer" } } } : {})
    },
    ...(info.guarded ? { security: [{ token: [] }] } : {})
  }
}

const json = (schema: unknown) => ({ "application/json": { schema } })
const text = { type: "string" }

const errorSchema = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "message", "type", "details"],
      properties: { code: text, message: text, type: text, details: { type: "object" }, correlation_id: text }
    }
  }
}

const schemaOf = (ast: AST.AST, schemas: Record<string, JSONSchema.JsonSchema7>): JSONSchema.JsonSchema7 =>
  JSONSchema.fromAST(ast, {
    definitions: schemas,
    definitionPath: "#/components/schemas/",
    target: "openApi3.1",
    topLevelReferenceStrategy: "skip",
    additionalPropertiesStrategy: "allow"
  })

const operation = (name: string, endpoint: Endpoint, schemas: Record<string, JSONSchema.JsonSchema7>): Json => {
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
  const inQuery = [...(endpoint.query ?? []), ...(endpoint.method === "POST" ? [] : rest)]
  const body = {
    ...shape,
    properties: Object.fromEntries(rest.map((field) => [field, properties[field]])),
    required: required.filter((field) => rest.includes(field)),
    additionalProperties: endpoint.strict !== true
  }
  const hasBody = endpoint.method === "POST" && (rest.length > 0 || Object.keys(properties).length === 0)
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
    ...(hasBody
      ? {
          requestBody: {
            description: `At most ${(endpoint.maxBytes ?? megabyte) / megabyte} MiB`,
            required: body.required.length > 0,
            content: json(body)
          }
        }
      : {}),
    responses: { ...answers(endpoint, schemas), default: { $ref: "#/components/responses/Error" } }
  }
}

const answers = (endpoint: Endpoint, schemas: Record<string, JSONSchema.JsonSchema7>): Json => {
  const events = { "text/event-stream": { schema: text } }
  switch (endpoint.kind) {
    case "events":
      return { "200": { description: "Server-Sent Events", content: events } }
    case "reply":
      return { "2XX": { description: "JSON, text or Server-Sent Events", content: { ...json({}), ...events } } }
    case "json": {
      const status = typeof endpoint.status === "number" ? String(endpoint.status) : "2XX"
      const bodiless = status === "204" || AST.isVoidKeyword(endpoint.output.ast)
      const content = bodiless ? {} : { content: json(schemaOf(endpoint.output.ast, schemas)) }
      return { [status]: { description: endpoint.summary, ...content } }
    }
  }
}
