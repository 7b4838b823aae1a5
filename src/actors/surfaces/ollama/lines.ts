/** A job's answer as Ollama's lines: a token's JSON goes over as it is. */
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../../protocol/endpoint.ts"
import { ollama } from "../../../protocol/surfaces/ollama-surface.ts"
import { encodeError } from "../../../protocol/surfaces/rbee.ts"
import type { AnsweredCall } from "../../../machines/vocabulary/conversation.ts"
import {
  endOf,
  type OllamaCall,
  type OllamaChatAnswer,
  type OllamaEnd,
  type OllamaHead
} from "../../../machines/vocabulary/ollama/answers.ts"
import type { TokenLogprob } from "../../../machines/vocabulary/job.ts"
import { chatLogprobs } from "../../../machines/vocabulary/openai/logprobs.ts"
import type { ReadAnswer } from "../answers.ts"
import type { Said as Saying } from "../gather.ts"
import { withLogprobs } from "../logprobs.ts"
import { asText, wholeCall } from "./calls.ts"

/** What an answer, or a line of one, says. */
export interface Said {
  readonly content: string
  readonly thinking?: string
  readonly calls?: ReadonlyArray<OllamaCall>
  /** of its content's tokens, where the job asks for them */
  readonly logprobs?: ReadonlyArray<TokenLogprob>
}

/** Both write it beside what is said. */
export const logprobsOf = ({ logprobs }: Pick<Said, "logprobs">): Pick<OllamaChatAnswer, "logprobs"> =>
  logprobs === undefined ? {} : { logprobs: chatLogprobs(logprobs).content }

/** How chat and generate write what is said, each in its own place. */
export type Place<A> = (said: Said) => A

export interface LineOptions {
  readonly head: OllamaHead
  readonly place: Place<object>
  /** its tokens come with their logprobs */
  readonly hasLogprobs: boolean
  /** for the error envelope */
  readonly correlationId: string | undefined
  /** from the answer's first token on */
  readonly source: ReadAnswer
}

/** Ends with a line that is `done`; an answer that fails in the middle ends with its error and without. */
export const lineFeed =
  ({ correlationId, hasLogprobs, head, place, source }: LineOptions): EventFeed =>
  (sink) =>
    Effect.suspend(() => {
      const lines = linesOf(head, place)
      const open = new OpenCall()
      let out = ""
      /** A call is whole once something else comes. */
      const close = (isCut = false): void => {
        const call = open.take()
        if (call === undefined) return
        const whole = wholeCall(call, open.taken, isCut)
        if (whole === undefined) out += lines.content(JSON.stringify(asText(call)))
        else {
          out += lines.call(whole)
          open.taken++
        }
      }
      const said: Saying = {
        content: (json) => {
          close()
          if (json !== '""') out += lines.content(json)
        },
        reasoning: (text) => {
          close()
          out += lines.thinking(text)
        },
        call: (_, id, name) => {
          close()
          open.call = { id, name, arguments: "" }
        },
        argument: (_, text) => open.more(text)
      }
      const likely = (json: string, tokens: ReadonlyArray<TokenLogprob>): void => {
        close()
        out += lines.likely(json, tokens)
      }
      return source({
        ...(hasLogprobs ? withLogprobs({ ...said, content: likely }) : said),
        done: (event) => {
          close(event.finish_reason === "length")
          out += lines.end(endOf(event))
        },
        error: (error) => {
          out += `${encodeError(error, correlationId, ollama)}\n`
        },
        told: () => {
          const written = out
          out = ""
          return written === "" || sink.write(written)
        },
        drain: sink.drain
      })
    })

/** The call whose arguments come. */
class OpenCall {
  call: AnsweredCall | undefined
  /** calls that were whole */
  taken = 0

  more(text: string): void {
    if (this.call !== undefined) this.call = { ...this.call, arguments: this.call.arguments + text }
  }

  take(): AnsweredCall | undefined {
    const { call } = this
    this.call = undefined
    return call
  }
}

const linesOf = (head: OllamaHead, place: Place<object>) => {
  const line = (said: Said, end: OllamaEnd = { done: false }): string =>
    `${JSON.stringify({ ...head, ...place(said), ...logprobsOf(said), ...end })}\n`
  // everything around a token's text, encoded once: the mark is in no name that it could be taken for
  const mark = JSON.stringify("\u0000")
  const [before = "", after = ""] = line({ content: "\u0000" }).split(mark)
  return {
    /** `text` is a JSON string */
    content: (text: string): string => before + text + after,
    likely: (text: string, logprobs: ReadonlyArray<TokenLogprob>): string =>
      line({ content: String(JSON.parse(text)), logprobs }),
    thinking: (thinking: string): string => line({ content: "", thinking }),
    call: (call: OllamaCall): string => line({ content: "", calls: [call] }),
    end: (end: OllamaEnd): string => line({ content: "" }, end)
  }
}
