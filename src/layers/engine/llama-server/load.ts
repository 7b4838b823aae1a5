/** Starts llama.cpp's server with a model and has it answer once: before that it serves nobody. */
import { readFileSync } from "node:fs"
import { Agent } from "node:http"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { Header } from "../../../machines/formats/gguf/gguf.ts"
import { gguf } from "../../../machines/formats/model-format.ts"
import { saysMemory } from "../../../machines/kinds/llama/words.ts"
import { usualContext } from "../../../machines/policy/memory/context.ts"
import type { Backend } from "../../../machines/vocabulary/device.ts"
import { readHeader } from "../../models/header.ts"
import { type Peer, peerOf } from "../../transport/http/client/request.ts"
import type { LoadOptions } from "../index.ts"
import type { AddonModel } from "../llama/addon.ts"
import { openVocabulary } from "../llama/reading/renderer.ts"
import { loadRuntime, type Runtime } from "../llama/runtime.ts"
import { defaultThreads } from "../llama/threads.ts"
import { ask } from "./asking.ts"
import { argumentsOf } from "./arguments.ts"
import { bodyOf } from "./completion.ts"
import { type Server, type ServerEnd, startServer } from "./process.ts"

export type LoadFailure = RbeeError<"MODEL_INVALID" | "VRAM_EXHAUSTED" | "BACKEND_UNAVAILABLE">

export interface LlamaServerOptions {
  readonly program: string
  /** of its user; what is ours is said after them, and counts */
  readonly args?: ReadonlyArray<string>
  readonly backend: Backend
  /** hears what the server says, as it says it */
  readonly onWords: (text: string) => void
  /** the server has gone by itself: whose process this is goes as it went */
  readonly onEnd: (end: ServerEnd) => void
}

export interface Loaded {
  readonly runtime: Runtime
  /** its vocabulary: what is read and written is ours */
  readonly model: AddonModel
  readonly header: Header
  /** tokens a slot, and at most */
  readonly context: number
  readonly trained: number
  readonly threads: number
  readonly server: Server
  readonly peer: Peer
}

const lookEvery = "250 millis"

const invalid = (reason: string, by?: "engine") =>
  rbeeError("MODEL_INVALID", `the model file cannot be loaded (${reason})`, "Check the file, or fetch it again", {
    reason,
    ...(by === undefined ? {} : { by })
  })

const unavailable = (reason: string) =>
  rbeeError("BACKEND_UNAVAILABLE", `llama-server does not serve (${reason})`, "See `rbee engines show llama-server`")

/** The most telling of its last lines, without the file's path. */
const telling = (words: string, path: string): string => {
  const lines = words.split("\n").map((line) => line.replace(/^[\d.]+ [A-Z] (\w+ +\S+ )?/, "").trim())
  const line = lines.find((one) => /error loading model/.test(one)) ?? lines.findLast((one) => /error|fail/i.test(one))
  return (line ?? lines.at(-1) ?? "it gave no reason").replaceAll(path, "the file").slice(0, 300)
}

/** It ended while it was to load. */
const failureOf = ({ code }: ServerEnd, words: string, path: string): LoadFailure => {
  const why = telling(words, path)
  if (saysMemory(words))
    return rbeeError("VRAM_EXHAUSTED", `there is no room for the model (${why})`, "Ask for a shorter context", {
      reason: why
    })
  if (/invalid argument|unknown argument|error while (loading shared|handling argument)/i.test(words))
    return unavailable(why)
  return /error loading model|failed to load|unable to load|failed to (open|read)/i.test(words)
    ? invalid(why, "engine")
    : unavailable(`${why}; exit code ${code ?? "unknown"}`)
}

/** Bytes that a process has in memory; undefined where nobody tells. */
const residentBytes = (pid: number): number | undefined => {
  try {
    const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
    return kb === undefined ? undefined : Number(kb) * 1024
  } catch {
    return undefined
  }
}

/** It does not tell how far it is: what it has in memory does; where nobody tells, it comes nearer with each look. */
const watching = (pid: () => number | undefined, bytes: number, onProgress: (fraction: number) => void) => {
  let shown = 0
  const look = Effect.sync(() => {
    const id = pid()
    const resident = id === undefined ? undefined : residentBytes(id)
    const fraction = resident === undefined ? shown + (1 - shown) / 100 : resident / bytes
    shown = Math.max(shown, Math.min(0.99, fraction))
    onProgress(shown)
  })
  return Effect.forever(Effect.zipRight(Effect.sleep(lookEvery), look))
}

const headerOf = (path: string): Effect.Effect<Header, LoadFailure> =>
  Effect.flatMap(
    Effect.tryPromise({ try: () => readHeader(path, gguf), catch: () => invalid("the file cannot be read") }),
    (read) => ("reason" in read ? Effect.fail(invalid(read.reason)) : Effect.succeed(read))
  )

/** A first answer: one token after one token. */
const proven = (peer: Peer, model: AddonModel, trained: number): Effect.Effect<void, LoadFailure> => {
  const body = bodyOf({
    prompt: [Math.max(0, model.tokenBos())],
    begun: { tokens: 0, text: "" },
    most: 1,
    slot: 0,
    isCached: false,
    sampling: { temperature: 0, topP: 1, topK: 0 },
    grammar: undefined,
    never: [],
    logprobs: undefined
  })
  let tokens = 0
  return ask(peer, body, trained, (said) => (tokens += said.stop ? said.tokens_predicted : 0)).pipe(
    Effect.mapError((error) => unavailable("why" in error ? error.why : error.what)),
    Effect.filterOrFail(
      () => tokens > 0,
      () => unavailable("it answered nothing when it was asked for a token")
    ),
    Effect.asVoid
  )
}

export const load = (
  options: LoadOptions,
  where: LlamaServerOptions
): Effect.Effect<Loaded, LoadFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const { modelPath, slots } = options
    const header = yield* headerOf(modelPath)
    if (header.facts.measures !== undefined)
      return yield* invalid("it writes nothing: llama-server is for models that do")
    const runtime = yield* Effect.tryPromise({
      try: () => loadRuntime({ gpu: "cpu" }),
      // `loadRuntime` rejects with nothing else
      catch: (cause) => cause as LoadFailure
    })
    const model = yield* Effect.acquireRelease(
      Effect.tryPromise({ try: () => openVocabulary(runtime.addon, modelPath), catch: () => invalid("no vocabulary") }),
      (opened) => Effect.promise(() => opened.dispose())
    )
    const trained = header.facts.trainedContext
    const context = Math.max(1, Math.min(options.context ?? usualContext(trained), trained))
    const threads = options.threads ?? defaultThreads(header.facts.parameters, runtime.addon.getMathCores())
    const args = argumentsOf({
      modelPath,
      backend: where.backend,
      context,
      slots,
      kvType: options.kvType ?? "f16",
      threads,
      projector: options.projector
    })
    options.onRuntime?.()
    let pid: number | undefined
    const starting = startServer({
      program: where.program,
      args: [...(where.args ?? []), ...args],
      onWords: where.onWords,
      onPid: (own) => (pid = own)
    }).pipe(
      Effect.catchIf(
        (error) => error._tag === "Ended",
        ({ end, words }) => {
          // who crashed over the file says nothing of it: its worker goes as it went
          if (end.signal !== undefined) where.onEnd(end)
          return Effect.fail(failureOf(end, words, modelPath))
        }
      )
    )
    const server = yield* Effect.raceFirst(
      starting,
      watching(() => pid, header.facts.fileBytes, options.onProgress)
    )
    server.onEnd(where.onEnd)
    const peer = yield* Effect.mapError(
      // it hangs up between answers, and nobody could tell that from its end
      peerOf(server.url, () => server.key, { agent: new Agent({ keepAlive: false }), name: "llama-server" }),
      () => unavailable("it listens at no url")
    )
    yield* proven(peer, model, trained)
    options.onProgress(1)
    return { runtime, model, header, context, trained, threads, server, peer }
  })
