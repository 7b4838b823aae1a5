/** The blocks of an answer: each kind of thing that it says begins one, and ends the one before. */
import { type AnswerBlock, signature } from "../../../machines/vocabulary/anthropic/anthropic.ts"
import type { Said } from "../gather.ts"

/** What becomes of them. */
export interface BlockListener {
  readonly start: (index: number, block: AnswerBlock) => void
  /** a JSON string */
  readonly text: (index: number, json: string) => void
  readonly thinking: (index: number, text: string) => void
  /** Of what was thought, before it ends. */
  readonly signature: (index: number, signature: string) => void
  readonly argument: (index: number, text: string) => void
  readonly stop: (index: number) => void
}

/** Anthropic's clients look for the word before it. */
const callId = (id: string): string => `toolu_${id}`

export interface Blocks {
  readonly said: Said
  /** The last one ends; gives how many of them call a tool. */
  readonly end: () => number
}

export const blocksOf = (told: BlockListener): Blocks => {
  let index = -1
  let open: AnswerBlock["type"] | undefined
  let calls = 0
  const close = (): void => {
    if (open === "thinking") told.signature(index, signature)
    if (open !== undefined) told.stop(index)
    open = undefined
  }
  const begin = (block: AnswerBlock): void => {
    close()
    open = block.type
    told.start(++index, block)
  }
  return {
    said: {
      content: (json) => {
        // a token without text of its own is no block
        if (json === '""') return
        if (open !== "text") begin({ type: "text", text: "" })
        told.text(index, json)
      },
      reasoning: (text) => {
        if (open !== "thinking") begin({ type: "thinking", thinking: "", signature: "" })
        told.thinking(index, text)
      },
      call: (_, id, name) => {
        calls++
        begin({ type: "tool_use", id: callId(id), name, input: {} })
      },
      argument: (_, text) => told.argument(index, text)
    },
    end: () => {
      close()
      return calls
    }
  }
}
