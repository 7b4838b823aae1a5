/**
 * What a large cluster costs its queen: `GET /hives`, a placement's narration and a small request with 10, 100 and
 * 1 000 hives that beat every second, jobs that are handed in while thousands wait, her memory, her CPU and the longest
 * time that she answered nobody. Queen, hive and journal are the real ones; the other hives are scripted
 * (fleet-parts). `fleet [LARGEST]`
 */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { makeClient } from "./relay-parts/client.ts"
import { type Cluster, cpuSeconds, openCluster, rssMegabytes } from "./relay-parts/contenders.ts"
import { median, quantile, report, type Row, timed } from "./support.ts"

/** jobs that the worker answers at once, and that wait in the end */
const slots = 4
const queue = 4000
const listings = 50
/** milliseconds in which there are beats and little else */
const beatsMs = 10_000

const startHives = async ({ machine }: Cluster) => {
  const { version } = (await (await fetch(`${machine.queenUrl}/health`)).json()) as { readonly version: string }
  const program = fileURLToPath(new URL("far-hives-program.js", import.meta.url))
  const child = spawn(process.execPath, [program, machine.queenUrl, machine.token() ?? "", version], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    grow: async (count: number): Promise<void> => {
      child.stdin.write(`${count}\n`)
      if ((await lines.next()).value !== String(count)) throw new Error(`no ${count} hives`)
    },
    stop: () => child.kill("SIGKILL")
  }
}

/** the answers to `times` of a call, one after another: milliseconds */
const times = async (count: number, call: () => Promise<unknown>): Promise<Array<number>> => {
  const all: Array<number> = []
  for (let i = 0; i < count; i++) all.push((await timed(call)).ms)
  return all
}

const get = async ({ machine }: Cluster, path: string): Promise<string> => {
  const answer = await machine.fetch(`${machine.queenUrl}${path}`)
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
  return answer.text()
}

const submit = async ({ machine }: Cluster, fields: object): Promise<string> => {
  const answer = await machine.fetch(`${machine.queenUrl}/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "minillama", prompt: "hello", max_tokens: 1, seed: 0, ...fields })
  })
  if (!answer.ok) throw new Error(`/jobs: ${answer.status} ${await answer.text()}`)
  return ((await answer.json()) as { readonly events: string }).events
}

/** what a job's reader is told until its place is chosen, where the model is nowhere yet */
const placement = async (cluster: Cluster): Promise<ReadonlyArray<string>> => {
  const { machine } = cluster
  const events = await submit(cluster, { model: "hf:far/nowhere", allow_cpu: false })
  const answer = await machine.fetch(`${machine.queenUrl}${events}`)
  if (answer.body === null) throw new Error(`${events} says nothing`)
  let told = ""
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    told += chunk
    if (told.includes('"capacity_ask"')) break
  }
  await machine.fetch(`${machine.queenUrl}${events.replace("/events", "")}`, { method: "DELETE" })
  const lines = told.split("\n\n").filter((frame) => frame.includes("event: narration"))
  return lines.slice(0, 1 + lines.findIndex((line) => line.includes('"scheduled"')))
}

const withHives = async (cluster: Cluster, count: number): Promise<Array<Row>> => {
  const at = `${count} hives:`
  const cpu = () => cpuSeconds(cluster.queenPid) * 1000
  const before = cpu()
  const health = await watched(cluster, beatsMs)
  const beats = (cpu() - before) / beatsMs
  const began = cpu()
  const listing = await times(listings, () => get(cluster, "/hives"))
  const listed = cpu() - began - beats * listing.reduce((sum, ms) => sum + ms, 0)
  const client = makeClient()
  const path = "/v1/chat/completions"
  const answers = await times(100, () => client.answer({ port: cluster.queenPort, path, headers: cluster.headers }, 1))
  client.close()
  const told = await placement(cluster)
  const ifLargest = (target: string) => (count === 1000 ? { target } : {})
  return [
    { what: `${at} GET /hives`, value: median(listing), unit: "ms" },
    { what: `${at} the queen's CPU of it`, value: Math.max(0, listed) / listings, unit: "ms", ...ifLargest("≤ 5") },
    { what: `${at} a small request`, value: median(answers), unit: "ms" },
    { what: `${at} lines of a placement`, value: told.length, unit: "lines" },
    { what: `${at} their bytes`, value: Buffer.byteLength(told.join("")), unit: "bytes" },
    { what: `${at} the queen's CPU of a beat`, value: (beats * 1e6) / count, unit: "µs" },
    { what: `${at} longest GET /health of ten seconds`, value: Math.max(...health), unit: "ms" },
    { what: `${at} the queen's memory`, value: rssMegabytes(cluster.queenPid), unit: "MB", ...ifLargest("≤ 200") }
  ]
}

/** How long she takes to say that she is there, again and again for so many milliseconds. */
const watched = async (cluster: Cluster, ms: number): Promise<ReadonlyArray<number>> => {
  const end = performance.now() + ms
  const all: Array<number> = []
  while (performance.now() < end) {
    all.push((await timed(() => get(cluster, "/health"))).ms)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return all
}

const withQueue = async (cluster: Cluster): Promise<Array<Row>> => {
  for (let i = 0; i < slots; i++) await submit(cluster, { max_tokens: 1_000_000, seed: 1 })
  const waits = await times(queue, () => submit(cluster, {}))
  const first = median(waits.slice(0, 200))
  const last = median(waits.slice(-200))
  const listing = await times(5, () => get(cluster, "/jobs"))
  return [
    { what: "a job handed in, few wait", value: first, unit: "ms" },
    { what: `a job handed in, ${queue} wait`, value: last, unit: "ms", against: `× ${(last / first).toFixed(2)}` },
    { what: "the same, p99", value: quantile(waits, 0.99), unit: "ms" },
    { what: `GET /jobs, ${queue} wait`, value: median(listing), unit: "ms" }
  ]
}

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const largest = Number(args[0] ?? 1000)
  const env = { RBEE_QUEEN_QUEUE_MAX: String(queue + 100) }
  const cluster = await openCluster({ name: "fleet", worker: "few-slots-program", env })
  const hives = await startHives(cluster)
  try {
    const rows: Array<Row> = []
    for (const count of [10, 100, 1000]) {
      if (count > largest) continue
      process.stderr.write(`${count} hives…\n`)
      await hives.grow(count)
      rows.push(...(await withHives(cluster, count)))
    }
    process.stderr.write(`${queue} jobs…\n`)
    rows.push(...(await withQueue(cluster)))
    report("fleet", rows)
  } finally {
    hives.stop()
    await cluster.machine.dispose()
  }
}
