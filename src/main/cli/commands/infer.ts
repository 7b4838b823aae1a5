/** `rbee infer`: the options become a job, the session runs it. */
import * as Effect from "effect/Effect"
import { errorEvent, infer, type InferOptions } from "../../../actors/keeper/infer.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { Terminal } from "../../../layers/terminal/index.ts"
import { askedFor, defaultModelOf } from "../asked-for.ts"
import type { InferValues } from "./infer-flags.ts"
import type { Context } from "../spec.ts"
import { inWorld } from "../world.ts"
import { deviceNamed } from "../../../machines/vocabulary/ids.ts"

/** the queen takes bodies of 1 MiB; what is larger is refused before it is sent */
const maxPromptBytes = 1024 * 1024

/** whoever waits this long for a pipe is told what for, milliseconds */
const waitingMs = 2000

const usage = (what: string, todo: string) => rbeeError("INVALID_REQUEST", what, todo, { usage: true })

const stdinOf = ({ terminal }: Context) =>
  Effect.raceFirst(
    // what `echo` adds is not part of the prompt
    Effect.map(terminal.readStdin(maxPromptBytes), (text) => text.replace(/\r?\n$/, "")),
    Effect.zipRight(
      Effect.delay(
        Effect.sync(() =>
          terminal.stderr.write("bee-keeper: reading stdin, to its end; `< /dev/null` where nothing is to come\n")
        ),
        waitingMs
      ),
      Effect.never
    )
  )

/** What was typed, then what was piped in, as other tools for the shell have it. */
const promptOf = (words: ReadonlyArray<string>, context: Context) =>
  Effect.gen(function* () {
    const isStdinAlone = words.length === 1 && words[0] === "-"
    const isRead = isStdinAlone || context.terminal.stdinIsPiped
    if (words.length === 0 && !isRead)
      return yield* Effect.fail(usage("PROMPT is missing", 'Example: rbee infer "hello"'))
    const typed = isStdinAlone ? "" : words.join(" ")
    const prompt = [typed, isRead ? yield* stdinOf(context) : ""].filter((text) => text.trim() !== "").join("\n\n")
    return prompt === "" ? yield* Effect.fail(usage("the prompt is empty", 'Example: rbee infer "hello"')) : prompt
  })

/** The members of `values` that were given. */
const given = <T extends Readonly<Record<string, unknown>>>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    readonly [K in keyof T]?: Exclude<T[K], undefined>
  }

/** `model`: what is asked, however it came to be chosen. */
export const optionsOf = (values: InferValues & { readonly model: string }, prompt: string): InferOptions => ({
  request: {
    model: values.model,
    // a conversation of one turn, so that the model's chat template is applied; `prompt` would be continued as it is
    messages: [
      ...(values.system === undefined ? [] : [{ role: "system" as const, content: values.system }]),
      { role: "user", content: prompt }
    ],
    stream: !values.noStream,
    allow_cpu: !values.noCpu,
    ...given({
      hive: values.hive,
      device: values.device === undefined ? undefined : deviceNamed(values.device),
      max_tokens: values.maxTokens,
      temperature: values.temperature,
      top_p: values.topP,
      top_k: values.topK,
      seed: values.seed,
      stop: values.stop.length === 0 ? undefined : values.stop,
      ignore_eos: values.ignoreEos || undefined,
      context: values.context,
      keep_warm: values.keepWarm || undefined
    })
  },
  ...(values.raw ? { raw: true } : {}),
  teardown: values.cold ? "cold" : "warm",
  format: values.json ? "json" : values.quiet ? "quiet" : "plain"
})

const exposeIn = (context: Context) =>
  Effect.map(
    Effect.promise(() => import("./inspect.ts")),
    (module) => module.expose(context)
  )

export const runInfer = (
  values: InferValues,
  words: ReadonlyArray<string>,
  context: Context
): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    if (values.cold && values.keepWarm)
      return yield* Effect.fail(usage("--cold and --keep-warm exclude each other", "Choose one of them."))
    if (values.inspect && !values.oneProcess)
      return yield* Effect.fail(usage("--inspect belongs to --one-process", "Daemons are inspected by `rbee inspect`."))
    // judged here already: nothing is woken for what can be no name
    const model = yield* Effect.tapError(askedFor(values.model ?? defaultModelOf(context.settings)), (error) =>
      Effect.sync(() => {
        const { data, event } = errorEvent(error)
        if (values.json) context.terminal.stdout.write(`${JSON.stringify({ event, ...data })}\n`)
      })
    )
    const prompt = yield* Effect.raceFirst(promptOf(words, context), context.terminal.interrupted)
    if (typeof prompt === "number") return prompt
    const options = optionsOf({ ...values, model }, prompt)
    if (!values.oneProcess) return yield* inWorld(context, infer(options))
    const { layerLogs, layerOneProcess } = yield* Effect.promise(() => import("../../cluster/world.ts"))
    return yield* infer({ ...options, teardown: "everything" }).pipe(
      Effect.provideService(Terminal, context.terminal),
      Effect.provide(layerOneProcess(context.settings, values.inspect ? yield* exposeIn(context) : undefined)),
      Effect.provide(layerLogs(context.settings))
    )
  })
