/**
 * What the inspector costs: CPU time a token of queen, hive and worker together, with the page open in a Chromium that
 * follows a busy cluster, against nobody watching. Interleaved pairs on one cluster. The bundled model is the hardest
 * case: its tokens are the cheapest. `inspector [ROUNDS]`
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { chromiumPath, launch } from "../support/browser.ts"
import { makeMachine } from "../support/machine.ts"
import { interleaved, median, ratio, report, timed } from "./support.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const slots = 4
/** answers in a round: enough that the kernel's ticks of 10 ms are small beside them */
const answers = 8
const tokens = 200

interface Figure {
  readonly ms: number
  /** microseconds */
  readonly cpuPerToken: number
}

const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const rounds = Number(args[0] ?? 30)
  if (chromiumPath === undefined) throw new Error("there is no Chromium on this machine")
  const machine = await makeMachine({
    programs: `${root}/dist`,
    env: { RBEE_WORKER_SLOTS: String(slots), RBEE_WORKER_THREADS: "1" }
  })
  const browser = await launch()
  try {
    const woken = await machine.rbee(["infer", "--quiet", "hello"])
    if (woken.code !== 0) throw new Error(woken.stderr)
    const pids = machine.processes().map(({ pid }) => pid)
    const cpu = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0)
    const answer = async (): Promise<void> => {
      const body = { model: "minillama", prompt: "hello", temperature: 0, ignore_eos: true, max_tokens: tokens }
      const submitted = await machine.fetch(`${machine.queenUrl}/jobs`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body)
      })
      const { job_id } = (await submitted.json()) as { job_id: string }
      const events = await (await machine.fetch(`${machine.queenUrl}/jobs/${job_id}/events`)).text()
      if (!events.includes("event: done")) throw new Error(events.slice(-500))
    }
    const round = async (): Promise<Figure> => {
      const before = cpu()
      const { ms } = await timed(() => Promise.all(Array.from({ length: answers }, answer)))
      return { ms, cpuPerToken: ((cpu() - before) * 1e6) / (answers * tokens) }
    }
    const watched = async (): Promise<Figure> => {
      const page = await browser.newPage()
      await page.goto(`${(await machine.rbee(["inspect", "--print"])).stdout.trim()}#view=timeline`)
      await page.waitForSelector("[data-connection=live]")
      const figure = await round()
      await page.close()
      return figure
    }
    const figures = await interleaved({ watched, alone: round }, rounds)
    const of = (list: ReadonlyArray<Figure>) => list.map(({ cpuPerToken }) => cpuPerToken)
    const cost = ratio(of(figures.watched), of(figures.alone))
    const interval = `p5 ${cost.p5.toFixed(3)}, p95 ${cost.p95.toFixed(3)}, ${cost.pairs} pairs`
    const wall = ratio(
      figures.watched.map(({ ms }) => ms),
      figures.alone.map(({ ms }) => ms)
    )
    report(
      "inspector",
      [
        { what: "CPU a token, nobody watches", value: median(of(figures.alone)), unit: "µs" },
        { what: "CPU a token, the page open", value: median(of(figures.watched)), unit: "µs" },
        { what: "open ÷ not open", value: cost.median, unit: "×", against: interval, target: "< 1.05" },
        {
          what: "wall time, open ÷ not open",
          value: wall.median,
          unit: "×",
          against: "the browser draws on the same cores"
        }
      ],
      figures
    )
  } finally {
    await browser.close()
    await machine.dispose()
  }
}
