/** The charts that the inspector was built with are those of the machines. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import type { AnyStateMachine } from "xstate"
import { type ChartGraph, toGraph } from "../../src/machines/charts/chart-graph.ts"
import { charts } from "../../src/machines/charts/charts.ts"

/** Ids of all states of a definition, whatever draws it. */
const idsOf = (node: AnyStateMachine["root"]): ReadonlyArray<string> => [
  node.path.join("."),
  ...Object.values(node.states).flatMap(idsOf)
]

describe("the charts of the inspector", () => {
  const built = JSON.parse(
    readFileSync(new URL("../../dist/inspect/machines.json", import.meta.url), "utf8")
  ) as ReadonlyArray<ChartGraph & { readonly boxes: object; readonly lines: object }>

  it.each(Object.entries(charts))(
    "have every state and every line of %s, and a place for each",
    (name, { machine }) => {
      const chart = built.find(({ id }) => id === machine.id)
      assert.isDefined(chart, name)
      const { boxes, edges, id, lines, root } = chart
      assert.deepEqual({ id, root, edges }, JSON.parse(JSON.stringify(toGraph(machine))))
      assert.sameMembers(Object.keys(boxes), [...idsOf(machine.root)])
      assert.sameMembers(
        Object.keys(lines),
        edges.map((edge) => edge.id)
      )
    }
  )
})
