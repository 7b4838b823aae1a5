/**
 * Tokens a second, and CPU time a token, of the whole chain keeper→queen→hive→worker against node-llama-cpp called
 * directly with the same model, slots and threads; 1, 4 and 16 answers at once, 128 tokens each. Interleaved rounds.
 * `decode [ROUNDS] [MODEL.gguf …]`
 */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { hundredMillion } from "../support/gguf.ts"
import { makeMachine } from "../support/machine.ts"
import { interleaved, median, ratio, report, type Row, timed } from "./support.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const tokens = 128

interface Figure {
  readonly ms: number
  /** seconds of CPU, all processes of the contender */
  readonly cpu: number
}

const cpuSeconds = (pid: number) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
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

const compare = async (
  model: string,
  name: string,
  slots: number,
  threads: number,
  rounds: number
): Promise<Array<Row>> => {
  const machine = await makeMachine({
    programs: `${root}/dist`,
    env: { RBEE_WORKER_SLOTS: String(slots), RBEE_WORKER_THREADS: String(threads), RBEE_WORKER_CONTEXT: "512" }
  })
  const other = await startDirect(model, slots, threads)
  try {
    const ref = `file:${model}`
    const woken = await machine.rbee(["infer", "--model", ref, "--max-tokens", "1", "x"])
    if (woken.code !== 0) throw new Error(woken.stderr)
    const pids = machine.processes().map(({ pid }) => pid)
    const cpu = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0)
    const answer = async (): Promise<void> => {
      const job = (await (
        await machine.fetch(`${machine.queenUrl}/jobs`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({
            model: ref,
            prompt: "tell me a story",
            temperature: 0,
            ignore_eos: true,
            max_tokens: tokens
          })
        })
      ).json()) as { job_id: string }
      const events = await (await machine.fetch(`${machine.queenUrl}/jobs/${job.job_id}/events`)).text()
      if (!events.includes("event: done")) throw new Error(events.slice(-500))
    }
    const figures = await interleaved(
      {
        cluster: async (): Promise<Figure> => {
          const before = cpu()
          const { ms } = await timed(() => Promise.all(Array.from({ length: slots }, answer)))
          return { ms, cpu: cpu() - before }
        },
        direct: other.round
      },
      rounds
    )
    const rate = (list: ReadonlyArray<Figure>) => list.map(({ ms }) => (slots * tokens * 1000) / ms)
    const perToken = (list: ReadonlyArray<Figure>) => list.map((figure) => (figure.cpu * 1e6) / (slots * tokens))
    const wall = ratio(rate(figures.cluster), rate(figures.direct))
    const label = `${name} × ${slots}`
    return [
      { what: `${label} cluster`, value: median(rate(figures.cluster)), unit: "tokens/s" },
      { what: `${label} direct`, value: median(rate(figures.direct)), unit: "tokens/s" },
      {
        what: `${label} cluster ÷ direct`,
        value: wall.median,
        unit: "×",
        against: `p5 ${wall.p5.toFixed(2)}, p95 ${wall.p95.toFixed(2)}, ${wall.pairs} pairs`,
        target: name === "minillama" ? "≥ 0.80" : "≥ 0.97"
      },
      {
        what: `${label} CPU a token, cluster ÷ direct`,
        value: median(perToken(figures.cluster)) / median(perToken(figures.direct)),
        unit: "×",
        against: `${median(perToken(figures.cluster)).toFixed(0)} µs, ${median(perToken(figures.direct)).toFixed(0)} µs`
      }
    ]
  } finally {
    other.stop()
    await machine.dispose()
  }
}

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const rounds = Number(args[0] ?? 10)
  const models: ReadonlyArray<readonly [string, string, number]> = [
    ["minillama", `${root}/models/minillama/minillama-q8_0.gguf`, 1],
    ["100M", await hundredMillion(), 2]
  ]
  const rows: Array<Row> = []
  for (const [name, path, threads] of models)
    for (const slots of [1, 4, 16]) {
      process.stderr.write(`${name} × ${slots}…\n`)
      rows.push(...(await compare(path, name, slots, threads, rounds)))
    }
  report("decode", rows)
}
