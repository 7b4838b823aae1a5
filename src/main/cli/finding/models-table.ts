/** The models that are here, a line each. */
import type { OwnName } from "../../../machines/entries/among.ts"
import { megabytes } from "../../../machines/narration.ts"
import { deviceLabel } from "../../../machines/vocabulary/device.ts"
import type { ModelView } from "../../../machines/vocabulary/model.ts"
import { table } from "../table.ts"
import { row } from "../views.ts"

/** What can be typed instead of the reference: as its owner calls it, or the file's name. */
export const alsoCalled = (ref: string, names: ReadonlyArray<string>): string => {
  const short = names.map((name) =>
    name.startsWith("file:") ? (name.split("/").at(-1) ?? name) : name.replace(/^ollama:/, "")
  )
  const own = ref.startsWith("ollama:") ? [ref.slice("ollama:".length)] : []
  return [...new Set([...own, ...short])].join(", ")
}

type Own = Pick<OwnName, "name" | "ref">
interface Line extends ModelView {
  readonly called: string
}

/** One line for what is one blob on one hive, however many references it has there. */
const linesOf = (models: ReadonlyArray<ModelView>, own: ReadonlyArray<Own>): ReadonlyArray<Line> => {
  const blobs = new Map<string, Array<ModelView>>()
  for (const model of models) {
    const blob = `${model.hive ?? ""} ${model.sha256 ?? model.file}`
    blobs.set(blob, [...(blobs.get(blob) ?? []), model])
  }
  return [...blobs.values()].flatMap((same) => {
    const [model] = same
    if (model === undefined) return []
    const refs = same.map(({ model_ref }) => model_ref)
    const owned = own.flatMap(({ name, ref }) => (refs.includes(ref) ? [name] : []))
    const others = [...owned, ...refs.slice(1), ...same.flatMap(({ names = [] }) => names)]
    return [{ ...model, called: alsoCalled(model.model_ref, others) }]
  })
}

type Column = readonly [head: string, of: (line: Line) => string | number | undefined]

const columns: ReadonlyArray<Column> = [
  ["MODEL", ({ model_ref }) => model_ref],
  ["HIVE", ({ hive }) => hive],
  ["SIZE", ({ bytes }) => `${megabytes(bytes)} MB`],
  ["QUANT", ({ quantization }) => quantization],
  ["CONTEXT", ({ context }) => context],
  ["FOR", ({ purpose }) => purpose],
  ["NOT ON", ({ quarantined }) => quarantined?.map(({ device }) => deviceLabel(device)).join(", ")],
  ["ALSO CALLED", ({ called }) => (called === "" ? undefined : called)],
  ["FILE", ({ file }) => file]
]
/** Who has no such model is spared the column. */
const seldom = new Set(["FOR", "NOT ON", "ALSO CALLED"])

/** `own`: names of the user's, and what each stands for. */
export const modelsTable = (models: ReadonlyArray<ModelView>, room?: number, own: ReadonlyArray<Own> = []): string => {
  const lines = linesOf(models, own)
  const isTold = (value: string | number | undefined) => value !== undefined && value !== "chat"
  const shown = columns.filter(([head, of]) => !seldom.has(head) || lines.some((line) => isTold(of(line))))
  return table(
    shown.map(([head]) => head),
    lines.map((line) => row(...shown.map(([, of]) => of(line)))),
    room
  )
}
