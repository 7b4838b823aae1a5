/** What fits where, for people. */
import { printable } from "../../../layers/terminal/index.ts"
import type { FitRow } from "../../../machines/policy/fits.ts"
import { deviceLabel } from "../../../machines/vocabulary/device.ts"
import { table } from "../table.ts"
import { sizeOf } from "./sizes.ts"

const verdict = ({ available_mb, fits, memory_mb }: FitRow): string => {
  if (fits === "yes") return "yes"
  if (fits === "if_unloaded") return "when others make room"
  return `no: ${memory_mb} MB of ${available_mb} MB`
}

/** `unknown`: hives whose devices nobody knows. */
export const fitText = (
  rows: ReadonlyArray<FitRow>,
  unknown: ReadonlyArray<string>,
  room: number | undefined
): string => {
  const best = rows.find(({ fits }) => fits === "yes") ?? rows.find(({ fits }) => fits === "if_unloaded")
  return [
    table(
      ["MODEL", "SIZE", "DEVICE", "FITS", "CONTEXT", "MEMORY", "AT MOST", "TOKENS/S"],
      rows.map((row) => {
        const isNo = row.fits === "no"
        return [
          row.quantization ?? row.file,
          sizeOf(row.bytes),
          `${deviceLabel(row.device)} of ${row.hive} (${row.name})`,
          verdict(row),
          isNo ? "-" : `${row.slots} × ${row.context}`,
          isNo ? "-" : `${row.memory_mb} MB`,
          row.context_max === 0 ? "-" : `1 × ${row.context_max}`,
          isNo ? "-" : row.tokens_per_s === undefined ? "not known" : String(row.tokens_per_s)
        ].map(printable)
      }),
      room
    ),
    ...unknown.map((hive) => `the devices of hive ${hive} are not known: it was never awake\n`),
    best === undefined
      ? "nothing of it fits a device here\n"
      : `take: rbee infer --model ${printable(best.ref)} "hello"\n`
  ].join("")
}
