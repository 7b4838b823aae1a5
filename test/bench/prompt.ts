/**
 * How fast prompts are read: the time of one answered token, through queen and worker against llama-server (`npm run
 * peer`) with the same file, slots and threads, and no neighbours. Prompts are tokens, each begun by others so that nothing
 * of them is cached; then the same again, and the next turn of a conversation (64 tokens answered, 30 more asked). CPU time
 * is told beside, because it does not see what else the machine does. `prompt [ROUNDS] [minillama|100M] [LENGTH …]`
 */
import { fileURLToPath } from "node:url"
import { hundredMillion } from "../support/gguf.ts"
import { poster, startEngine } from "./peers/engine.ts"
import { startLlamaServer } from "./peers/llama-server.ts"
import { cpuSeconds } from "./relay-parts/contenders.ts"
import { interleaved, median, ratio, report, type Row } from "./support.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const slots = 2
const answered = 64
const more = 30

/** Asks for an answer of so many tokens; gives their ids. */
type Ask = (prompt: ReadonlyArray<number>, tokens: number) => Promise<ReadonlyArray<number>>

interface Contender {
  /** for one token, as its users ask */
  readonly ask: (prompt: ReadonlyArray<number>) => Promise<void>
  /** for the ids of an answer */
  readonly answer: Ask
  readonly cpu: () => number
  /** of what reads the prompt alone, without queen and hive */
  readonly readerCpu: () => number
  readonly stop: () => Promise<void> | void
}

interface Figure {
  readonly ms: number
  /** milliseconds, of all processes of the contender */
  readonly cpu: number
  readonly readerCpu: number
}

const completion =
  (post: ReturnType<typeof poster>["post"], model: string) => async (prompt: ReadonlyArray<number>) => {
    const answer = await post("/v1/completions", { model, prompt, max_tokens: 1, temperature: 0 })
    if (!answer.includes(`"prompt_tokens":${prompt.length}`)) throw new Error(answer.slice(0, 500))
  }

const startOurs = async (model: string, context: number): Promise<Contender> => {
  const { cpu, machine, ref } = await startEngine({ model, slots, context })
  const { close, post } = poster(machine.ports.queen, { authorization: `Bearer ${machine.token()}` })
  const answer: Ask = async (prompt, tokens) => {
    const fields = { model: ref, tokens: prompt, raw: true, temperature: 0, ignore_eos: true, max_tokens: tokens }
    const { job_id } = JSON.parse(await post("/jobs", fields)) as { job_id: string }
    const events = await (await machine.fetch(`${machine.queenUrl}/jobs/${job_id}/events`)).text()
    return [...events.matchAll(/"k":(\d+)/g)].map(([, id]) => Number(id))
  }
  const stop = async () => {
    close()
    await machine.dispose()
  }
  const worker = machine.processes().find(({ role }) => role === "worker")?.pid ?? 0
  return { ask: completion(post, ref), answer, cpu, readerCpu: () => cpuSeconds(worker), stop }
}

const startPeer = async (model: string, context: number): Promise<Contender | string> => {
  const peer = await startLlamaServer({ model, slots, context })
  if (typeof peer === "string") return peer
  const { close, post } = poster(peer.port)
  const answer: Ask = async (prompt, tokens) => {
    const fields = { prompt, temperature: 0, ignore_eos: true, n_predict: tokens, return_tokens: true }
    return (JSON.parse(await post("/completion", fields)) as { tokens: ReadonlyArray<number> }).tokens
  }
  const stop = () => {
    close()
    peer.stop()
  }
  const cpu = () => cpuSeconds(peer.pid)
  return { ask: completion(post, "peer"), answer, cpu, readerCpu: cpu, stop }
}

/** another beginning each time; ordinary words of both models */
let prompts = 0
const fresh = (length: number): ReadonlyArray<number> => {
  const number = ++prompts
  return Array.from({ length }, (_, i) => 60 + ((i * 7 + number * 13 + Math.floor((i * number) / 11)) % 200))
}

/** What `before` makes ready is asked for, `times` times. */
const measured =
  ({ ask, cpu, readerCpu }: Contender, times: number, before: () => Promise<ReadonlyArray<number>>) =>
  async (): Promise<Figure> => {
    const figure = { ms: 0, cpu: 0, readerCpu: 0 }
    for (let i = 0; i < times; i++) {
      const prompt = await before()
      const [cpuBefore, readerBefore, began] = [cpu(), readerCpu(), performance.now()]
      await ask(prompt)
      figure.ms += (performance.now() - began) / times
      figure.cpu += ((cpu() - cpuBefore) * 1000) / times
      figure.readerCpu += ((readerCpu() - readerBefore) * 1000) / times
    }
    return figure
  }

const ways: Readonly<Record<string, (one: Contender, length: number) => Promise<ReadonlyArray<number>>>> = {
  cold: async (_, length) => fresh(length),
  "same again": async (one, length) => {
    const prompt = fresh(length)
    await one.ask(prompt)
    return prompt
  },
  "next turn": async (one, length) => {
    const prompt = fresh(length)
    return [...prompt, ...(await one.answer(prompt, answered)), ...fresh(more)]
  }
}

const compare = async (model: string, name: string, lengths: ReadonlyArray<number>, rounds: number) => {
  const context = name === "minillama" ? 512 : Math.max(4096, ...lengths.map((length) => length + 512))
  const peer = await startPeer(model, context)
  if (typeof peer === "string") process.stderr.write(`${peer}\n`)
  const ours = await startOurs(model, context)
  const rows: Array<Row> = []
  try {
    for (const length of lengths)
      for (const [way, prepare] of Object.entries(ways)) {
        if (way === "next turn" && length + answered + more >= context) continue
        const times = Math.max(1, Math.round((name === "minillama" ? 4000 : 600) / length))
        const of = (one: Contender) => measured(one, times, () => prepare(one, length))
        const contenders = { rbee: of(ours), ...(typeof peer === "string" ? {} : { peer: of(peer) }) }
        const figures: Record<string, Array<Figure>> = await interleaved<string, Figure>(contenders, rounds)
        const field = (who: string, key: keyof Figure) => (figures[who] ?? []).map((figure) => figure[key])
        const label = `${name}, ${length} tokens, ${way}`
        rows.push({
          what: `${label}: rbee`,
          value: median(field("rbee", "ms")),
          unit: "ms",
          against: `${median(field("rbee", "cpu")).toFixed(1)} ms of CPU, ${median(field("rbee", "readerCpu")).toFixed(1)} of the worker's`
        })
        if (typeof peer === "string") continue
        const [wall, cpu] = (["ms", "readerCpu"] as const).map((key) => ratio(field("peer", key), field("rbee", key)))
        rows.push(
          {
            what: `${label}: llama-server`,
            value: median(field("peer", "ms")),
            unit: "ms",
            against: `${median(field("peer", "cpu")).toFixed(1)} ms of CPU`
          },
          {
            what: `${label}: speed ÷ llama-server's`,
            value: wall?.median ?? NaN,
            unit: "×",
            against: `p5 ${wall?.p5.toFixed(2)}, p95 ${wall?.p95.toFixed(2)}, ${wall?.pairs} pairs; by the CPU of worker and server ${cpu?.median.toFixed(2)}`,
            target: way === "cold" ? "≥ 0.95" : "≥ 1.0"
          }
        )
      }
  } finally {
    await ours.stop()
    if (typeof peer !== "string") await peer.stop()
  }
  return rows
}

export const run = async ([rounds = "7", only, ...lengths]: ReadonlyArray<string>): Promise<void> => {
  const models: ReadonlyArray<readonly [string, () => Promise<string>, ReadonlyArray<number>]> = [
    ["minillama", async () => `${root}/models/minillama/minillama-q8_0.gguf`, [64, 319, 480]],
    ["100M", () => hundredMillion({ context: 32_768 }), [319, 2000]]
  ]
  const rows: Array<Row> = []
  for (const [name, path, usual] of models) {
    if ((only ?? name) !== name) continue
    const asked = lengths.length > 0 ? lengths.map(Number) : usual
    rows.push(...(await compare(await path(), name, asked, Number(rounds))))
  }
  report("prompt", rows)
}
