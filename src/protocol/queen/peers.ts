/** What a hive calls: its heartbeats, and its first word with an invitation. */
import * as Schema from "effect/Schema"
import { Token } from "../../machines/vocabulary/token.ts"
import { Nothing } from "../../machines/vocabulary/common.ts"
import { Heartbeat } from "../../machines/vocabulary/hive.ts"
import { HiveId } from "../../machines/vocabulary/ids.ts"
import { endpoint } from "../endpoint.ts"
import { ofWaking } from "../failures.ts"

export const peersApi = {
  heartbeat: endpoint("POST", "/heartbeats", {
    scope: "peer",
    summary: "A hive's heartbeat, workers nested",
    input: Heartbeat,
    answers: { json: { 204: Nothing } },
    errors: ["HIVE_NOT_FOUND", "CONFLICT"]
  }),
  joinHive: endpoint("POST", "/hives/:id/join", {
    // who comes has an invitation, and nothing else yet
    scope: "open",
    summary: "A hive that was invited joins: it brings what the queen shows to it, and is told what to show to her",
    input: Schema.Struct({
      id: HiveId,
      /** absent: it has joined before, and shows the secret that it brought then */
      invite: Schema.optional(Schema.String),
      secret: Token,
      /** where it listens, on the loopback of the queen's machine or at the address that it was invited from */
      port: Schema.Int.pipe(Schema.between(1, 65_535)),
      /** where it reaches the queen */
      queen: Schema.String.pipe(Schema.pattern(/^http:\/\/[A-Za-z0-9.:[\]_-]{1,253}$/))
    }),
    answers: { json: { 204: Nothing } },
    errors: ofWaking,
    strict: true
  })
} as const
