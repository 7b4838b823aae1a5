/**
 * Embeddings a second of the whole cluster against llama-server (`npm run peer`) with the same model and one thread each,
 * side by side. `embeddings [ROUNDS]`
 */
import { measuringModel } from "../support/families/measuring.ts"
import { makeMachine } from "../support/machine.ts"
import { startLlamaServer } from "./peers/llama-server.ts"
import { interleaved, median, ratio, report, type Row, timed } from "./support.ts"

/** of the size of the small models that people use: some 20 M parameters */
const model = {
  pooling: "mean",
  layers: 6,
  width: 384,
  heads: 12,
  kvHeads: 12,
  headLength: 32,
  feedForward: 1536,
  context: 512
} as const

const loads: ReadonlyArray<readonly [what: string, texts: number, requests: number]> = [
  ["one text a request", 1, 32],
  ["64 texts a request", 64, 1]
]

/** some 40 words */
const textOf = (k: number): string => Array.from({ length: 40 }, (_, i) => `small${(k * 7 + i) % 90}`).join(" ")

/** set up as a user would for one text at a time */
const measuring = ["--embeddings", "--pooling", "mean", "--batch-size", "512", "--ubatch-size", "512"]

export const run = async ([rounds = "7"]: ReadonlyArray<string> = []): Promise<void> => {
  const file = await measuringModel(model)
  const peer = await startLlamaServer({ model: file, context: 512, slots: 1, args: measuring })
  if (typeof peer === "string") return void process.stdout.write(`embeddings: ${peer}\n`)
  const machine = await makeMachine({ env: { RBEE_WORKER_THREADS: "1" } })
  try {
    const ask = async (send: typeof fetch, url: string, texts: number): Promise<void> => {
      const input = Array.from({ length: texts }, (_, k) => textOf(k))
      const reply = await send(`${url}/v1/embeddings`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: `file:${file}`, input })
      })
      const { data } = (await reply.json()) as { readonly data?: ReadonlyArray<unknown> }
      if (data?.length !== texts) throw new Error(`${url} answered ${reply.status}`)
    }
    const up = await machine.rbee(["up"])
    if (up.code !== 0) throw new Error(up.stderr)
    const rows: Array<Row> = []
    for (const [what, texts, times] of loads) {
      const rate = (send: typeof fetch, url: string) => async () => {
        const { ms } = await timed(async () => {
          for (let i = 0; i < times; i++) await ask(send, url, texts)
        })
        return (texts * times * 1000) / ms
      }
      const figures = await interleaved(
        { ours: rate(machine.fetch, machine.queenUrl), theirs: rate(fetch, peer.url) },
        Number(rounds)
      )
      rows.push({
        what: `embeddings a second, ${what}`,
        value: ratio(figures.ours, figures.theirs).median,
        unit: "×",
        against: `llama-server: ${median(figures.ours).toFixed(0)} against ${median(figures.theirs).toFixed(0)}`
      })
    }
    report("embeddings", rows)
  } finally {
    peer.stop()
    await machine.dispose()
  }
}
