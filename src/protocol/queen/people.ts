/** Keys of people: who has one, what it has used, and what operators did. */
import * as Schema from "effect/Schema"
import { KeyMade, KeyName, KeyRequest, KeyView } from "../../machines/vocabulary/people/key.ts"
import { AuditEntry, UsageView } from "../../machines/vocabulary/people/usage.ts"
import { Count } from "../../machines/vocabulary/common.ts"
import { endpoint } from "../endpoint.ts"
import { ofStore } from "../failures.ts"
import { none } from "../inputs.ts"
import { openAi } from "../surfaces/openai-surface.ts"

const between = (from: number, to: number) => Schema.NumberFromString.pipe(Schema.int(), Schema.between(from, to))

export const peopleApi = {
  addKey: endpoint("POST", "/keys", {
    scope: "manage",
    summary: "A key for a person, told this once; a name whose key was revoked goes on with its usage",
    input: KeyRequest,
    answers: { json: { 201: KeyMade } },
    errors: [...ofStore, "CONFLICT"],
    strict: true
  }),
  listKeys: endpoint("GET", "/keys", {
    scope: "manage",
    summary: "Keys, those that were revoked too; never the keys themselves",
    input: none,
    answers: { json: { 200: Schema.Array(KeyView) } }
  }),
  revokeKey: endpoint("DELETE", "/keys/:name", {
    scope: "manage",
    summary: "A key opens nothing any more, and what it asks for at the moment is ended",
    input: Schema.Struct({ name: KeyName }),
    answers: { json: { 200: Schema.Struct({ name: KeyName, ended: Count }) } },
    errors: [...ofStore, "NOT_FOUND"]
  }),
  usage: endpoint("GET", "/v1/usage", {
    scope: "infer",
    surface: openAi,
    summary: "What the caller's key has used, by day; of all keys for who may observe",
    input: Schema.Struct({
      /** how many days, today among them; 30 where nothing is said */
      days: Schema.optional(between(1, 400))
    }),
    answers: { json: { 200: UsageView } },
    errors: ofStore
  }),
  audit: endpoint("GET", "/audit", {
    scope: "observe",
    summary: "What operators did, newest first",
    input: Schema.Struct({ limit: Schema.optional(between(1, 10_000)) }),
    answers: { json: { 200: Schema.Array(AuditEntry) } },
    errors: ofStore
  })
} as const
