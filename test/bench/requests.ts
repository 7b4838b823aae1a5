/**
 * Answers that are not streamed, through the queen against a bare node:http pipe, nginx and @portkey-ai/gateway;
 * 1, 10 and 64 at once, a scripted worker behind all of them, started by the real hive behind the real queen. Rounds are interleaved. `requests [ROUNDS]`
 */
import { fileURLToPath } from "node:url"
import { type Client, makeClient, type Route } from "./relay-parts/client.ts"
import { cpuSeconds, openStage, playRole } from "./relay-parts/contenders.ts"
import { interleaved, median, quantile, ratio, report, type Row } from "./support.ts"

interface Figure {
  readonly perS: number
  readonly p50: number
  readonly p99: number
  /** milliseconds of CPU a request, of the relaying process */
  readonly cpuMs: number
}

/** tokens of an answer */
const TOKENS = 16

const load = async (
  client: Client,
  { route, pid }: { readonly route: Route; readonly pid?: number },
  concurrency: number,
  requests: number
): Promise<Figure> => {
  const cpu = () => (pid === undefined ? 0 : cpuSeconds(pid))
  const before = cpu()
  let left = requests
  const times: Array<number> = []
  const began = performance.now()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (left-- > 0) times.push(await client.answer(route, TOKENS))
    })
  )
  return {
    perS: requests / ((performance.now() - began) / 1000),
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    cpuMs: ((cpu() - before) * 1000) / requests
  }
}

export const run = async (args: ReadonlyArray<string> = []): Promise<void> => {
  const rounds = Number(args[0] ?? 7)
  const stage = await openStage(fileURLToPath(import.meta.url))
  const client = makeClient()
  try {
    const rows: Array<Row> = []
    const raw: Record<string, unknown> = { absent: stage.absent }
    for (const concurrency of [1, 10, 64]) {
      const requests = concurrency === 1 ? 300 : 1000
      const figures: Record<string, Array<Figure>> = await interleaved(
        Object.fromEntries(
          [{ name: "direct", route: stage.direct }, ...stage.peers].map((contender) => [
            contender.name,
            () => load(client, contender, concurrency, requests)
          ])
        ),
        rounds
      )
      raw[String(concurrency)] = figures
      const of = (name: string, field: keyof Figure) => (figures[name] ?? []).map((figure) => figure[field])
      for (const { name } of stage.peers) {
        const times = ratio(of("rbee /v1", "perS"), of(name, "perS")).median
        rows.push({
          what: `${concurrency} at once: ${name}`,
          value: median(of(name, "perS")),
          unit: "requests/s",
          ...(name === "rbee /v1" ? {} : { against: `rbee × ${times.toFixed(2)}` }),
          ...(name === "Portkey" ? { target: "≥ 3 ×" } : {})
        })
        rows.push({
          what: `${concurrency} at once: ${name}, CPU a request`,
          value: median(of(name, "cpuMs")),
          unit: "ms",
          ...(name === "rbee /v1" ? { target: "≤ 0.6 ms" } : {})
        })
        for (const field of ["p50", "p99"] as const) {
          const added = of(name, field).map((ms, round) => ms - (of("direct", field)[round] ?? Number.NaN))
          rows.push({
            what: `${concurrency} at once: ${name}, added ${field}`,
            value: median(added),
            unit: "ms",
            ...(name === "rbee /v1" && field === "p50" && concurrency === 1 ? { target: "< 1 ms" } : {})
          })
        }
      }
    }
    report("requests", rows, raw)
    for (const why of stage.absent) process.stdout.write(`  not compared: ${why}\n`)
  } finally {
    client.close()
    await stage.close()
  }
}

await playRole()
