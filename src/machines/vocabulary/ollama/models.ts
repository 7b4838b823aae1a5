/** Models as Ollama's clients see them. What is not known of one is empty. */
import * as Schema from "effect/Schema"
import type { Entry } from "../../entries/entries.ts"
import type { WorkerView } from "../hive.ts"
import type { ModelView } from "../model.ts"

const Details = Schema.Struct({
  parent_model: Schema.String,
  format: Schema.String,
  family: Schema.String,
  families: Schema.Array(Schema.String),
  parameter_size: Schema.String,
  quantization_level: Schema.String
})

const modelFields = {
  name: Schema.String,
  model: Schema.String,
  /** bytes */
  size: Schema.Number,
  digest: Schema.String,
  details: Details
} as const

const OllamaModel = Schema.Struct({ ...modelFields, modified_at: Schema.String })
export const OllamaTags = Schema.Struct({ models: Schema.Array(OllamaModel) })

const OllamaRunning = Schema.Struct({
  ...modelFields,
  expires_at: Schema.String,
  size_vram: Schema.Number,
  context_length: Schema.Number
})
export const OllamaPs = Schema.Struct({ models: Schema.Array(OllamaRunning) })

export const OllamaShown = Schema.Struct({
  modelfile: Schema.String,
  parameters: Schema.String,
  template: Schema.String,
  /** what its entry says before a conversation */
  system: Schema.optional(Schema.String),
  details: Details,
  model_info: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  capabilities: Schema.Array(Schema.String),
  modified_at: Schema.String
})

/** What is known of a model: all of a copy, or only that it can be asked for; `name`: under which it has an entry. */
export type Known = Pick<ModelView, "model_ref"> &
  Partial<ModelView> & { readonly name?: string; readonly entry?: Entry }

const isoTime = (ms: number): string => new Date(ms).toISOString()

/** "1.2B", "137M" */
const sizeOf = (parameters: number | undefined): string => {
  if (parameters === undefined) return ""
  const [unit, letter] = parameters >= 1e9 ? [1e9, "B"] : parameters >= 1e6 ? [1e6, "M"] : [1e3, "K"]
  return `${(parameters / unit).toFixed(parameters >= 1e9 ? 1 : 2)}${letter}`
}

const detailsOf = ({ architecture = "", parameters, quantization = "" }: Known) => ({
  parent_model: "",
  format: "gguf",
  family: architecture,
  families: architecture === "" ? [] : [architecture],
  parameter_size: sizeOf(parameters),
  quantization_level: quantization
})

const fieldsOf = (model: Known) => ({
  name: model.name ?? model.model_ref,
  model: model.name ?? model.model_ref,
  size: model.bytes ?? 0,
  digest: model.sha256 ?? "",
  details: detailsOf(model)
})

/** Each model once, whichever hives have it. */
export const tagsOf = (models: ReadonlyArray<Known>): typeof OllamaTags.Type => {
  const known = new Map<string, Known>()
  for (const model of models) {
    const { name } = fieldsOf(model)
    if (!known.has(name)) known.set(name, model)
  }
  return {
    models: [...known.values()].map((model) => ({
      ...fieldsOf(model),
      modified_at: isoTime(model.added_at ?? model.last_used_at ?? 0)
    }))
  }
}

/** A pinned one stays as long as anybody can say. */
const never = Date.UTC(2300, 0)

export const psOf = (
  workers: ReadonlyArray<WorkerView>,
  models: ReadonlyArray<Known>,
  { idleMs, now }: { readonly now: number; readonly idleMs: number }
): typeof OllamaPs.Type => ({
  models: workers
    .filter(({ state }) => state === "idle" || state === "busy")
    .map((worker) => {
      const known: Known = models.find(({ model_ref }) => model_ref === worker.model) ?? { model_ref: worker.model }
      const held = worker.memory_mb === undefined ? undefined : Math.round(worker.memory_mb * 1e6)
      return {
        ...fieldsOf(known),
        size: held ?? known.bytes ?? 0,
        size_vram: worker.device === "cpu" ? 0 : (held ?? 0),
        context_length: worker.context,
        expires_at: isoTime(worker.pinned === true ? never : now + idleMs)
      }
    })
})

/** As far as its header and its chat template tell; of reranking Ollama has no word of its own. */
const capabilitiesOf = ({ dialect, purpose = "chat" }: Known): ReadonlyArray<string> => [
  ...(purpose === "chat" ? ["completion"] : purpose === "embeddings" ? ["embedding"] : ["reranking"]),
  ...(dialect === undefined || dialect.tools === null ? [] : ["tools"]),
  ...(dialect === undefined || dialect.reasoning === null ? [] : ["thinking"])
]

/** Options that an entry sets, as a Modelfile has them. */
const parametersOf = ({ entry }: Known): string => {
  const { context: num_ctx, max_tokens: num_predict, stop = [], ...rest } = entry ?? { ref: "", name: "" }
  const { min_p, repeat_last_n, repeat_penalty, seed, temperature, top_k, top_p } = rest
  const named = { num_ctx, num_predict, temperature, top_p, top_k, min_p, repeat_penalty, repeat_last_n, seed }
  const stops = (typeof stop === "string" ? [stop] : stop).map((text) => ["stop", JSON.stringify(text)] as const)
  return [...Object.entries(named).filter(([, value]) => value !== undefined), ...stops]
    .map(([name, value]) => `${name} ${value}`)
    .join("\n")
}

export const shownOf = (model: Known): typeof OllamaShown.Type => {
  const { architecture, context, parameters } = model
  return {
    modelfile: `FROM ${model.model_ref}\n`,
    parameters: parametersOf(model),
    ...(model.entry?.system === undefined ? {} : { system: model.entry.system }),
    template: "",
    details: detailsOf(model),
    model_info: {
      ...(architecture === undefined ? {} : { "general.architecture": architecture }),
      ...(parameters === undefined ? {} : { "general.parameter_count": parameters }),
      ...(architecture === undefined || context === undefined ? {} : { [`${architecture}.context_length`]: context })
    },
    capabilities: capabilitiesOf(model),
    modified_at: isoTime(model.added_at ?? model.last_used_at ?? 0)
  }
}
