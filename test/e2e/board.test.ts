/** docs/grafana.json, and the queries of docs/monitoring.md, ask for what the real metrics have: families, labels and their values. */
import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { rowsOf, textOf } from "../docs/pages.ts"
import { paced, story } from "../support/faults.ts"
import { eventually } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

interface Panel {
  readonly title: string
  readonly targets?: ReadonlyArray<{ readonly expr: string; readonly legendFormat: string }>
}
interface Board {
  readonly panels: ReadonlyArray<Panel>
  readonly templating: { readonly list: ReadonlyArray<{ readonly name: string; readonly query: unknown }> }
}

const board = JSON.parse(readFileSync("docs/grafana.json", "utf8")) as Board
const targets = board.panels.flatMap((panel) => panel.targets ?? [])
const alerts = rowsOf(textOf("docs/monitoring.md")).flatMap(([cell = ""]) => /^`(.*rbee_.*)`$/.exec(cell)?.[1] ?? [])

/** A sample's name, with its labels and the values that were seen. */
type Samples = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>

const samplesIn = (text: string): Samples => {
  const samples = new Map<string, Map<string, Set<string>>>()
  for (const [, name = "", labels = ""] of text.matchAll(/^(rbee_\w+)(?:\{(.*)\})? \S+$/gm)) {
    const seen = samples.get(name) ?? new Map<string, Set<string>>()
    samples.set(name, seen)
    for (const [, label = "", value = ""] of labels.matchAll(/(\w+)="([^"]*)"/g))
      seen.set(label, (seen.get(label) ?? new Set()).add(value))
  }
  return samples
}

/** PromQL as far as the board needs it; the rest of a query is operators and numbers. */
const words = new Set(["sum", "min", "by", "rate", "increase", "histogram_quantile", "or", "vector"])
const matcher = /(\w+)\s*(=~|=)\s*"([^"]*)"/g

const problemsOf = (query: string, samples: Samples): ReadonlyArray<string> => {
  const selectors = [...query.matchAll(/\b(rbee_\w+)(?:\{([^}]*)\})?/g)]
  const known = new Set(selectors.flatMap(([, name = ""]) => [...(samples.get(name)?.keys() ?? [])]))
  const grouped = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/))
  const rest = query
    .replaceAll(/\b(rbee_\w+)(?:\{[^}]*\})?/g, " ")
    .replaceAll(/\bby \([^)]*\)/g, " by ")
    .replaceAll(/\[(?:\$__rate_interval|\d+[smhd])\]/g, " ")
    .replaceAll(/\b\d+(?:\.\d+)?(?:e\d+)?\b/g, " ")
  const depth = [...rest].reduce((open, letter) => open + (letter === "(" ? 1 : letter === ")" ? -1 : 0), 0)
  return [
    ...selectors.flatMap(([, name = "", matchers = ""]) => [
      ...(samples.has(name) ? [] : [`no ${name}`]),
      ...[...matchers.matchAll(matcher)].flatMap(([, label = "", sign, value = ""]) => {
        const values = samples.get(name)?.get(label)
        if (values === undefined) return [`${name} has no label ${label}`]
        return sign === "=" && !values.has(value) && !told.has(value) ? [`${name} has no ${label}="${value}"`] : []
      })
    ]),
    ...grouped.filter((label) => !known.has(label)).map((label) => `nothing has the label ${label}`),
    ...(rest.match(/[a-z_$]+/gi) ?? []).filter((word) => !words.has(word)).map((word) => `${word} is nothing`),
    ...(depth === 0 ? [] : ["brackets"])
  ]
}
/** states that this run does not come to: docs/charts/hive.md has them */
const told = new Set(["lost"])

const machine = useMachines()

it("each query is about families, labels and values that a busy, struck cluster shows, and each family is shown", async () => {
  const on = await machine({ env: { ...paced, RBEE_WORKER_SLOTS: "1" } })
  const runs = [on.start(story)]
  await runs[0]?.until((run) => run.stdout().length > 0)
  for (const { pid, role } of on.processes()) if (role === "worker") process.kill(pid, "SIGKILL")
  runs.push(on.start(story))
  const odd = on.fetch(`${on.queenUrl}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify({ model: "minillama", max_tokens: 1, odd: 1, messages: [{ role: "user", content: "hello" }] })
  })
  let samples: Samples = new Map()
  const families = new Set([...textOf("docs/metrics.md").matchAll(/^\| `(rbee_\w+)`/gm)].map(([, name = ""]) => name))
  const familyOf = (name: string) => (families.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, ""))
  await eventually(
    async () => {
      const now = samplesIn(await (await on.fetch(`${on.queenUrl}/metrics`)).text())
      samples = new Map([...samples, ...now])
      return [...families].every((family) => [...samples.keys()].some((name) => familyOf(name) === family))
    },
    () => [...families].filter((family) => ![...samples.keys()].some((name) => familyOf(name) === family)).join(),
    30_000
  )
  await Promise.all([odd, ...runs.map(({ finished }) => finished)])

  const queries = [...targets.map(({ expr }) => expr), ...alerts]
  expect(queries.length).toBeGreaterThan(20)
  expect(queries.flatMap((query) => problemsOf(query, samples).map((problem) => `${query}: ${problem}`))).toEqual([])
  const asked = new Set(queries.flatMap((query) => query.match(/rbee_\w+/g) ?? []).map(familyOf))
  expect([...families].filter((family) => !asked.has(family))).toEqual([])
  for (const { expr, legendFormat } of targets)
    for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(expr + " version").toContain(label)
})

it("a query about what is not there would be found", () => {
  const samples = samplesIn('rbee_hives{state="healthy"} 1\n')
  expect(problemsOf('sum by (state) (rbee_hives{state="healthy"})', samples)).toEqual([])
  for (const query of [
    "rbee_hive",
    'rbee_hives{status="healthy"}',
    'rbee_hives{state="fine"}',
    "sum by (hive) (rbee_hives)"
  ])
    expect(problemsOf(query, samples)).toHaveLength(1)
  expect(problemsOf("sumup(rbee_hives))", samples)).toHaveLength(2)
})
