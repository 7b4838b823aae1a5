/** The laid out charts, from `/inspect/machines`. */
import type { ChartGraph } from "../machines/charts/chart-graph.ts"
import { call } from "../web/kit/call.ts"

export type Box = readonly [number, number, number, number]

export interface Chart extends ChartGraph {
  readonly name: string
  readonly where: string
  readonly width: number
  readonly height: number
  /** x, y, width, height of each state by its id */
  readonly boxes: Readonly<Record<string, Box>>
  readonly lines: Readonly<
    Record<
      string,
      {
        readonly points: ReadonlyArray<readonly [number, number]>
        readonly label?: Box
      }
    >
  >
}

let known: ReadonlyMap<string, Chart> = new Map()

export const chartOf = (machine: string): Chart | undefined => known.get(machine)

export const loadCharts = async (): Promise<void> => {
  // built beside this page, from the same type
  const charts = (await call("GET", "/inspect/machines")) as ReadonlyArray<Chart>
  known = new Map(charts.map((chart) => [chart.id, chart]))
}
