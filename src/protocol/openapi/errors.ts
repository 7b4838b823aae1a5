/** What calls may fail with, as the OpenAPI document tells it: by status, with an example of each code. */
import { type ErrorCode, rbeeError, statusOf } from "../../machines/errors.ts"
import type { Api, Endpoint } from "../endpoint.ts"
import { errorExamples } from "./error-examples.ts"
import { carried } from "../failures.ts"
import { hasBody } from "../wire/input.ts"

type Json = Readonly<Record<string, unknown>>

const text = { type: "string" }

const envelope = (error: Json, required: ReadonlyArray<string> = []): Json => ({
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "message", "type", "details", ...required],
      properties: { code: text, message: text, type: text, details: { type: "object" }, correlation_id: text, ...error }
    }
  }
})

/** The envelopes, by the name of their surface. */
export const schemasOfErrors: Json = {
  "Error-rbee": envelope({ code: { enum: Object.keys(statusOf) } }),
  "Error-openai": envelope({ param: { type: ["string", "null"] } }, ["param"]),
  "Error-ollama": {
    type: "object",
    required: ["error", "code", "details"],
    properties: { error: text, code: { enum: Object.keys(statusOf) }, details: { type: "object" } }
  },
  "Error-anthropic": {
    type: "object",
    required: ["type", "error"],
    properties: {
      type: { const: "error" },
      error: {
        type: "object",
        required: ["type", "message", "details"],
        properties: { type: text, message: text, details: { type: "object" } }
      },
      request_id: { type: ["string", "null"] }
    }
  }
}

/** What any call of this scope and method may fail with. */
const everywhere = (endpoint: Endpoint): ReadonlyArray<ErrorCode> =>
  carried.filter((code) => {
    if (code === "MISSING_API_KEY" || code === "INVALID_API_KEY") return endpoint.scope !== "open"
    return code === "PAYLOAD_TOO_LARGE" || code === "QUEUE_FULL" ? hasBody(endpoint) : true
  })

/** All codes of an endpoint. */
export const codesOf = (endpoint: Endpoint): ReadonlyArray<ErrorCode> => [
  ...new Set([...endpoint.errors, ...everywhere(endpoint)])
]

/** Its statuses here; a body that comes too slowly has one of its own wherever there is a body. */
export const statusesOf = (endpoint: Endpoint, code: ErrorCode): ReadonlyArray<number> => {
  if (code === "DEADLINE_EXCEEDED" && hasBody(endpoint)) return [statusOf[code], 408]
  return endpoint.statuses?.[code] ?? [statusOf[code]]
}

const nameOf = (endpoint: Endpoint, code: ErrorCode, status: number): string =>
  [endpoint.surface.name, code, ...(status === statusOf[code] ? [] : [status])].join("-")

interface Failure {
  readonly code: ErrorCode
  readonly status: number
}

const failuresOf = (endpoint: Endpoint): ReadonlyArray<Failure> =>
  codesOf(endpoint).flatMap((code) => statusesOf(endpoint, code).map((status) => ({ code, status })))

const exampleOf = ({ surface }: Endpoint, { code, status }: Failure): Json => {
  const { details, todo, what } = errorExamples[code]
  const own = status === statusOf[code] ? details : { ...details, status }
  return { value: surface.envelope(rbeeError(code, what, todo, own), "1f0c2b7e") }
}

/** One example for each code, status and envelope that some endpoint has. */
export const examplesOf = (api: Api): Json =>
  Object.fromEntries(
    Object.values(api).flatMap((endpoint) =>
      failuresOf(endpoint).map((one) => [nameOf(endpoint, one.code, one.status), exampleOf(endpoint, one)])
    )
  )

export const errorResponses = (endpoint: Endpoint): Json => {
  const failures = failuresOf(endpoint)
  const at = (status: number): Json => {
    const codes = failures.filter((one) => one.status === status).map(({ code }) => code)
    return {
      description: codes.join(", "),
      content: {
        "application/json": {
          schema: { $ref: `#/components/schemas/Error-${endpoint.surface.name}` },
          examples: Object.fromEntries(
            codes.map((code) => [code, { $ref: `#/components/examples/${nameOf(endpoint, code, status)}` }])
          )
        }
      }
    }
  }
  return Object.fromEntries([...new Set(failures.map(({ status }) => status))].map((status) => [status, at(status)]))
}
