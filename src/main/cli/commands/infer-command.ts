/** The declaration of `rbee infer`. */
import { flags } from "./infer-flags.ts"
import { lazily } from "../lazily.ts"
import { declare } from "../spec.ts"

export const infer = declare({
  path: ["infer"],
  summary: "ask a model; wakes whatever sleeps, fetches whatever is missing",
  examples: [
    'rbee infer "hello"',
    'rbee infer --model HF:author/repo:Q8_0 "Why is the sky blue?"',
    'rbee infer "tell me a story" --max-tokens 200 --temperature 0 > story.txt',
    'git diff | rbee infer "Write a commit message for this diff"',
    'rbee infer --cold "hello"       # and shut everything down again'
  ],
  words: {
    name: "PROMPT",
    doc: "the prompt, several words are joined by spaces; what is piped in follows it, - is that alone",
    min: 0,
    max: Infinity
  },
  flags,
  run: (values, words, context) =>
    lazily(
      () => import("./infer.ts"),
      (module) => module.runInfer(values, words, context)
    )
})
