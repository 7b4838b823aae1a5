/** The drawn charts of docs/charts come from the machines themselves; `npx vitest run test/docs -u` draws them anew. */
import { assert, describe, expect, it } from "vitest"
import { toGraph } from "../../src/machines/charts/chart-graph.ts"
import { toMermaid } from "../../src/machines/charts/chart.ts"
import { charts } from "../../src/machines/charts/charts.ts"

describe("the drawn charts", () => {
  it.each(Object.entries(charts))("of %s say of every guard what it asks", (_, { machine }) => {
    for (const { label } of toGraph(machine).edges) assert.notInclude(label, "[condition]")
  })

  it.each(Object.entries(charts))("of %s are those of the code", async (name, { machine, where }) => {
    const page = `# ${name}\n\n${where} Source: \`src/machines/${name}.ts\`.\n\n\`\`\`mermaid\n${toMermaid(machine).trim()}\n\`\`\`\n`
    await expect(page).toMatchFileSnapshot(`../../docs/charts/${name}.md`)
  })
})
