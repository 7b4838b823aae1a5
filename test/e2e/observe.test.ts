/** What an operator sees of a run afterwards, on real processes: the logs, and the metrics. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { eventually } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()

/** correlation id → first letters of the files that have a line with it */
const rolesByCorrelation = (folder: string): ReadonlyMap<string, ReadonlySet<string>> => {
  const found = new Map<string, Set<string>>()
  for (const file of readdirSync(folder))
    for (const line of readFileSync(join(folder, file), "utf8").split("\n")) {
      const id = /"correlation_id":"([^"]+)"/.exec(line)?.[1]
      if (id !== undefined) found.set(id, (found.get(id) ?? new Set()).add(file.split(/[-.]/)[0] ?? file))
    }
  return found
}

describe("after a run", () => {
  it("one id, the session's, is in the logs of queen, hive and worker", async () => {
    const on = await machine()
    const run = await on.rbee(["infer", "hello"])
    assert.strictEqual(run.code, 0, run.stderr)
    const roles = () => {
      const all = [...rolesByCorrelation(join(on.home, "logs"))]
      return [...(all.find(([id]) => id.startsWith("session-"))?.[1] ?? [])].toSorted().join(" ")
    }
    // lines are written some at a time
    await eventually(() => Promise.resolve(roles() === "hive queen worker"), roles)
  })

  it("the metrics tell of its tokens, its load, its worker and the memory that it holds", async () => {
    const on = await machine()
    const run = await on.rbee(["infer", "hello"])
    assert.strictEqual(run.code, 0, run.stderr)
    const answer = await on.fetch(`http://127.0.0.1:${on.ports.queen}/metrics`)
    const text = await answer.text()
    assert.include(answer.headers.get("content-type"), "version=0.0.4")
    const value = (sample: string) =>
      Number(
        text
          .split("\n")
          .find((line) => line.startsWith(`${sample} `))
          ?.slice(sample.length)
      )
    assert.strictEqual(value('rbee_requests_total{model="minillama",outcome="done"}'), 1)
    assert.isAbove(value('rbee_tokens_total{model="minillama",type="generation"}'), 0)
    assert.strictEqual(value('rbee_model_load_seconds_count{hive="localhost",model="minillama"}'), 1)
    assert.isAbove(value('rbee_heartbeats_total{hive="localhost"}'), 0)
    assert.match(text, /rbee_workers\{hive="localhost",model="minillama",state="(idle|busy)"\} 1\n/)
  })
})
