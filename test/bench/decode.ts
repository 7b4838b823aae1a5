/**
 * Tokens a second, and CPU time a token, of the whole chain keeper→queen→hive→worker against node-llama-cpp called
 * directly (the ceiling) and against llama-server (what people would take instead; `npm run peer`), with the same model,
 * slots and threads; 1, 4 and 16 answers at once, 128 tokens each. Interleaved rounds.
 * `decode [ROUNDS] [minillama|100M] [THREADS]`
 */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { hundredMillion } from "../support/gguf.ts"
import { poster, startEngine } from "./peers/engine.ts"
import { startLlamaServer } from "./peers/llama-server.ts"
import { cpuSeconds } from "./relay-parts/contenders.ts"
import { interleaved, median, ratio, report, type Row, timed } from "./support.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const tokens = 128

interface Figure {
  readonly ms: number
  /** seconds of CPU, all processes of the contender */
  readonly cpu: number
}

const startDirect = async (model: string, slots: number, threads: number) => {
  const child = spawn(
    process.execPath,
    [`${root}/test/bench/peers/direct.mjs`, model, ...[slots, threads, tokens].map(String)],
    {
      cwd: root,
      stdio: ["pipe", "pipe", "inherit"]
    }
  )
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  return {
    round: async (): Promise<Figure> => {
      child.stdin.write("run\n")
      return JSON.parse((await lines.next()).value ?? "{}") as Figure
    },
    stop: () => child.kill("SIGKILL")
  }
}

/** `answers` at once, each of them to its end, and the CPU that they took. */
const together = (answers: number, answer: () => Promise<void>, cpu: () => number) => async (): Promise<Figure> => {
  const before = cpu()
  const { ms } = await timed(() => Promise.all(Array.from({ length: answers }, answer)))
  return { ms, cpu: cpu() - before }
}

const fields = { prompt: "tell me a story", temperature: 0, ignore_eos: true }

const startCluster = async (model: string, slots: number, threads: number) => {
  const { cpu, machine, ref } = await startEngine({ model, slots, threads, context: 512 })
  const { close, post } = poster(machine.ports.queen, { authorization: `Bearer ${machine.token()}` })
  const answer = async (): Promise<void> => {
    const job = JSON.parse(await post("/jobs", { ...fields, model: ref, max_tokens: tokens })) as { job_id: string }
    const events = await (await machine.fetch(`${machine.queenUrl}/jobs/${job.job_id}/events`)).text()
    if (!events.includes("event: done")) throw new Error(events.slice(-500))
  }
  const stop = async () => {
    close()
    await machine.dispose()
  }
  return { round: together(slots, answer, cpu), stop }
}

const startPeer = async (model: string, slots: number, threads: number) => {
  const peer = await startLlamaServer({ model, slots, threads, context: 512 })
  if (typeof peer === "string") return peer
  const { close, post } = poster(peer.port)
  const answer = async (): Promise<void> => {
    const events = await post("/completion", { ...fields, n_predict: tokens, stream: true })
    if (!events.includes(`"tokens_predicted":${tokens}`)) throw new Error(events.slice(-500))
  }
  const stop = () => {
    close()
    peer.stop()
  }
  return { round: together(slots, answer, () => cpuSeconds(peer.pid)), stop }
}

const compare = async (
  model: string,
  name: string,
  slots: number,
  threads: number,
  rounds: number
): Promise<Array<Row>> => {
  const direct = await startDirect(model, slots, threads)
  const peer = await startPeer(model, slots, threads)
  const cluster = await startCluster(model, slots, threads)
  try {
    const others: Readonly<Record<string, () => Promise<Figure>>> = {
      direct: direct.round,
      ...(typeof peer === "string" ? {} : { "llama-server": peer.round })
    }
    const figures: Record<string, Array<Figure>> = await interleaved({ cluster: cluster.round, ...others }, rounds)
    const rate = (who: string) => (figures[who] ?? []).map(({ ms }) => (slots * tokens * 1000) / ms)
    const perToken = (who: string) => (figures[who] ?? []).map(({ cpu }) => (cpu * 1e6) / (slots * tokens))
    const label = `${name} × ${slots}, ${threads} thread${threads > 1 ? "s" : ""}`
    const small = name === "minillama"
    const targets: Record<string, string> = small
      ? { direct: "≥ 0.80", "llama-server": "≥ 0.9" }
      : { direct: "≥ 0.97", "llama-server": threads === 1 ? "≥ 1.0" : "≥ 0.95" }
    const against = Object.keys(others).flatMap((who): ReadonlyArray<Row> => {
      const wall = ratio(rate("cluster"), rate(who))
      const cpu = ratio(perToken("cluster"), perToken(who))
      const pairs = `p5 ${wall.p5.toFixed(2)}, p95 ${wall.p95.toFixed(2)}, ${wall.pairs} pairs`
      return [
        { what: `${label} ${who}`, value: median(rate(who)), unit: "tokens/s" },
        {
          what: `${label} cluster ÷ ${who}`,
          value: wall.median,
          unit: "×",
          against: pairs,
          target: targets[who] ?? ""
        },
        {
          what: `${label} CPU a token, cluster ÷ ${who}`,
          value: cpu.median,
          unit: "×",
          against: `${median(perToken("cluster")).toFixed(0)} µs, ${median(perToken(who)).toFixed(0)} µs`
        }
      ]
    })
    if (typeof peer === "string") process.stderr.write(`${peer}\n`)
    return [{ what: `${label} cluster`, value: median(rate("cluster")), unit: "tokens/s" }, ...against]
  } finally {
    direct.stop()
    if (typeof peer !== "string") peer.stop()
    await cluster.stop()
  }
}

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const [rounds = "10", only, withThreads] = args
  const models: ReadonlyArray<readonly [string, string]> = [
    ["minillama", `${root}/models/minillama/minillama-q8_0.gguf`],
    ["100M", await hundredMillion()]
  ]
  const rows: Array<Row> = []
  for (const [name, path] of models)
    for (const threads of name === "minillama" ? [1] : [1, 2]) {
      if ((only ?? name) !== name || Number(withThreads ?? threads) !== threads) continue
      for (const slots of [1, 4, 16]) {
        process.stderr.write(`${name} × ${slots}, ${threads} thread(s)…\n`)
        rows.push(...(await compare(path, name, slots, threads, Number(rounds))))
      }
    }
  report("decode", rows)
}
