/** The drawn charts of docs/charts come from the machines themselves; `npx vitest run test/docs -u` draws them anew. */
import { describe, expect, it } from "vitest"
import { toMermaid } from "../../src/machines/chart.ts"
import { downloadMachine } from "../../src/machines/download.ts"
import { hiveMachine } from "../../src/machines/hive.ts"
import { jobMachine } from "../../src/machines/job.ts"
import { queenMachine } from "../../src/machines/queen.ts"
import { workerMachine } from "../../src/machines/worker.ts"

const charts = {
  job: { machine: jobMachine, where: "One actor a job, in the queen." },
  hive: { machine: hiveMachine, where: "One actor for each known machine, in the queen." },
  worker: { machine: workerMachine, where: "One actor for each loaded model and device, in the hive." },
  download: { machine: downloadMachine, where: "One actor for each running download, in the hive." },
  queen: { machine: queenMachine, where: "One actor a cluster: its life is the shutdown protocol." }
}

describe("the drawn charts", () => {
  it.each(Object.entries(charts))("of %s are those of the code", async (name, { machine, where }) => {
    const page = `# ${name}\n\n${where} Source: \`src/machines/${name}.ts\`.\n\n\`\`\`mermaid\n${toMermaid(machine).trim()}\n\`\`\`\n`
    await expect(page).toMatchFileSnapshot(`../../docs/charts/${name}.md`)
  })
})
