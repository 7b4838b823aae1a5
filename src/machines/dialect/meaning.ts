/** What the tokens of an answer mean, as they come: what a reader of the answer is told, and what it was in the end. */
import type { JobId } from "../vocabulary/ids.ts"
import type { AnswerMessage } from "../vocabulary/conversation.ts"
import type { AnswerForm } from "./answer-form.ts"
import { type DeclaredTool, type Delta, Fold } from "./fold/fold.ts"

/** Who is told what an answer says. */
export interface Listener {
  readonly content: (text: string) => void
  readonly reasoning: (text: string) => void
  /** It calls a tool. `id` is the same for every reader of the job; its arguments follow. */
  readonly call: (index: number, id: string, name: string) => void
  /** more of a call's arguments: JSON, as text */
  readonly argument: (index: number, text: string) => void
}

export interface MeaningOptions {
  readonly jobId: JobId
  readonly form: AnswerForm
  /** what the model could call */
  readonly tools: ReadonlyArray<DeclaredTool>
}

export class Meaning {
  private readonly fold: Fold
  private readonly jobId: JobId
  private readonly listener: Listener

  constructor({ form, jobId, tools }: MeaningOptions, listener: Listener) {
    this.fold = new Fold(form.dialect, { prompt: form.prompt, tools })
    this.jobId = jobId
    this.listener = listener
  }

  /** The next token's text. */
  readonly token = (text: string): void => this.tell(this.fold.push(text))

  /** No more comes. */
  readonly end = (): void => this.tell(this.fold.end())

  private tell(deltas: ReadonlyArray<Delta>): void {
    const { argument, call, content, reasoning } = this.listener
    for (const delta of deltas) {
      switch (delta._tag) {
        case "Content":
          content(delta.text)
          break
        case "Reasoning":
          reasoning(delta.text)
          break
        case "Call":
          call(delta.index, callIdOf(this.jobId, delta.index), delta.name)
          break
        case "Arguments":
          argument(delta.index, delta.text)
          break
        case "CallId":
          // the model's own is its own: readers and queens are to see the same without asking it
          break
      }
    }
  }
}

/** What a whole answer says. */
export const messageOf = (options: MeaningOptions, text: string): AnswerMessage => {
  let content = ""
  let reasoning = ""
  const calls: Array<{ readonly id: string; readonly name: string; arguments: string }> = []
  const meaning = new Meaning(options, {
    content: (more) => {
      content += more
    },
    reasoning: (more) => {
      reasoning += more
    },
    call: (index, id, name) => {
      calls[index] = { id, name, arguments: "" }
    },
    argument: (index, more) => {
      const call = calls[index]
      if (call !== undefined) call.arguments += more
    }
  })
  meaning.token(text)
  meaning.end()
  return {
    content,
    ...(reasoning === "" ? {} : { reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls })
  }
}

const idLetters = 9

/** 9 letters and digits that two calls hardly share: FNV-1a twice, from both ends of what it is of. */
const callIdOf = (jobId: JobId, index: number): string => {
  const text = `${jobId}/${index}`
  let [there, back] = [0x811c9dc5, 0x811c9dc5]
  for (let at = 0; at < text.length; at++) {
    there = Math.imul(there ^ text.charCodeAt(at), 0x01000193)
    back = Math.imul(back ^ text.charCodeAt(text.length - 1 - at), 0x01000193)
  }
  const digits = (hash: number): string => (hash >>> 0).toString(36).padStart(7, "0")
  return `${digits(there)}${digits(back)}`.slice(-idLetters)
}
