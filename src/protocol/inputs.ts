/** Inputs that many endpoints have. */
import * as Schema from "effect/Schema"
import { Id, JobId } from "../machines/vocabulary/ids.ts"

export const none = Schema.Struct({})
export const byJob = Schema.Struct({ id: JobId })
export const byId = Schema.Struct({ id: Id })
export const after = Schema.optional(Schema.String)
/** `Last-Event-ID` as header, or as `?last_event_id=` */
export const resumable = { query: ["last_event_id"], headers: { "last-event-id": "last_event_id" } } as const
