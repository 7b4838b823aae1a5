/**
 * A job's answer as the events of a response. What is told, and its number, follows from the job's tokens alone, so that
 * every reader sees the same, now, later, and from the next queen.
 */
import type { RbeeError } from "../../../machines/errors.ts"
import type { DoneEvent, TokenLogprob } from "../../../machines/vocabulary/job.ts"
import { type ChatLogprobs, chatLogprobs } from "../../../machines/vocabulary/openai/logprobs.ts"
import { seal } from "../../../machines/vocabulary/responses/items.ts"
import type { KeptResponse } from "../../../machines/vocabulary/responses/kept.ts"
import {
  type OutputItem,
  type Response,
  type ResponseEvent,
  usageOf
} from "../../../machines/vocabulary/responses/response.ts"
import type { Said } from "../gather.ts"
import { openAiCallId } from "../chat-chunks.ts"
import { withLogprobs } from "../logprobs.ts"

type Unnumbered<E> = E extends unknown ? Omit<E, "sequence_number"> : never
type Told = Unnumbered<ResponseEvent>

/** An item that is being told. */
interface Open {
  readonly more: (text: string, tokens?: ReadonlyArray<TokenLogprob>) => void
  /** Ends it; `incomplete`: the answer was cut off in it. */
  readonly close: (status: "completed" | "incomplete") => OutputItem
  readonly kind: OutputItem["type"]
}

export interface FoldOptions {
  /** as it begins */
  readonly response: Response
  readonly kept: Pick<KeptResponse, "background" | "sealed" | "summary">
  readonly tell: (event: ResponseEvent) => void
}

export interface ResponseFold {
  readonly begin: () => void
  readonly said: Said
  readonly done: (event: DoneEvent) => void
  readonly error: (error: RbeeError) => void
}

// long: the state of one fold, and what changes it
export const foldOf = ({ kept, response, tell }: FoldOptions): ResponseFold => {
  const output: Array<OutputItem> = []
  let open: Open | undefined
  let next = 0
  // numbered in the order in which they are told
  const say = (event: Told): void => tell({ ...event, sequence_number: next++ } as ResponseEvent)
  const close = (status: "completed" | "incomplete" = "completed"): void => {
    if (open !== undefined) output.push(open.close(status))
    open = undefined
  }
  /** `begin` is given the place of the item. */
  const into = (kind: Open["kind"], begin: (at: Place) => Open): Open => {
    if (open?.kind === kind) return open
    close()
    const output_index = output.length
    return (open = begin({ say, output_index, item_id: `${prefixes[kind]}_${response.id}_${output_index}` }))
  }
  const reasoning = kept.summary ? summary(kept.sealed) : thought(kept.sealed)
  return {
    begin: () => {
      say({ type: "response.created", response })
      if (kept.background) say({ type: "response.queued", response })
      say({ type: "response.in_progress", response: { ...response, status: "in_progress" } })
    },
    // a token without text of its own says nothing
    said: withLogprobs({
      content: (json, tokens) => into("message", text).more(String(JSON.parse(json)), tokens),
      reasoning: (more) => into("reasoning", reasoning).more(more),
      call: (_, id, name) => {
        close()
        into("function_call", call(openAiCallId(id), name))
      },
      argument: (_, more) => open?.more(more)
    }),
    done: ({ finish_reason, timings, usage }) => {
      const isCut = finish_reason === "length"
      close(isCut ? "incomplete" : "completed")
      const ended: Response = {
        ...response,
        status: isCut ? "incomplete" : "completed",
        output,
        usage: usageOf(usage),
        completed_at: isCut ? null : response.created_at + Math.floor((timings.total_ms ?? 0) / 1000),
        incomplete_details: isCut ? { reason: "max_output_tokens" } : null
      }
      say({ type: isCut ? "response.incomplete" : "response.completed", response: ended })
    },
    error: (error) => say({ type: "response.failed", response: { ...response, ...failureOf(error), output } })
  }
}

const prefixes = { message: "msg", reasoning: "rs", function_call: "fc" } as const

const failureOf = ({ code, message }: RbeeError): Pick<Response, "error" | "status"> =>
  code === "CANCELLED"
    ? { status: "cancelled", error: null }
    : { status: "failed", error: { code: code === "INVALID_REQUEST" ? "invalid_prompt" : "server_error", message } }

/** Where an item is told, and by which name. */
interface Place {
  readonly say: (event: Told) => void
  readonly output_index: number
  readonly item_id: string
}

const text = ({ item_id, output_index, say }: Place): Open => {
  const at = { item_id, output_index, content_index: 0 }
  const logprobs: ChatLogprobs["content"] = []
  const part = { type: "output_text", annotations: [], logprobs } as const
  const item = { type: "message" as const, id: item_id, role: "assistant" as const }
  let whole = ""
  say({ type: "response.output_item.added", output_index, item: { ...item, status: "in_progress", content: [] } })
  say({ type: "response.content_part.added", ...at, part: { ...part, logprobs: [], text: "" } })
  return {
    kind: "message",
    more: (delta, tokens = []) => {
      const { content } = chatLogprobs(tokens)
      logprobs.push(...content)
      whole += delta
      say({ type: "response.output_text.delta", ...at, logprobs: content, delta })
    },
    close: (status) => {
      const done = { ...item, status, content: [{ ...part, text: whole }] }
      say({ type: "response.output_text.done", ...at, logprobs, text: whole })
      say({ type: "response.content_part.done", ...at, part: { ...part, text: whole } })
      say({ type: "response.output_item.done", output_index, item: done })
      return done
    }
  }
}

/** What its client keeps of a thought and gives back, where it keeps nothing else. */
const sealOf = (sealed: boolean, whole: string) => (sealed ? { encrypted_content: `${seal}${whole}` } : {})

const thought =
  (sealed: boolean) =>
  ({ item_id, output_index, say }: Place): Open => {
    const at = { item_id, output_index, content_index: 0 }
    const item = { type: "reasoning" as const, id: item_id, summary: [] }
    let whole = ""
    const part = () => ({ type: "reasoning_text" as const, text: whole })
    say({ type: "response.output_item.added", output_index, item: { ...item, status: "in_progress", content: [] } })
    say({ type: "response.content_part.added", ...at, part: part() })
    return {
      kind: "reasoning",
      more: (delta) => {
        whole += delta
        say({ type: "response.reasoning_text.delta", ...at, delta })
      },
      close: (status) => {
        const done = { ...item, status, content: [part()], ...sealOf(sealed, whole) }
        say({ type: "response.reasoning_text.done", ...at, text: whole })
        say({ type: "response.content_part.done", ...at, part: part() })
        say({ type: "response.output_item.done", output_index, item: done })
        return done
      }
    }
  }

/** The same for who asks for a summary: here that is the thought itself. */
const summary =
  (sealed: boolean) =>
  ({ item_id, output_index, say }: Place): Open => {
    const at = { item_id, output_index, summary_index: 0 }
    const item = { type: "reasoning" as const, id: item_id }
    let whole = ""
    const part = () => ({ type: "summary_text" as const, text: whole })
    say({ type: "response.output_item.added", output_index, item: { ...item, status: "in_progress", summary: [] } })
    say({ type: "response.reasoning_summary_part.added", ...at, part: part() })
    return {
      kind: "reasoning",
      more: (delta) => {
        whole += delta
        say({ type: "response.reasoning_summary_text.delta", ...at, delta })
      },
      close: (status) => {
        const done = { ...item, status, summary: [part()], ...sealOf(sealed, whole) }
        say({ type: "response.reasoning_summary_text.done", ...at, text: whole })
        say({ type: "response.reasoning_summary_part.done", ...at, part: part() })
        say({ type: "response.output_item.done", output_index, item: done })
        return done
      }
    }
  }

const call =
  (call_id: string, name: string) =>
  ({ item_id, output_index, say }: Place): Open => {
    const item = { type: "function_call" as const, id: item_id, call_id, name }
    let whole = ""
    say({ type: "response.output_item.added", output_index, item: { ...item, status: "in_progress", arguments: "" } })
    return {
      kind: "function_call",
      more: (delta) => {
        whole += delta
        say({ type: "response.function_call_arguments.delta", item_id, output_index, delta })
      },
      close: (status) => {
        const done = { ...item, status, arguments: whole }
        say({ type: "response.function_call_arguments.done", item_id, output_index, name, arguments: whole })
        say({ type: "response.output_item.done", output_index, item: done })
        return done
      }
    }
  }
