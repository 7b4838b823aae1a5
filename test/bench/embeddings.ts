/**
 * Embeddings a second of the whole cluster against llama-server with the same model and one thread each, side by side.
 * `embeddings LLAMA_SERVER [ROUNDS]`: the path of its program; without one there is nothing to hold ours against.
 */
import { spawn } from "node:child_process"
import { createServer, type AddressInfo } from "node:net"
import { measuringModel } from "../support/families/measuring.ts"
import { eventually, makeMachine } from "../support/machine.ts"
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

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

const startPeer = async (program: string, file: string) => {
  const port = await freePort()
  const args = `-m ${file} --embeddings --pooling mean -t 1 -tb 1 -np 1 -c 512 -b 512 -ub 512 --port ${port} --log-disable`
  const child = spawn(program, args.split(" "), { stdio: "ignore" })
  const url = `http://127.0.0.1:${port}`
  const isUp = () =>
    fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false
    )
  await eventually(isUp, () => "llama-server does not answer", 30_000)
  return { url, end: () => child.kill("SIGKILL") }
}

export const run = async ([program, rounds = "7"]: ReadonlyArray<string> = []): Promise<void> => {
  if (program === undefined) throw new Error("embeddings LLAMA_SERVER [ROUNDS]")
  const file = await measuringModel(model)
  const machine = await makeMachine({ env: { RBEE_WORKER_THREADS: "1" } })
  const peer = await startPeer(program, file)
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
    peer.end()
    await machine.dispose()
  }
}
