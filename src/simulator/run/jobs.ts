/** What a job should say, and how it ended. */
import * as Effect from "effect/Effect"
import { Engine, type LoadedModel } from "../../layers/engine/index.ts"
import type { Store } from "../../layers/journal/in-process.ts"
import { type EngineSpec, layerUndisturbed } from "../world/engine.ts"
import { Kernel } from "../world/kernel/kernel.ts"
import { Machine } from "../world/machine.ts"
import { measuredBy } from "../world/models.ts"
import { textsOf } from "../clients/measuring.ts"
import { type JobPlan, promptOf } from "./plan.ts"
import type { JobId } from "../../machines/vocabulary/ids.ts"

/** What a prompt is answered where nothing happens: its tokens, and of one that is read as text alone. */
export interface Expected {
  readonly tokens: ReadonlyArray<string>
  readonly plain: ReadonlyArray<string>
}

export const expectedOf = (spec: EngineSpec, job: JobPlan): Expected => {
  const measures = measuredBy(job.model ?? "")
  const tokens = undisturbed({ ...spec, measures }, job, true)
  const isPlain = spec.speech === undefined || measures !== undefined
  return { tokens, plain: isPlain ? tokens : undisturbed(spec, job, false) }
}

type Say = (text: string) => void

const generated = (model: LoadedModel, prompt: string, onToken: Say) =>
  model.generate({
    input: { _tag: "Messages", messages: [{ role: "user", content: prompt }] },
    sampling: { temperature: 0, topP: 1, topK: 0 },
    stop: [],
    ignoreEos: false,
    onToken
  })

const measured = (model: LoadedModel, { measures }: EngineSpec, texts: ReadonlyArray<string>, onToken: Say) => {
  const [query = ""] = texts
  return model.measure({
    texts: measures === "embeddings" ? { _tag: "Embed", inputs: texts } : { _tag: "Rerank", query, documents: texts },
    before: [],
    onToken
  })
}

/** The answer of the engine alone, asked once, in a world where nothing happens. */
const undisturbed = (spec: EngineSpec, job: JobPlan, isLearned: boolean): ReadonlyArray<string> => {
  const kernel = new Kernel({ seed: 1 })
  const process = new Machine(kernel, { name: "alone", ramBytes: 1e9, gpus: [] }, 1).spawn("engine")
  const tokens: Array<string> = []
  const ask = Effect.gen(function* () {
    const engine = yield* Engine
    const model = yield* engine.load({ modelPath: "", slots: 1, onProgress: () => undefined })
    const text = promptOf(job)
    const say = (piece: string): void => void tokens.push(piece)
    yield* job.texts === undefined
      ? generated(model, text, say)
      : measured(model, spec, textsOf({ text }, job.texts), say)
    return 0
  })
  process.main(Effect.scoped(Effect.provide(ask, layerUndisturbed(spec, isLearned))))
  const stop = kernel.run(() => !process.isAlive, Infinity)
  if (stop !== undefined || process.status?.code !== 0)
    throw new Error(`the engine alone gives no answer: ${stop?._tag}`)
  return tokens
}

/** The terminal events of a job's sequence. */
export const terminalOf = (
  journal: Store,
  job: JobId
): { readonly count: number; readonly names: string; readonly data: string } => {
  const ends = journal
    .replay(job, 0, 1_000_000)
    .flatMap((entry) => (entry._tag === "Event" && ["done", "error", "cancelled"].includes(entry.event) ? [entry] : []))
  return {
    count: ends.length,
    names: ends.map(({ event }) => event).join(", "),
    data: ends.map(({ data }) => data).join(", ")
  }
}
