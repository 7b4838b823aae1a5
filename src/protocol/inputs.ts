/** Inputs that many endpoints have. */
import * as Schema from "effect/Schema"
import { Count } from "../machines/vocabulary/common.ts"
import { HiveId, Id, JobId, WorkerId } from "../machines/vocabulary/ids.ts"

export const none = Schema.Struct({})
export const byJob = Schema.Struct({ id: JobId })
export const byId = Schema.Struct({ id: Id })
export const byHive = Schema.Struct({ id: HiveId })
export const byWorker = Schema.Struct({ id: WorkerId })
export const after = Schema.optional(Schema.String)
/** `Last-Event-ID` as header, or as `?last_event_id=` */
export const resumable = { query: ["last_event_id"], headers: { "last-event-id": "last_event_id" } } as const
export const byIdAfter = Schema.Struct({ id: Id, last_event_id: after })
/** how long what runs may go on */
export const draining = Schema.Struct({ deadline_ms: Schema.optional(Count) })
