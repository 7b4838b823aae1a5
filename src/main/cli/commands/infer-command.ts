/** The declarations of `rbee infer`, of `rbee chat`, and of `rbee run` as Ollama's users type it. */
import { flags, ofChat } from "./infer-flags.ts"
import { lazily } from "../lazily.ts"
import { declare, type Declared } from "../spec.ts"

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

const chatAs = (name: "chat" | "run", summary: string): Declared =>
  declare({
    path: [name],
    summary,
    examples: [
      `rbee ${name} minillama`,
      `rbee ${name} HF:author/repo:Q4_K_M --system "Answer in one sentence."`,
      `rbee ${name} minillama "Why is the sky blue?"   # asks once`
    ],
    words: {
      name: "MODEL",
      doc: "who answers, minillama by default; words behind it are a prompt that is asked once",
      min: 0,
      max: Infinity,
      values: "models"
    },
    flags: ofChat,
    run: (values, words, world) =>
      lazily(
        () => import("./chat.ts"),
        (module) => module.chat(values, words, world)
      )
  })

export const chat = chatAs("chat", "talk with a model; /help there tells what can be typed")
export const run = chatAs("run", "the same as chat, as Ollama's users type it")
