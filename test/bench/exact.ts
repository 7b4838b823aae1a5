/**
 * What it costs that an answer which goes on elsewhere is the undisturbed one: tokens a second of `worker.exact = off` ÷
 * those of `always`, in the engine itself, by types of weights, threads, and answers at once. With one thread by CPU time;
 * more wait for each other by spinning, so with them by the clock, on a machine that has nothing else to do. 100 M parameters,
 * after a prompt of 600 tokens (attention is split over threads from 512 cells on).
 * `exact [ROUNDS] [TYPES] [THREADS] [ANSWERS]`, lists with commas
 */
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { Engine, type LoadedModel, type LoadOptions } from "../../src/layers/engine/index.ts"
import { layerLlama } from "../../src/layers/engine/llama.ts"
import { hundredMillion } from "../support/gguf.ts"
import type { TensorType } from "../support/gguf-container.ts"
import { interleaved, median, ratio, report, type Row, timed } from "./support.ts"

const maxTokens = 40
const promptTokens = 600
const runtime = ManagedRuntime.make(layerLlama({ gpu: "cpu" }))

const load = (options: Omit<LoadOptions, "onProgress">) =>
  Effect.flatMap(Engine, (engine) => engine.load({ ...options, context: 1024, onProgress: () => undefined }))

const answer = (model: LoadedModel, no: number) =>
  model.generate({
    input: { _tag: "Tokens", tokens: Array.from({ length: promptTokens }, (_, i) => 300 + ((i * 7 + no) % 5000)) },
    sampling: { temperature: 0, topP: 1, topK: 0 },
    maxTokens,
    stop: [],
    ignoreEos: true,
    onToken: () => undefined
  })

interface Figure {
  /** milliseconds a token, of the CPU and by the clock */
  readonly cpu: number
  readonly ms: number
}

const round = (model: LoadedModel, answers: number) => async (): Promise<Figure> => {
  const all = Effect.all(
    Array.from({ length: answers }, (_, no) => answer(model, no)),
    { concurrency: "unbounded" }
  )
  const before = process.cpuUsage()
  const { ms } = await timed(() => runtime.runPromise(all))
  const { system, user } = process.cpuUsage(before)
  const count = maxTokens * answers
  return { cpu: (user + system) / 1000 / count, ms: ms / count }
}

const compare = (type: TensorType, threads: number, answers: number, rounds: number): Promise<Row> =>
  runtime.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const modelPath = yield* Effect.promise(() => hundredMillion({ type }))
        // as if it had been tested: no test runs beside
        const exactness = { exact: true, bits: "0", threads }
        const [always, off] = yield* Effect.all([
          load({ modelPath, slots: answers, threads, exact: "always", exactness }),
          load({ modelPath, slots: answers, threads, exact: "off" })
        ])
        const figures = yield* Effect.promise(() =>
          interleaved({ always: round(always, answers), off: round(off, answers) }, rounds)
        )
        const of = (who: keyof typeof figures) => figures[who].map((one) => (threads === 1 ? one.cpu : one.ms))
        const cost = ratio(of("always"), of("off"))
        const shown = `${median(of("always")).toFixed(2)} ÷ ${median(of("off")).toFixed(2)} ms a token`
        return {
          what: `${type}, ${threads} thread${threads > 1 ? "s" : ""}, ${answers} at once`,
          value: cost.median,
          unit: "×",
          against: `${shown}; p5 ${cost.p5.toFixed(2)}, p95 ${cost.p95.toFixed(2)}; ${always.exactness()?.exact_how}`
        }
      })
    )
  )

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const [rounds = "5", types = "f16,bf16,iq4_xs,q4_k,q8_0", threads = "1,2", answers = "1,2,4,8,16"] = args
  const rows: Array<Row> = []
  for (const type of types.split(",") as Array<TensorType>)
    for (const many of threads.split(",").map(Number))
      for (const count of answers.split(",").map(Number)) {
        const row = await compare(type, many, count, Number(rounds))
        process.stderr.write(`${row.what}: ${row.value.toFixed(3)} (${row.against})\n`)
        rows.push(row)
      }
  report("exact", rows)
  await runtime.dispose()
}
