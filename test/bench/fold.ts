/**
 * What it costs the queen to read an answer for tools' calls: the same tokens, of the same worker, asked for with a
 * tool that the model may call, and without. Real daemons, a scripted engine; interleaved pairs. `fold [ROUNDS]`
 */
import { cpuSeconds, openCluster } from "./relay-parts/contenders.ts"
import { isKind, kinds, tokensOf } from "./fold-parts/said.ts"
import { interleaved, median, ratio, report, type Row } from "./support.ts"

const tool = {
  type: "function",
  function: {
    name: "write_file",
    description: "writes a file",
    parameters: { type: "object", properties: { path: { type: "string" }, text: { type: "string" } } }
  }
}
const streams = 20
/** each contender's load is so many times all streams: the clock of a process ticks a hundred times a second */
const times = 2

/** tokens a second of each answer: as a worker gives them to many; undefined: as fast as it goes */
const paces = [undefined, 60]

export const run = async (args: ReadonlyArray<string> = []): Promise<void> => {
  const rounds = Number(args[0] ?? 7)
  const rows: Array<Row> = []
  for (const pace of paces) rows.push(...(await measured(pace, rounds)))
  report("fold", rows)
}

const measured = async (pace: number | undefined, rounds: number): Promise<ReadonlyArray<Row>> => {
  const cluster = await openCluster({
    name: "fold",
    worker: "fold-program",
    env: {
      RBEE_WORKER_SLOTS: String(streams),
      ...(pace === undefined ? {} : { RBEE_WORKER_MAX_TOKENS_PER_S: String(pace) })
    }
  })
  const ask = async (kind: string, isParsed: boolean): Promise<void> => {
    const reply = await fetch(`http://127.0.0.1:${cluster.queenPort}/v1/chat/completions`, {
      method: "POST",
      headers: { ...cluster.headers, "content-type": "application/json" },
      body: JSON.stringify({
        model: "minillama",
        stream: true,
        messages: [{ role: "user", content: kind }],
        ...(isParsed ? { tools: [tool] } : {})
      })
    })
    if (!(await reply.text()).endsWith("data: [DONE]\n\n")) throw new Error(`${kind}: no whole answer`)
  }
  /** microseconds of the queen's CPU a token */
  const cost = async (kind: string, isParsed: boolean): Promise<number> => {
    const count = isKind(kind) ? tokensOf(kind).length : 0
    const repeats = pace === undefined ? times : 1
    const before = cpuSeconds(cluster.queenPid)
    for (let i = 0; i < repeats; i++) await Promise.all(Array.from({ length: streams }, () => ask(kind, isParsed)))
    return ((cpuSeconds(cluster.queenPid) - before) * 1e6) / (streams * repeats * count)
  }
  try {
    const rows: Array<Row> = []
    for (const kind of kinds) {
      const figures = await interleaved(
        { plain: () => cost(kind, false), parsed: () => cost(kind, true) },
        pace === undefined ? rounds : 3
      )
      const what = `${kind}, ${pace === undefined ? "flat out" : `${streams} × ${pace}/s`}`
      const { median: times } = ratio(figures.parsed, figures.plain)
      rows.push(
        { what: `${what}: text alone`, value: median(figures.plain), unit: "µs a token" },
        {
          what: `${what}: tools parsed`,
          value: median(figures.parsed),
          unit: "µs a token",
          against: `× ${times.toFixed(2)}`,
          target: "≤ 1.3 ×"
        }
      )
    }
    return rows
  } finally {
    await cluster.machine.dispose()
  }
}
