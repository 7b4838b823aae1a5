/**
 * A worker dies in mid-answer by SIGKILL, SIGABRT or SIGSTOP; how long until the next token, against the floor: a
 * worker process that somebody starts by hand, its load, and the reading of the prompt and of the text so far. Also
 * what was lost or repeated. `recovery [ROUNDS]`, interleaved, with minillama and a model of about 100 M parameters.
 */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { pidsOf } from "../support/faults.ts"
import { hundredMillion } from "../support/gguf.ts"
import { makeMachine } from "../support/machine.ts"
import { interleaved, median, report, type Row } from "./support.ts"

const programs = `${fileURLToPath(new URL("../..", import.meta.url))}dist`
const prompt = "tell me a story"
const ask = { messages: [{ role: "user", content: prompt }], temperature: 0, ignore_eos: true, max_tokens: 200 }
/** slow enough to be caught at `diesAt`, fast enough to end soon */
const paced = { RBEE_WORKER_MAX_TOKENS_PER_S: "100", RBEE_WORKER_CONTEXT: "1024", RBEE_WORKER_SLOTS: "2" }
const diesAt = 60

interface Event {
  readonly event: string
  readonly data: Record<string, unknown>
  /** milliseconds */
  readonly at: number
}

const post = (url: string, body: unknown) =>
  fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })

/** Every event of a stream, as it arrives. */
const eventsOf = async function* ({ body }: Response): AsyncGenerator<Event> {
  if (body === null) return
  let text = ""
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    const frames = text.split("\n\n")
    text = frames.pop() ?? ""
    for (const frame of frames) {
      const [, event] = /^event: (.*)$/m.exec(frame) ?? []
      const [, data = "{}"] = /^data: (.*)$/m.exec(frame) ?? []
      if (event !== undefined) yield { event, data: JSON.parse(data) as Record<string, unknown>, at: performance.now() }
    }
  }
}

/** A worker started by hand. */
const aWorker = async (model: string) => {
  const plan = { workerId: "w1", instance: "i1", backend: "cpu", modelPath: model, modelRef: "m", host: "127.0.0.1" }
  const child = spawn(
    process.execPath,
    [`${programs}/worker.js`, JSON.stringify({ ...plan, context: 1024, slots: 2, portHint: 0 })],
    { stdio: ["ignore", "pipe", "ignore"] }
  )
  let url = ""
  for await (const line of createInterface({ input: child.stdout })) {
    const message = JSON.parse(line) as { readonly t: string; readonly url?: string }
    url = message.url ?? url
    if (message.t === "ready") break
  }
  return { url, end: () => child.kill("SIGKILL") }
}

/** The whole answer, token by token, as the engine gives it. */
const whole = async (model: string) => {
  const worker = await aWorker(model)
  const ids: Array<number> = []
  const texts: Array<string> = []
  const answer = await post(`${worker.url}/infer`, { job_id: "job-1", epoch: 1, ...ask })
  for await (const { event, data } of eventsOf(answer)) {
    if (event !== "token") continue
    ids.push(Number(data["k"]))
    texts.push(String(data["t"]))
  }
  worker.end()
  return { ids, texts }
}
type Whole = Awaited<ReturnType<typeof whole>>

interface Figure {
  /** milliseconds from the death to the next token */
  readonly ms: number
  /** from the fault to the death: until a stopped worker was found */
  readonly foundMs: number
  readonly lost: number
  readonly repeated: number
}

const floor = async (model: string, { ids, texts }: Whole): Promise<Figure> => {
  const began = performance.now()
  const worker = await aWorker(model)
  const resume = { token_ids: ids.slice(0, diesAt), text: texts.slice(0, diesAt).join("") }
  const answer = await post(`${worker.url}/infer`, { job_id: "job-1", epoch: 1, ...ask, resume })
  let ms = Number.NaN
  for await (const { at, event } of eventsOf(answer))
    if (event === "token") {
      ms = at - began
      break
    }
  worker.end()
  return { ms, foundMs: 0, lost: 0, repeated: 0 }
}

/** When the process is gone, milliseconds. */
const goneAt = async (pid: number): Promise<number> => {
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      return performance.now()
    }
    await sleep(2)
  }
}

const dying = async (model: string, { texts }: Whole, fault: NodeJS.Signals): Promise<Figure> => {
  const machine = await makeMachine({ programs, env: paced })
  try {
    const woken = await machine.rbee(["infer", "--model", `file:${model}`, "--max-tokens", "1", "x"])
    if (woken.code !== 0) throw new Error(woken.stderr)
    const taken = await post(`${machine.queenUrl}/jobs`, { model: `file:${model}`, ...ask })
    const { events } = (await taken.json()) as { readonly events: string }
    const [pid = 0] = pidsOf(machine, "worker")
    let struckAt = Number.NaN
    let gone: Promise<number> | undefined
    let hasMoved = false
    let nextAt = Number.NaN
    const indexes: Array<number> = []
    const told: Array<string> = []
    for await (const { at, data, event } of eventsOf(await fetch(`${machine.queenUrl}${events}`))) {
      if (event === "failover") hasMoved = true
      if (event !== "token") continue
      indexes.push(Number(data["i"]))
      told.push(String(data["t"]))
      if (hasMoved && Number.isNaN(nextAt)) nextAt = at
      if (indexes.length !== diesAt) continue
      struckAt = performance.now()
      process.kill(pid, fault)
      gone = goneAt(pid)
    }
    if (told.join("") !== texts.join("")) throw new Error(`${fault}: the text is another`)
    const diedAt = fault === "SIGSTOP" ? await (gone ?? Number.NaN) : struckAt
    const distinct = new Set(indexes).size
    return {
      ms: nextAt - diedAt,
      foundMs: diedAt - struckAt,
      lost: texts.length - distinct,
      repeated: indexes.length - distinct
    }
  } finally {
    await machine.dispose()
  }
}

const compare = async (name: string, model: string, rounds: number): Promise<ReadonlyArray<Row>> => {
  const answer = await whole(model)
  const figures = await interleaved(
    {
      floor: () => floor(model, answer),
      SIGKILL: () => dying(model, answer, "SIGKILL"),
      SIGABRT: () => dying(model, answer, "SIGABRT"),
      SIGSTOP: () => dying(model, answer, "SIGSTOP")
    },
    rounds
  )
  const rows: Array<Row> = [{ what: `${name} floor`, value: median(figures.floor.map(({ ms }) => ms)), unit: "ms" }]
  for (const fault of ["SIGKILL", "SIGABRT", "SIGSTOP"] as const) {
    const those = figures[fault]
    const above = those.map(({ ms }, i) => ms - (figures.floor[i]?.ms ?? Number.NaN))
    rows.push(
      { what: `${name} ${fault}: death to next token`, value: median(those.map(({ ms }) => ms)), unit: "ms" },
      { what: `${name} ${fault}: above the floor`, value: median(above), unit: "ms", target: "≤ 300" },
      {
        what: `${name} ${fault}: tokens lost or repeated`,
        value: those.reduce((sum, { lost, repeated }) => sum + lost + repeated, 0),
        unit: "",
        target: "0"
      }
    )
  }
  const found = median(figures.SIGSTOP.map(({ foundMs }) => foundMs))
  rows.push({ what: `${name} SIGSTOP: until it was found`, value: found / 1000, unit: "s", against: "10 s of silence" })
  return rows
}

export const run = async ([rounds = "5"]: ReadonlyArray<string>): Promise<void> => {
  const minillama = fileURLToPath(new URL("../../models/minillama/minillama-q8_0.gguf", import.meta.url))
  const rows = [
    ...(await compare("minillama", minillama, Number(rounds))),
    ...(await compare("100 M", await hundredMillion(), Number(rounds)))
  ]
  report("recovery", rows)
}
