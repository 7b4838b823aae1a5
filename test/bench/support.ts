/**
 * What every benchmark shares: interleaved pairs (A B A B …), medians, a short table and a JSON file. Figures are
 * ratios measured side by side in one run, because machines drift; the absolute numbers stand beside them.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import { performance } from "node:perf_hooks"

export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

export const quantile = (values: ReadonlyArray<number>, q: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

/** milliseconds that `work` took */
export const timed = async <A>(work: () => Promise<A>): Promise<{ readonly ms: number; readonly value: A }> => {
  const began = performance.now()
  const value = await work()
  return { ms: performance.now() - began, value }
}

/** Runs the contenders in turn, `rounds` times, after one round that does not count. */
export const interleaved = async <Name extends string, Figure>(
  contenders: Readonly<Record<Name, () => Promise<Figure>>>,
  rounds: number
): Promise<Record<Name, Array<Figure>>> => {
  const names = Object.keys(contenders) as Array<Name>
  const figures = Object.fromEntries(names.map((name) => [name, [] as Array<Figure>])) as Record<Name, Array<Figure>>
  for (let round = -1; round < rounds; round++)
    for (const name of names) {
      const figure = await contenders[name]()
      if (round >= 0) figures[name].push(figure)
    }
  return figures
}

/** The ratio a/b pair by pair: its median and its 5th and 95th percentile. */
export const ratio = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) => {
  const pairs = a.map((value, index) => value / (b[index] ?? Number.NaN))
  return { median: median(pairs), p5: quantile(pairs, 0.05), p95: quantile(pairs, 0.95), pairs: pairs.length }
}

export interface Row {
  readonly what: string
  readonly value: number
  readonly unit: string
  /** what it is held against, in words, and the target */
  readonly against?: string
  readonly target?: string
}

const shown = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 1 ? value.toFixed(2) : value.toPrecision(3)

/** Prints the table and writes `.bench/NAME.json`. */
export const report = (name: string, rows: ReadonlyArray<Row>, raw: unknown = undefined): void => {
  const wide = Math.max(...rows.map(({ what }) => what.length))
  process.stdout.write(
    `\n${name}: ${cpus().length} cores, ${Math.round(totalmem() / 1e9)} GB, Node ${process.version}\n`
  )
  for (const { what, value, unit, against, target } of rows)
    process.stdout.write(
      `  ${what.padEnd(wide)}  ${shown(value).padStart(9)} ${unit}${against === undefined ? "" : `  (${against})`}${target === undefined ? "" : `  target ${target}`}\n`
    )
  mkdirSync(".bench", { recursive: true })
  writeFileSync(
    `.bench/${name}.json`,
    `${JSON.stringify({ name, at: new Date().toISOString(), rows, raw }, null, 2)}\n`
  )
}
