/** Answers of a model that thinks and calls, as a script tells it: token by token, read by a dialect. */
import * as Effect from "effect/Effect"
import type { JobLog } from "../../../src/actors/queen/log/job-log.ts"
import { Turns } from "../../../src/layers/turns/index.ts"
import type { AnswerForm } from "../../../src/machines/dialect/answer-form.ts"
import { doneEvent } from "./openai-edge.ts"

const none = { on: "none", off: "none", default: "none" } as const
/** `<think>…</think>` and `<tool_call>` with JSON, as many models have it. */
export const form: AnswerForm = {
  prompt: "<|im_start|>assistant\n",
  dialect: {
    content: {},
    reasoning: { open: "<think>\n", close: "\n</think>\n\n", confirmed: "render", prompt: none, field: "reasoning" },
    tools: {
      open: ["<tool_call>\n"],
      close: [["\n</tool_call>"]],
      form: { _tag: "json", list: false, name: ["name"], args: ["arguments"] },
      carry: { on: "", off: "", default: "" },
      parallel: true,
      textBeside: true,
      needsSchema: false,
      lossy: []
    },
    manner: { arguments: "object", content: "empty" },
    end: ["<|im_end|>"],
    source: "learned"
  }
}

export const thought = '<think>\nhm, "6"\n</think>\n\n'
export const called = (name: string, given: unknown): string =>
  `<tool_call>\n${JSON.stringify({ name, arguments: given })}\n</tool_call>`

const turn = Effect.flatMap(Turns, (turns) =>
  Effect.async<void>((resume) => turns.atEndOfTurn(() => resume(Effect.void)))
)

/** Says a text, three characters a token, and a few tokens a turn. */
export const saying = (text: string) => (log: JobLog) =>
  Effect.gen(function* () {
    log.record({ form })
    for (let at = 0; at < text.length; at += 3) {
      log.token(text.slice(at, at + 3), at)
      if (at % 2 === 0) yield* turn
    }
  })

export const ending = (log: JobLog, finish_reason: "stop" | "length" = "stop") =>
  Effect.sync(() => log.end({ _tag: "Done", event: { ...doneEvent(log), finish_reason } }))

export const sayingAll = (text: string, finish?: "stop" | "length") => (log: JobLog) =>
  Effect.zipRight(saying(text)(log), ending(log, finish))
