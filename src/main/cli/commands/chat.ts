/** `rbee chat`: talks with a model in the terminal; with a prompt behind the model it asks once, as `rbee infer` does. */
import { readFile, rename, rm, writeFile } from "node:fs/promises"
import * as Effect from "effect/Effect"
import { chatting } from "../../../actors/keeper/chat.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { askedFor, defaultModelOf } from "../asked-for.ts"
import type { Context } from "../spec.ts"
import { inWorld } from "../world.ts"
import type { ChatValues } from "./infer-flags.ts"
import { optionsOf, runInfer } from "./infer.ts"

const tried = <A>(what: string, file: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      rbeeError(
        "INVALID_REQUEST",
        `${file} cannot be ${what}: ${cause instanceof Error ? cause.message : String(cause)}`
      )
  })

/** Whole or not at all: a conversation that was kept there before is not lost for one that could not be. */
const write = async (file: string, text: string) => {
  const beside = `${file}.${process.pid}.part`
  try {
    await writeFile(beside, text, { mode: 0o600 })
    await rename(beside, file)
  } finally {
    await rm(beside, { force: true })
  }
}

export const chat = (
  values: ChatValues,
  words: ReadonlyArray<string>,
  context: Context
): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    const [named = defaultModelOf(context.settings), ...prompt] = words
    const all = {
      ...values,
      model: yield* askedFor(named),
      noStream: false,
      ignoreEos: false,
      json: false,
      raw: false,
      quiet: true,
      cold: false,
      oneProcess: false,
      inspect: false
    }
    if (prompt.length > 0) return yield* runInfer(all, prompt, context)
    const { messages: _, model, ...request } = optionsOf(all, "").request
    return yield* inWorld(
      context,
      chatting({
        request,
        chat: { model, turns: [], ...(values.system === undefined ? {} : { system: values.system }) },
        modelNamed: askedFor,
        readFile: (file) => tried("read", file, () => readFile(file, "utf8")),
        writeFile: (file, text) => tried("written", file, () => write(file, text))
      })
    )
  })
