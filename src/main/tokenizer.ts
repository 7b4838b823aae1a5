/**
 * The tokenizer program: a model's vocabulary without its weights. It reads a worker's long prompts, one after the
 * other, and dies with it. Its one argument is a `Vocabulary`.
 *
 * The work is done in a thread, because a thread's stack can be chosen: llama.cpp's regular expressions take some 400
 * bytes of it a character, and the main thread's 8 MB end in a crash at 20 000 letters in a row.
 */
import { fileURLToPath } from "node:url"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { RbeeError } from "../machines/errors.ts"
import type { Question, Reading, Vocabulary } from "../layers/engine/llama/reading/tokenize.ts"
import { loadRuntime, type Runtime } from "../layers/engine/llama/runtime.ts"
import { ChatTemplate } from "../layers/engine/llama/reading/template.ts"

/** for a million characters in a row; taken from the system only as far as it is used */
const stackSizeMb = 512

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const relay = (): void => {
  const thread = new Worker(fileURLToPath(import.meta.url), {
    workerData: process.argv[2],
    resourceLimits: { stackSizeMb }
  })
  const say = (reading: Reading): void => void process.send?.(reading)
  // not by `exit`: that would wait for the thread's call of llama.cpp
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"))
  process.on("message", (question: Question) => thread.postMessage(question))
  thread.on("message", say)
  thread.on("error", (cause) => say({ t: "broken", reason: reasonOf(cause) }))
}

/** The CPU's build serves every model; where it is not installed, the worker's own does. */
const runtimeFor = (own: Vocabulary["runtime"]): Promise<Runtime> =>
  loadRuntime({ gpu: "cpu" }).catch(() => loadRuntime(own))

const open = async ({ modelPath, runtime, template }: Vocabulary): Promise<ChatTemplate> => {
  const { addon } = await runtimeFor(runtime)
  const model = new addon.AddonModel(modelPath, { addonExports: addon, gpuLayers: 0, useMmap: true, vocabOnly: true })
  if (!(await model.init())) throw new Error("the vocabulary cannot be loaded")
  return new ChatTemplate(addon, model, template)
}

const answer = (template: ChatTemplate, { input, limit }: Question): Reading => {
  try {
    const tokens = template.tokens(input)
    return tokens.length > limit
      ? { t: "too many", count: tokens.length }
      : { t: "tokens", tokens: Uint32Array.from(tokens) }
  } catch (cause) {
    if (!(cause instanceof RbeeError)) throw cause
    return { t: "refused", what: cause.what, reason: String(cause.details["reason"]) }
  }
}

const read = async (): Promise<void> => {
  const say = (reading: Reading): void => parentPort?.postMessage(reading)
  try {
    // written by the worker, of the same build
    const template = await open(JSON.parse(String(workerData)) as Vocabulary)
    say({ t: "ready" })
    parentPort?.on("message", (question: Question) => {
      try {
        say(answer(template, question))
      } catch (cause) {
        say({ t: "broken", reason: reasonOf(cause) })
      }
    })
  } catch (cause) {
    say({ t: "broken", reason: reasonOf(cause) })
  }
}

if (isMainThread) relay()
else void read()
