/**
 * Tokens through the queen against a bare node:http pipe (the floor), nginx with proxy_buffering off, and
 * @portkey-ai/gateway. A scripted worker stands in for the engine; every process is its own; rounds are interleaved.
 * `relay [ROUNDS]`
 */
import { fileURLToPath } from "node:url"
import { type Client, makeClient } from "./relay-parts/client.ts"
import { type Contender, cpuSeconds, openStage, playRole, rssMegabytes, type Stage } from "./relay-parts/contenders.ts"
import { interleaved, median, quantile, ratio, report, type Row } from "./support.ts"

interface Figure {
  readonly tokensPerS: number
  /** microseconds of CPU a token, of the relaying process */
  readonly cpuUs: number
  readonly firstMs: ReadonlyArray<number>
  /** milliseconds that a token came off its pace */
  readonly jitterMs: ReadonlyArray<number>
}

const load = async (
  client: Client,
  { route, pid }: Contender,
  streams: number,
  tokens: number,
  pace: number
): Promise<Figure> => {
  const cpu = cpuSeconds(pid)
  const began = performance.now()
  const all = await Promise.all(
    Array.from({ length: streams }, async (_, k) => {
      // paced streams begin spread over one period, as answers do
      if (pace > 0) await new Promise((resolve) => setTimeout(resolve, (k * 1000) / pace / streams))
      return client.stream(route, tokens, pace)
    })
  )
  const seconds = (performance.now() - began) / 1000
  return {
    tokensPerS: (streams * tokens) / seconds,
    cpuUs: ((cpuSeconds(pid) - cpu) * 1e6) / (streams * tokens),
    firstMs: all.map(({ firstMs }) => firstMs),
    jitterMs: pace === 0 ? [] : all.flatMap(({ gaps }) => gaps.map((gap) => Math.abs(gap - 1000 / pace)))
  }
}

const flat = { streams: 50, tokens: 1000, pace: 0 }
const paced = { streams: 500, tokens: 90, pace: 30 }

const namesOf = (contenders: ReadonlyArray<Contender>) =>
  Object.fromEntries(contenders.map((each) => [each.name, each])) as Record<string, Contender>

const rowsOf = (
  title: string,
  workload: typeof flat,
  figures: Readonly<Record<string, ReadonlyArray<Figure>>>,
  ours: string
): ReadonlyArray<Row> => {
  const mine = figures[ours] ?? []
  return Object.entries(figures).flatMap(([name, each]) => {
    const against = (f: (figure: Figure) => number) => ratio(mine.map(f), each.map(f)).median
    const isOurs = name === ours
    const rows: Array<Row> = []
    if (workload.pace === 0)
      rows.push({
        what: `${title}: ${name}`,
        value: median(each.map(({ tokensPerS }) => tokensPerS)),
        unit: "tokens/s",
        ...(isOurs
          ? {}
          : { against: `rbee × ${against((figure) => figure.tokensPerS).toFixed(2)}`, ...target(name, "≥ 0.5 ×") })
      })
    else
      rows.push({
        what: `${title}: ${name}, jitter p99`,
        value: median(each.map(({ jitterMs }) => quantile(jitterMs, 0.99))),
        unit: "ms",
        ...(isOurs
          ? {}
          : {
              against: `rbee × ${against(({ jitterMs }) => quantile(jitterMs, 0.99)).toFixed(2)}`,
              ...target(name, "≤ 2 ×")
            })
      })
    rows.push({
      what: `${title}: ${name}, CPU a token`,
      value: median(each.map(({ cpuUs }) => cpuUs)),
      unit: "µs",
      ...(isOurs
        ? workload.pace === 0
          ? { target: "< 10 µs" }
          : {}
        : {
            against: `rbee × ${against(({ cpuUs }) => cpuUs).toFixed(2)}`,
            ...(workload.pace === 0 ? {} : target(name, "≤ 1.3 ×"))
          })
    })
    return rows
  })
}
const target = (name: string, text: string) => (name === "bare pipe" ? { target: text } : {})

/** Added time to the first token, one stream at a time on an idle relay. */
const firstTokens = async (client: Client, stage: Stage): Promise<ReadonlyArray<Row>> => {
  const contenders = [...stage.peers, stage.jobs]
  const times = await interleaved(
    {
      direct: async () => (await client.stream(stage.direct, 1, 0)).firstMs,
      ...Object.fromEntries(
        contenders.map(({ name, route }) => [name, async () => (await client.stream(route, 1, 0)).firstMs])
      )
    },
    400
  )
  const added = (name: string, q: number) => quantile(times[name as "direct"], q) - quantile(times.direct, q)
  const rows: Array<Row> = []
  for (const { name } of contenders)
    for (const q of [0.5, 0.99]) {
      const row = { what: `added time to first token, ${name}, p${q * 100}`, value: added(name, q), unit: "ms" }
      if (name === "Portkey") {
        const times = (added("rbee /v1", q) / added(name, q)).toFixed(2)
        rows.push({ ...row, against: `rbee × ${times}`, target: "≤ 0.3 ×" })
      } else rows.push(name.startsWith("rbee") && q === 0.5 ? { ...row, target: "< 1 ms" } : row)
    }
  return rows
}

/** A peer that serves no stream here (Portkey 1.15 on Node 20 answers 500) is not compared, and that is said. */
const thatStream = async (client: Client, stage: Stage): Promise<Stage> => {
  const tried = await Promise.all(
    stage.peers.map(async (peer) => ({
      peer,
      why: await client.stream(peer.route, 1, 0).then(
        () => undefined,
        (error: Error) => `${peer.name}: ${error.message}`
      )
    }))
  )
  return {
    ...stage,
    peers: tried.flatMap(({ peer, why }) => (why === undefined ? [peer] : [])),
    absent: [...stage.absent, ...tried.flatMap(({ why }) => why ?? [])]
  }
}

export const run = async (args: ReadonlyArray<string> = []): Promise<void> => {
  const rounds = Number(args[0] ?? 5)
  const opened = await openStage(fileURLToPath(import.meta.url))
  const client = makeClient()
  try {
    const stage = await thatStream(client, opened)
    const rows: Array<Row> = []
    const raw: Record<string, unknown> = { absent: stage.absent }
    for (const [title, workload] of [
      ["50 × 1000 flat out", flat],
      ["500 × 30/s", paced]
    ] as const)
      for (const [kind, contenders, ours] of [
        ["/v1", stage.peers, "rbee /v1"],
        ["/jobs", [stage.jobs, stage.jobsPipe], "rbee /jobs"]
      ] as const) {
        const figures = await interleaved(
          Object.fromEntries(
            Object.entries(namesOf(contenders)).map(([name, contender]) => [
              name,
              () => load(client, contender, workload.streams, workload.tokens, workload.pace)
            ])
          ),
          rounds
        )
        rows.push(...rowsOf(`${title} ${kind}`, workload, figures, ours))
        raw[`${title} ${kind}`] = Object.fromEntries(
          Object.entries(figures).map(([name, each]) => [
            name,
            each.map(({ tokensPerS, cpuUs, firstMs, jitterMs }) => ({
              tokensPerS,
              cpuUs,
              firstMs: [quantile(firstMs, 0.5), quantile(firstMs, 0.99)],
              jitterMs: jitterMs.length === 0 ? [] : [quantile(jitterMs, 0.5), quantile(jitterMs, 0.99)]
            }))
          ])
        )
      }
    rows.push(...(await firstTokens(client, stage)))
    for (const { name, pid } of stage.peers)
      rows.push({ what: `memory after all this: ${name}`, value: rssMegabytes(pid), unit: "MB" })
    report("relay", rows, raw)
    for (const why of stage.absent) process.stdout.write(`  not compared: ${why}\n`)
  } finally {
    client.close()
    await opened.close()
  }
}

await playRole()
