/** A worker's interface (docs/api.md#worker). Only a queen calls it. */
import * as Schema from "effect/Schema"
import { AnswerForm } from "../machines/dialect/answer-form.ts"
import { Count, Health, Nothing } from "../machines/vocabulary/common.ts"
import { ofScope } from "../machines/vocabulary/people/parked.ts"
import { InferDone, InferRequest } from "../machines/vocabulary/worker.ts"
import { endpoint, type Handlers } from "./endpoint.ts"
import * as stream from "./events.ts"
import { byId, draining, none } from "./inputs.ts"

/** The whole answer; `text` and `tokens` are those of this call, without resumed ones; `form`: how the text is read. */
export const InferWhole = Schema.Struct({
  text: Schema.String,
  form: Schema.optional(AnswerForm),
  ...InferDone.fields
})

/** The id of a streamed answer, in the head of its stream. */
export const inferIdHeader = "x-infer-id"

const busyness = { slots: Count, busy: Count }

export const workerApi = {
  health: endpoint("GET", "/health", {
    scope: "open",
    summary: "Alive?",
    input: none,
    answers: { json: { 200: Health } }
  }),
  ready: endpoint("GET", "/ready", {
    scope: "peer",
    summary: "Loaded?",
    input: none,
    answers: {
      json: {
        200: Schema.Struct({ state: Schema.Literal("idle", "busy"), ...busyness }),
        503: Schema.Union(
          Schema.Struct({ state: Schema.Literal("loading"), progress: Schema.Number }),
          Schema.Struct({ state: Schema.Literal("draining"), ...busyness })
        )
      }
    }
  }),
  infer: endpoint("POST", "/infer", {
    scope: "peer",
    summary: "Decode one answer; whole with `stream` false, else its tokens",
    input: InferRequest,
    answers: { json: { 200: InferWhole }, events: stream.ofInfer },
    tells: [inferIdHeader],
    errors: ["ALL_SLOTS_BUSY", "CONFLICT", "CANCELLED", "MODEL_INVALID"],
    maxBytes: 32 * 1024 * 1024
  }),
  cancelInfer: endpoint("DELETE", "/infer/:id", {
    scope: "peer",
    summary: "Stop decoding",
    input: byId,
    answers: { json: { 204: Nothing } }
  }),
  /** by its hive, when the queen that reads them is out of reach */
  cancelInfers: endpoint("DELETE", "/infer", {
    scope: "peer",
    summary: "Stop all decoding",
    input: none,
    answers: { json: { 204: Nothing } }
  }),
  /** by its hive, which deletes the files */
  forget: endpoint("DELETE", "/parked", {
    scope: "peer",
    summary: "Use nothing any more that was read for this account, or for any",
    input: ofScope,
    answers: { json: { 204: Nothing } }
  }),
  shutdown: endpoint("POST", "/shutdown", {
    scope: "peer",
    summary: "Drain: new work 503, running work may finish until the deadline",
    input: draining,
    answers: { json: { 202: Nothing } }
  })
} as const

export type WorkerApi = Handlers<typeof workerApi>
