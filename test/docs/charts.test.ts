/** The drawn charts of docs/charts come from the machines themselves; `npx vitest run test/docs -u` draws them anew. */
import { readFileSync } from "node:fs"
import { assert, describe, expect, it } from "vitest"
import type { AnyStateMachine } from "xstate"
import { type ChartGraph, toGraph } from "../../src/machines/charts/chart-graph.ts"
import { toMermaid } from "../../src/machines/charts/chart.ts"
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

describe("the drawn charts", () => {
  it.each(Object.entries(charts))("of %s say of every guard what it asks", (_, { machine }) => {
    for (const { label } of toGraph(machine).edges) assert.notInclude(label, "[condition]")
  })

  it.each(Object.entries(charts))("of %s are those of the code", async (name, { machine, where }) => {
    const page = `# ${name}\n\n${where} Source: \`src/machines/${name}.ts\`.\n\n\`\`\`mermaid\n${toMermaid(machine).trim()}\n\`\`\`\n`
    await expect(page).toMatchFileSnapshot(`../../docs/charts/${name}.md`)
  })
})
