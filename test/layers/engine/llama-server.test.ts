/** llama.cpp's own server as an engine: what it is started with and asked, and what comes of its ends. The rest: contract.test.ts. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { layerLlamaServer } from "../../../src/layers/engine/llama-server.ts"
import { argumentsOf } from "../../../src/layers/engine/llama-server/arguments.ts"
import { bodyOf, heard, logprobOf, type Question } from "../../../src/layers/engine/llama-server/completion.ts"
import { openVocabulary } from "../../../src/layers/engine/llama/reading/renderer.ts"
import { Pieces } from "../../../src/layers/engine/llama/reading/pieces.ts"
import { loadRuntime } from "../../../src/layers/engine/llama/runtime.ts"
import { Untold } from "../../../src/layers/engine/llama-server/untold.ts"
import type { ServerEnd } from "../../../src/layers/engine/llama-server/process.ts"
import type { TokenLogprob } from "../../../src/machines/vocabulary/job.ts"
import { png, projector } from "../../support/projector.ts"
import { builtServer, layerOf } from "../../support/built-server.ts"
import { ask, loadWith, MINILLAMA, user } from "./ask.ts"

const options = {
  modelPath: "/m.gguf",
  backend: "cpu",
  context: 512,
  slots: 4,
  kvType: "f16",
  threads: 2
} as const

const valueOf = (args: ReadonlyArray<string>, name: string): string | undefined => args[args.indexOf(name) + 1]

describe("What llama-server is started with", () => {
  it("is reached from this machine alone, on a port of the system's", () => {
    const args = argumentsOf(options)
    expect([valueOf(args, "--host"), valueOf(args, "--port")]).toEqual(["127.0.0.1", "0"])
  })

  it("has a step of cells more than a slot's context: it ends one token early", () => {
    expect(valueOf(argumentsOf(options), "--ctx-size")).toBe(String(4 * 768))
    expect(valueOf(argumentsOf({ ...options, context: 500 }), "--ctx-size")).toBe(String(4 * 512))
  })

  it("keeps nothing that is not booked, and fetches nothing", () => {
    const args = argumentsOf(options)
    expect(valueOf(args, "--cache-ram")).toBe("0")
    expect(args).toContain("--offline")
  })

  it("uses no GPU for the CPU, and all of one for a GPU", () => {
    expect(valueOf(argumentsOf(options), "--gpu-layers")).toBe("0")
    const gpu = argumentsOf({ ...options, backend: "cuda" })
    expect([valueOf(gpu, "--gpu-layers"), gpu.includes("--device")]).toEqual(["999", false])
  })

  it("has the projector that is beside the model, or none", () => {
    expect(valueOf(argumentsOf({ ...options, projector: "/p.gguf" }), "--mmproj")).toBe("/p.gguf")
    expect(argumentsOf(options)).toContain("--no-mmproj")
  })
})

const question: Question = {
  prompt: [1, 2, 3],
  begun: { tokens: 0, text: "" },
  most: 7,
  slot: 2,
  isCached: true,
  sampling: { temperature: 0.5, topP: 0.9, topK: 0, seed: 7 },
  grammar: undefined,
  never: [],
  logprobs: undefined
}

describe("What llama-server is asked", () => {
  it("is tokens, on a slot of ours, with every default said", () => {
    const body = bodyOf(question)
    expect(body).toMatchObject({ prompt: [1, 2, 3], id_slot: 2, n_predict: 7, return_tokens: true, stream: true })
    expect(body).toMatchObject({
      temperature: 0.5,
      top_p: 0.9,
      top_k: 0,
      min_p: 0,
      repeat_penalty: 1,
      dry_multiplier: 0
    })
    expect(body).not.toHaveProperty("grammar")
    expect(body).not.toHaveProperty("logit_bias")
  })

  it("draws otherwise at another place of the answer, and the same at the same", () => {
    const at = (tokens: number) => bodyOf({ ...question, begun: { tokens, text: "" } })["seed"]
    expect(at(0)).not.toBe(7)
    expect(at(5)).not.toBe(at(0))
    expect(at(5)).toBe(at(5))
  })

  it("goes on in a grammar where the answer is", () => {
    const body = bodyOf({ ...question, grammar: "root ::= [0-9]+", begun: { tokens: 2, text: "12" }, never: [4] })
    expect(body).toMatchObject({ grammar: "root ::= [0-9]+", grammar_type: "tool_calls", generation_prompt: "12" })
    expect(body["logit_bias"]).toEqual([[4, false]])
  })

  it("is text with a mark for each image, where there are some", () => {
    const { prompt } = bodyOf({ ...question, prompt: { text: "a<m>", images: ["aGk="] } })
    expect(prompt).toEqual({ prompt_string: "a<m>", multimodal_data: ["aGk="] })
  })

  it("counts all that came before where penalties do", () => {
    const penalties = { repeat: 1.1, presence: 0, frequency: 0, lastTokens: Infinity }
    expect(bodyOf({ ...question, sampling: { ...question.sampling, penalties } })).toMatchObject({
      repeat_last_n: -1,
      repeat_penalty: 1.1
    })
  })
})

describe("What llama-server says", () => {
  const said = { stop: false, content: "a", tokens: [5], tokens_predicted: 1, tokens_evaluated: 3, index: 0 }

  it("is understood, whatever else it tells", () => {
    expect(heard(JSON.stringify({ ...said, timings: { n: 1 } }))).toMatchObject({ tokens: [5] })
    expect(heard(JSON.stringify({ error: { code: 400, message: "no", type: "invalid_request_error" } }))).toMatchObject(
      {
        error: { message: "no" }
      }
    )
    expect(heard("[1]")).toBeUndefined()
    expect(heard("no JSON")).toBeUndefined()
  })

  it("ranks what was likely; what cannot be is far below", () => {
    const one = { token: "a", bytes: [97], logprob: -0.5 }
    const never = { token: "b", bytes: [98], logprob: null }
    const told = { ...said, completion_probabilities: [{ ...one, top_logprobs: [one, never] }] }
    expect(logprobOf(told, 2)).toEqual({ ...one, top: [one, { ...never, logprob: -9999 }] })
    expect(logprobOf(told, 0)?.top).toEqual([])
  })
})

describe("Tokens that llama-server has drawn and not told", () => {
  it("are those whose bytes are missing before the one that it told", () =>
    loadRuntime({ gpu: "cpu" }).then(async ({ addon }) => {
      const model = await openVocabulary(addon, MINILLAMA)
      const untold = new Untold(model, new Pieces(model), 2048)
      for (const text of ["€", "a€", "🐝"]) {
        const tokens = Array.from(model.tokenize(text, false))
        const last = tokens.pop() ?? -1
        // the first of them may stand for whole characters, which were told
        const whole = tokens.filter((token) => typeof new Pieces(model).spelt(token) === "string").length
        const told = text.slice(text.length - [...text].slice(whole).join("").length)
        expect(untold.before(last, told, tokens.length - whole), text).toEqual(tokens.slice(whole))
      }
      await model.dispose()
    }))
})

const program = builtServer()

describe.runIf(program !== undefined)("A llama-server that is built", () => {
  it.scopedLive("whose program dies in the middle of an answer takes its worker with it: nothing more is said", () =>
    Effect.gen(function* () {
      const ended = yield* Deferred.make<ServerEnd>()
      const model = yield* loadWith(
        layerLlamaServer({
          program: program ?? "",
          backend: "cpu",
          onWords: () => undefined,
          onEnd: (end) => Deferred.unsafeDone(ended, Effect.succeed(end))
        }),
        { maxTokensPerS: 20 }
      )
      let said = 0
      const first = yield* Deferred.make<void>()
      const onToken = () => {
        if (++said === 1) Deferred.unsafeDone(first, Effect.void)
      }
      yield* Effect.forkScoped(ask(model, { input: user("Tell me a story."), onToken }))
      yield* Deferred.await(first)
      const pid = yield* Effect.promise(() => serverOf(process.pid))
      process.kill(pid, "SIGKILL")
      expect(yield* Deferred.await(ended)).toEqual({ code: undefined, signal: "SIGKILL" })
      expect(said).toBeLessThan(20)
    })
  )

  it.scopedLive("holds an answer to a form, also one that goes on, and tells each token of a character", () =>
    Effect.gen(function* () {
      const model = yield* loadWith(layerOf(program ?? ""), { slots: 2 })
      const schema = { const: "🐝 und €, é" }
      const input = {
        _tag: "Messages",
        messages: [{ role: "user", content: "Say it." }],
        response_format: { type: "json_schema", schema }
      } as const
      const whole = yield* ask(model, { input })
      expect(JSON.parse(whole.text)).toBe(schema.const)
      expect(whole.ids).toHaveLength(whole.completionTokens)
      for (let cut = 1; cut < whole.ids.length; cut++) {
        const before = { tokenIds: whole.ids.slice(0, cut), text: whole.parts.slice(0, cut).join("") }
        const rest = yield* ask(model, { input, resume: before })
        expect(before.text + rest.text, `after ${cut}`).toBe(whole.text)
      }
    })
  )

  it.scopedLive("sees images where a projector goes with its model: another image, another answer", () =>
    Effect.gen(function* () {
      const seeing = yield* Effect.promise(() => projector(192))
      const model = yield* loadWith(layerOf(program ?? ""), { projector: seeing, slots: 2 })
      const shown = (colour: readonly [number, number, number], content = "") => ({
        _tag: "Messages" as const,
        messages: [{ role: "user" as const, content, images: [{ at: content.length, data: png(colour) }] }]
      })
      const [red, blue] = [shown([255, 0, 0]), shown([0, 0, 255])]
      const first = yield* ask(model, { input: red, maxTokens: 12 })
      const other = yield* ask(model, { input: blue, maxTokens: 12 })
      expect(first.text).not.toBe(other.text)
      // an image is four tokens here, and so many the text around it has without it
      const plain = yield* ask(model, { input: user(""), maxTokens: 1 })
      expect(first.promptTokens).toBe(plain.promptTokens + 4)
      expect((yield* ask(model, { input: red, maxTokens: 12 })).text).toBe(first.text)
      // what was begun elsewhere goes on from its text
      const resume = { tokenIds: first.ids.slice(0, 5), text: first.parts.slice(0, 5).join("") }
      const rest = yield* ask(model, { input: red, maxTokens: 12, resume })
      expect(rest.completionTokens).toBe(first.completionTokens - 5)
      expect(rest.promptTokens).toBe(first.promptTokens)
      // a mark of the model's is text in a user's words
      const marked = yield* ask(model, { input: shown([255, 0, 0], "<|im_end|>"), maxTokens: 1 })
      expect(marked.promptTokens).toBeGreaterThan(first.promptTokens + 3)
      const long = yield* Effect.flip(ask(model, { input: shown([255, 0, 0], "bee ".repeat(1500)) }))
      expect([long.code, long.details["context"]]).toEqual(["INVALID_REQUEST", 512])
    })
  )

  it.scopedLive("says by name that it sees none without a projector", () =>
    Effect.gen(function* () {
      const model = yield* loadWith(layerOf(program ?? ""))
      const messages = [{ role: "user" as const, content: "", images: [{ at: 0, data: png([1, 2, 3]) }] }]
      const error = yield* Effect.flip(ask(model, { input: { _tag: "Messages", messages } }))
      expect([error.code, error.message]).toEqual(["INVALID_REQUEST", expect.stringContaining("no projector (mmproj)")])
    })
  )

  it.scopedLive("tells how likely tokens were, as many as are asked for", () =>
    Effect.gen(function* () {
      const model = yield* loadWith(layerOf(program ?? ""))
      const told: Array<TokenLogprob | undefined> = []
      const onToken = (_: string, __: number, logprob?: TokenLogprob) => void told.push(logprob)
      yield* ask(model, { input: user("Tell me a story."), maxTokens: 4, logprobs: 2, onToken })
      expect(told).toHaveLength(4)
      for (const one of told) {
        expect(one?.top).toHaveLength(2)
        expect(one?.top[0]).toMatchObject({ token: one?.token, logprob: one?.logprob })
      }
    })
  )

  it.scopedLive("is started with its user's arguments, which change nothing of ours", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const where = { program: program ?? "", backend: "cpu", onEnd: () => undefined } as const
      const args = ["--host", "0.0.0.0", "--ctx-size", "64", "--verbosity", "4"]
      const onWords = (text: string) => void said.push(text)
      const model = yield* loadWith(layerLlamaServer({ ...where, args, onWords }))
      expect(model.context).toBe(512)
      expect(said.join("")).toMatch(/listening on http:\/\/127\.0\.0\.1:/)
      // what only a talkative one says
      expect(said.join("")).toMatch(/verbosity = 4/)
    })
  )

  it.scopedLive("refuses a file that is none", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "rbee-server-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const file = join(folder, "a.gguf")
      writeFileSync(file, "no model")
      const where = {
        program: program ?? "",
        backend: "cpu",
        onWords: () => undefined,
        onEnd: () => undefined
      } as const
      const error = yield* Effect.flip(loadWith(layerLlamaServer(where), { modelPath: file }))
      expect(error.code).toBe("MODEL_INVALID")
    })
  )
})

describe("A program that is no llama-server", () => {
  it.scopedLive("is said to be of no use, with its last words", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "rbee-server-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const file = join(folder, "llama-server")
      writeFileSync(file, "#!/bin/sh\necho 'error: invalid argument: --swa-full' >&2\nexit 1\n")
      chmodSync(file, 0o755)
      const where = { program: file, backend: "cpu", onWords: () => undefined, onEnd: () => undefined } as const
      const error = yield* Effect.flip(loadWith(layerLlamaServer(where)))
      expect([error.code, error.message]).toEqual([
        "BACKEND_UNAVAILABLE",
        expect.stringContaining("invalid argument: --swa-full")
      ])
    })
  )
})

/** The server that this process has started: its own child, by the kernel's list. */
const serverOf = async (pid: number): Promise<number> => {
  const { readFileSync } = await import("node:fs")
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").map(Number).filter(Boolean)
  const found = children.find((child) => readFileSync(`/proc/${child}/cmdline`, "utf8").includes(program ?? "?"))
  return found ?? -1
}
