/** A worker's interface (docs/api.md#worker). Only a queen calls it. */
import * as Schema from "effect/Schema"
import { Count, Health, Nothing } from "../machines/vocabulary/common.ts"
import { InferRequest } from "../machines/vocabulary/worker.ts"
import { events, type Handlers, json, reply } from "./endpoint.ts"
import { Id } from "../machines/vocabulary/ids.ts"

const none = Schema.Struct({})
const byId = Schema.Struct({ id: Id })

export const workerApi = {
  health: json("GET", "/health", { scope: "open", summary: "Alive?", input: none, output: Health }),
  /** 200 `{state,slots,busy}`, or 503 `{state:"loading",progress}` */
  ready: reply("GET", "/ready", { scope: "peer", summary: "Loaded?", input: none }),
  /** 201 `{infer_id, events}`; with `stream:false` 200 and the whole answer; 503 ALL_SLOTS_BUSY */
  infer: reply("POST", "/infer", {
    scope: "peer",
    summary: "Decode one answer",
    input: InferRequest,
    maxBytes: 32 * 1024 * 1024
  }),
  /** `token` InferToken *, then one of `done` InferDone, `error` WireError, `cancelled` {} */
  inferEvents: events("/infer/:id/events", { scope: "peer", summary: "Its tokens", input: byId }),
  cancelInfer: json("DELETE", "/infer/:id", {
    scope: "peer",
    summary: "Stop decoding",
    input: byId,
    output: Nothing,
    status: 204
  }),
  /** by its hive, when the queen that reads them is out of reach */
  cancelInfers: json("DELETE", "/infer", {
    scope: "peer",
    summary: "Stop all decoding",
    input: none,
    output: Nothing,
    status: 204
  }),
  shutdown: json("POST", "/shutdown", {
    scope: "peer",
    summary: "Drain: new work 503, running work may finish until the deadline",
    input: Schema.Struct({ deadline_ms: Schema.optional(Count) }),
    output: Nothing,
    status: 202
  })
} as const

export type WorkerApi = Handlers<typeof workerApi>

export const InferStarted = Schema.Struct({ infer_id: Schema.String, events: Schema.String })
