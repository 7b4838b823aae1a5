/** What a scan found, for people. */
import { printable } from "../../../layers/terminal/index.ts"
import { megabytes } from "../../../machines/narration.ts"
import type { ScanAnswer } from "../../../machines/vocabulary/model.ts"
import { table } from "../table.ts"
import { alsoCalled } from "./models-table.ts"

type Found = ScanAnswer["models"][number]

const called = ({ model_ref, names = [] }: Found): string => alsoCalled(model_ref, names)

const tableOf = (models: ReadonlyArray<Found>, room: number | undefined): string =>
  table(
    ["MODEL", "SIZE", "QUANT", "CONTEXT", "FOR", "ALSO CALLED"],
    models.map((model) =>
      [
        model.model_ref,
        `${megabytes(model.bytes)} MB`,
        model.quantization ?? "-",
        model.context === undefined ? "-" : String(model.context),
        model.purpose ?? "chat",
        called(model) === "" ? "-" : called(model)
      ].map(printable)
    ),
    room
  )

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`

export const scanText = ({ folders, hive, models, skipped }: ScanAnswer, room: number | undefined): string => {
  const fresh = models.filter(({ is_new }) => is_new).length
  const remarks = models.flatMap(({ model_ref, remark }) => (remark === undefined ? [] : [`${model_ref}: ${remark}`]))
  const looked = folders.filter(({ problem }) => problem === undefined).map(({ path }) => path)
  const [first] = models
  return [
    models.length === 0 ? "" : tableOf(models, room),
    ...remarks.map((remark) => `note: ${printable(remark)}\n`),
    ...skipped.map(({ name, reason }) => `not a model here: ${printable(name)}: ${printable(reason)}\n`),
    ...folders.flatMap(({ path, problem }) =>
      problem === undefined ? [] : [`not looked at: ${printable(path)}: ${problem}\n`]
    ),
    `${plural(models.length, "model")} on hive ${hive}, ${fresh} of them new, in ${looked.length === 0 ? "no folder" : looked.map(printable).join(", ")}\n`,
    first === undefined ? "" : `ask one: rbee infer --model ${printable(first.model_ref)} "hello"\n`
  ].join("")
}
