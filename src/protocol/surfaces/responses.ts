/** OpenAI's Responses, as its clients call them. */
import * as Schema from "effect/Schema"
import { ResponseRequest } from "../../machines/vocabulary/responses/request.ts"
import { DeletedResponse, InputItems, Response, responseEvents } from "../../machines/vocabulary/responses/response.ts"
import { endpoint } from "../endpoint.ts"
import { ofAnswering, ofStore } from "../failures.ts"
import { openAiResponses } from "./openai-surface.ts"
import { ignoredHeader } from "./surface.ts"

const byResponse = { id: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(128)) }
const ofOne = { surface: openAiResponses, scope: "infer", errors: [...ofStore, "NOT_FOUND"] } as const

export const responsesApi = {
  v1CreateResponse: endpoint("POST", "/v1/responses", {
    surface: openAiResponses,
    scope: "infer",
    summary: "OpenAI: a response",
    input: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    documented: ResponseRequest,
    answers: { json: { 200: Response }, events: responseEvents },
    errors: ofAnswering,
    tells: [ignoredHeader],
    maxBytes: 32 * 1024 * 1024
  }),
  v1Response: endpoint("GET", "/v1/responses/:id", {
    ...ofOne,
    summary: "OpenAI: a stored response, or its events after one of them",
    input: Schema.Struct({
      ...byResponse,
      stream: Schema.optional(Schema.BooleanFromString),
      starting_after: Schema.optional(Schema.NumberFromString.pipe(Schema.int(), Schema.nonNegative()))
    }),
    answers: { json: { 200: Response }, events: responseEvents }
  }),
  v1CancelResponse: endpoint("POST", "/v1/responses/:id/cancel", {
    ...ofOne,
    summary: "OpenAI: cancel a response",
    input: Schema.Struct(byResponse),
    answers: { json: { 200: Response } }
  }),
  v1DeleteResponse: endpoint("DELETE", "/v1/responses/:id", {
    ...ofOne,
    summary: "OpenAI: forget a response",
    input: Schema.Struct(byResponse),
    answers: { json: { 200: DeletedResponse } }
  }),
  v1ResponseInput: endpoint("GET", "/v1/responses/:id/input_items", {
    ...ofOne,
    summary: "OpenAI: what a response was asked with",
    input: Schema.Struct({
      ...byResponse,
      order: Schema.optional(Schema.Literal("asc", "desc")),
      limit: Schema.optional(Schema.NumberFromString.pipe(Schema.int(), Schema.between(1, 100))),
      after: Schema.optional(Schema.String)
    }),
    answers: { json: { 200: InputItems } }
  })
} as const
