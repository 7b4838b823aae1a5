/** A job's answer as one message. */
import * as Effect from "effect/Effect"
import { type AnswerBlock, type Message, stopOf, usageOf } from "../../../machines/vocabulary/anthropic/anthropic.ts"
import { argumentsIn } from "../../../machines/vocabulary/conversation.ts"
import type { AnswerError, ReadAnswer } from "../answers.ts"
import { toEnd } from "../gather.ts"
import { blocksOf } from "./blocks.ts"

/** Fails as the job does. */
export const wholeMessage = (begun: Message, read: ReadAnswer): Effect.Effect<Message, AnswerError> =>
  Effect.suspend(() => {
    const content: Array<AnswerBlock> = []
    let text = ""
    let sealed = ""
    const blocks = blocksOf({
      start: (_, block) => {
        content.push(block)
        text = ""
      },
      text: (_, json) => {
        text += String(JSON.parse(json))
      },
      thinking: (_, more) => {
        text += more
      },
      signature: (_, signature) => {
        sealed = signature
      },
      argument: (_, more) => {
        text += more
      },
      stop: (index) => {
        const block = content[index]
        if (block !== undefined) content[index] = filled(block, text, sealed)
      }
    })
    return Effect.map(toEnd(read, blocks.said), (done) => {
      const stop = stopOf(done, blocks.end())
      return { ...begun, content, ...stop, usage: usageOf(done.usage) }
    })
  })

const filled = (block: AnswerBlock, text: string, signature: string): AnswerBlock => {
  if (block.type === "text") return { ...block, text }
  return block.type === "thinking" ? { ...block, thinking: text, signature } : { ...block, input: argumentsIn(text) }
}
