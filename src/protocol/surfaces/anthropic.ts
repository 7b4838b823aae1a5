/** Anthropic's interface, as its clients call it. */
import * as Schema from "effect/Schema"
import { Message, messageEvents, MessagesRequest, TokenCount } from "../../machines/vocabulary/anthropic/anthropic.ts"
import { endpoint } from "../endpoint.ts"
import { ofAnswering } from "../failures.ts"
import { anthropic } from "./anthropic-surface.ts"
import { ignoredHeader } from "./surface.ts"

const input = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const maxBytes = 32 * 1024 * 1024

export const anthropicApi = {
  v1Messages: endpoint("POST", "/v1/messages", {
    surface: anthropic,
    scope: "infer",
    summary: "Anthropic: a message",
    input,
    documented: MessagesRequest,
    answers: { json: { 200: Message }, events: messageEvents },
    errors: ofAnswering,
    tells: [ignoredHeader],
    maxBytes
  }),
  v1CountTokens: endpoint("POST", "/v1/messages/count_tokens", {
    surface: anthropic,
    scope: "infer",
    summary: "Anthropic: tokens of a prompt",
    input,
    documented: MessagesRequest,
    answers: { json: { 200: TokenCount } },
    errors: ofAnswering,
    maxBytes
  })
} as const
