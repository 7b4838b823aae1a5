/** Asks llama.cpp's server, which is a peer like any other; what it says comes event by event. */
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { overflow } from "../../../machines/policy/memory/context.ts"
import { readEvents } from "../../../protocol/sse.ts"
import { feedOf } from "../../transport/http/client/feed.ts"
import { type Peer, readText, send } from "../../transport/http/client/request.ts"
import { type Failed, heard, type Said } from "./completion.ts"

/** until its first word, milliseconds: a long prompt, images before it. Who watches the worker is less patient */
const firstMs = 3_600_000
/** it says something each half minute */
const silenceMs = 90_000

/** What it would not do, or did otherwise than it is known; or it is gone, or as good as that. */
export type Refusal = RbeeError<"INVALID_REQUEST" | "INTERNAL"> | { readonly _tag: "Lost"; readonly why: string }

const broken = ({ what }: RbeeError): Refusal => ({ _tag: "Lost", why: what })
const odd = (why: string) => rbeeError("INTERNAL", `llama-server does not answer (${why})`, "", { reason: why })

/** `trained`: the most that the model could hold. */
const refusalOf = ({ error }: Failed, trained: number): Refusal => {
  const { message, n_ctx, n_prompt_tokens } = error
  if (n_prompt_tokens !== undefined && n_ctx !== undefined)
    return overflow(`the prompt has ${n_prompt_tokens} tokens`, n_ctx, {
      prompt_tokens: n_prompt_tokens,
      trained_context: trained
    })
  return error.type === "invalid_request_error"
    ? rbeeError("INVALID_REQUEST", `llama-server refuses it (${message.slice(0, 300)})`)
    : odd(message.slice(0, 300))
}

/** Completes when it has said all. */
export const ask = (
  peer: Peer,
  body: Readonly<Record<string, unknown>>,
  trained: number,
  onSaid: (said: Said) => void
): Effect.Effect<void, Refusal> =>
  Effect.gen(function* () {
    const headers = { ...peer.headers(), Accept: "text/event-stream" }
    const request = { method: "POST", path: "/completion", headers, body: JSON.stringify(body) } as const
    const { response } = yield* Effect.mapError(send(peer, request, firstMs), broken)
    if (response.statusCode !== 200) {
      const failed = heard(yield* Effect.mapError(readText(response, peer, silenceMs), broken))
      return yield* Effect.fail(
        failed !== undefined && "error" in failed
          ? refusalOf(failed, trained)
          : odd(`it answered with status ${response.statusCode}`)
      )
    }
    let refused: Refusal | undefined
    const feed = yield* feedOf(response, peer, silenceMs, "\n\n")
    const reading = readEvents(feed, ({ data }) => {
      const said = heard(data)
      if (said === undefined) refused ??= odd("what it said is not understood")
      else if ("error" in said) refused ??= refusalOf(said, trained)
      else if (refused === undefined) onSaid(said)
    })
    yield* Effect.mapError(reading, broken)
    if (refused !== undefined) return yield* Effect.fail(refused)
  })
