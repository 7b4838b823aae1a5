/**
 * Answers of one token (`max_tokens: 1`, not streamed), asked by 1 and by 8 clients: requests a second through queen and
 * worker against llama-server (`npm run peer`) with the same file, slots and threads. Rounds are interleaved.
 * `tiny [ROUNDS]`
 */
import { fileURLToPath } from "node:url"
import { poster, startEngine } from "./peers/engine.ts"
import { startLlamaServer } from "./peers/llama-server.ts"
import { cpuSeconds } from "./relay-parts/contenders.ts"
import { interleaved, median, ratio, report, type Row, timed } from "./support.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const requests = 400

interface Figure {
  readonly perS: number
  /** milliseconds of CPU a request, all processes of the contender */
  readonly cpuMs: number
}

type Post = ReturnType<typeof poster>["post"]

const load = async (post: Post, model: string, clients: number, cpu: () => number): Promise<Figure> => {
  const body = { model, messages: [{ role: "user", content: "hello" }], max_tokens: 1, temperature: 0 }
  const before = cpu()
  let left = requests
  const { ms } = await timed(() =>
    Promise.all(
      Array.from({ length: clients }, async () => {
        while (left-- > 0) {
          const answer = await post("/v1/chat/completions", body)
          if (!answer.includes('"completion_tokens":1')) throw new Error(answer)
        }
      })
    )
  )
  return { perS: (requests * 1000) / ms, cpuMs: ((cpu() - before) * 1000) / requests }
}

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const rounds = Number(args[0] ?? 7)
  const options = { model: `${root}/models/minillama/minillama-q8_0.gguf`, context: 512 }
  const peer = await startLlamaServer(options)
  if (typeof peer === "string") return void process.stdout.write(`tiny: ${peer}\n`)
  const engine = await startEngine(options)
  const { machine, ref } = engine
  const ours = poster(machine.ports.queen, { authorization: `Bearer ${machine.token()}` })
  const theirs = poster(peer.port)
  try {
    const rows: Array<Row> = []
    const raw: Record<string, unknown> = {}
    for (const clients of [1, 8]) {
      const figures = await interleaved(
        {
          rbee: () => load(ours.post, ref, clients, engine.cpu),
          peer: () => load(theirs.post, "minillama", clients, () => cpuSeconds(peer.pid))
        },
        rounds
      )
      raw[String(clients)] = figures
      const of = (name: keyof typeof figures, field: keyof Figure) => figures[name].map((figure) => figure[field])
      const speed = ratio(of("rbee", "perS"), of("peer", "perS"))
      const at = `${clients} client${clients > 1 ? "s" : ""}:`
      rows.push(
        { what: `${at} rbee`, value: median(of("rbee", "perS")), unit: "requests/s" },
        { what: `${at} llama-server`, value: median(of("peer", "perS")), unit: "requests/s" },
        {
          what: `${at} rbee ÷ llama-server`,
          value: speed.median,
          unit: "×",
          against: `p5 ${speed.p5.toFixed(2)}, p95 ${speed.p95.toFixed(2)}, ${speed.pairs} pairs`,
          target: "≥ 0.9"
        },
        { what: `${at} CPU a request, rbee`, value: median(of("rbee", "cpuMs")), unit: "ms" },
        { what: `${at} CPU a request, llama-server`, value: median(of("peer", "cpuMs")), unit: "ms" }
      )
    }
    report("tiny", rows, raw)
  } finally {
    ours.close()
    theirs.close()
    peer.stop()
    await machine.dispose()
  }
}
