/** A job's answer as Anthropic's events: a token's JSON goes over as it is. */
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../../protocol/endpoint.ts"
import { frame, frameOf } from "../../../protocol/sse.ts"
import { anthropic } from "../../../protocol/surfaces/anthropic-surface.ts"
import { encodeError } from "../../../protocol/surfaces/rbee.ts"
import {
  type Delta,
  type EventData,
  type Message,
  type messageEvents,
  stopOf,
  usageOf
} from "../../../machines/vocabulary/anthropic/anthropic.ts"
import type { ReadAnswer } from "../answers.ts"
import { type BlockListener, blocksOf } from "./blocks.ts"

export interface StreamOptions {
  /** the message as it begins, asked for as it does */
  readonly begun: () => Message
  /** for the error envelope */
  readonly correlationId: string | undefined
  readonly source: ReadAnswer
}

/** Ends with `message_stop`; an answer that fails in the middle ends with `error` and without. */
export const messageFeed =
  ({ begun, correlationId, source }: StreamOptions): EventFeed =>
  (sink) =>
    Effect.suspend(() => {
      let out = ""
      let isBegun = false
      const say = (text: string): void => {
        if (!isBegun) out += event({ type: "message_start", message: begun() })
        isBegun = true
        out += text
      }
      const blocks = blocksOf(blockEvents(say))
      return source({
        ...blocks.said,
        done: (done) => {
          const delta = stopOf(done, blocks.end())
          say(event({ type: "message_delta", delta, usage: usageOf(done.usage) }) + event({ type: "message_stop" }))
        },
        error: (error) => {
          out += frameOf(undefined, "error", encodeError(error, correlationId, anthropic))
        },
        told: () => {
          const events = out
          out = ""
          return events === "" || sink.write(events)
        },
        drain: sink.drain
      })
    })

const event = (data: EventData<keyof typeof messageEvents>): string => frame({ event: data.type, data })

const blockEvents = (say: (text: string) => void): BlockListener => {
  const delta = (index: number, one: Delta): void => say(event({ type: "content_block_delta", index, delta: one }))
  /** around a token's text, encoded once a block */
  let around: readonly [before: string, after: string] = ["", ""]
  return {
    start: (index, content_block) => {
      around = aroundText(index)
      say(event({ type: "content_block_start", index, content_block }))
    },
    text: (_, json) => say(around[0] + json + around[1]),
    thinking: (index, thinking) => delta(index, { type: "thinking_delta", thinking }),
    signature: (index, signature) => delta(index, { type: "signature_delta", signature }),
    argument: (index, partial_json) => delta(index, { type: "input_json_delta", partial_json }),
    stop: (index) => say(event({ type: "content_block_stop", index }))
  }
}

const aroundText = (index: number): readonly [string, string] => {
  const empty = event({ type: "content_block_delta", index, delta: { type: "text_delta", text: "" } })
  const at = empty.indexOf('"text":""') + '"text":'.length
  return [empty.slice(0, at), empty.slice(at + 2)]
}
