/**
 * Memory and CPU of idle daemons, with 500 open streams, and how many heartbeats a second a queen takes against a
 * bare `node:http` handler that parses the same body. `footprint SECONDS` sets the idle time (default 60).
 */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { Agent, get, request } from "node:http"
import { fileURLToPath } from "node:url"
import { makeMachine, type Proc } from "../support/machine.ts"
import { interleaved, median, ratio, report } from "./support.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const rssMb = (pid: number) => (Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096) / 1e6
/** user and system time of a process, seconds */
const cpuSeconds = (pid: number) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Posts `body` over `connections` keep-alive connections for `ms`; answers a second. */
const load = async (
  port: number,
  path: string,
  body: string,
  connections: number,
  ms: number,
  authorization = ""
): Promise<number> => {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const end = Date.now() + ms
  let answers = 0
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const call = request(
        {
          port,
          host: "127.0.0.1",
          path,
          method: "POST",
          agent,
          headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body), authorization }
        },
        (answer) => {
          if ((answer.statusCode ?? 500) >= 300) reject(new Error(`status ${answer.statusCode}`))
          answer.resume().once("end", resolve)
        }
      )
      call.once("error", reject)
      call.end(body)
    })
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (Date.now() < end) {
        await one()
        answers++
      }
    })
  )
  agent.destroy()
  return answers / (ms / 1000)
}

const bare = `
const { createServer } = require("node:http")
createServer((q, a) => { let t = ""; q.setEncoding("utf8"); q.on("data", (d) => t += d); q.on("end", () => { JSON.parse(t); a.writeHead(204).end() }) })
  .listen(0, "127.0.0.1", function () { console.log(this.address().port) })
`

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const idleS = Number(args[0] ?? 60)
  const machine = await makeMachine({ programs: `${root}/dist` })
  const floor = spawn(process.execPath, ["-e", bare], { stdio: ["ignore", "pipe", "inherit"] })
  try {
    const floorPort = await new Promise<number>((resolve) =>
      floor.stdout.once("data", (text: Buffer) => resolve(Number(text)))
    )
    const first = await machine.rbee(["infer", "hello"])
    if (first.code !== 0) throw new Error(first.stderr)
    const authorization = `Bearer ${machine.token()}`
    const pidOf = (role: Proc["role"]) => machine.processes().find((process) => process.role === role)?.pid ?? 0
    const pids = { queen: pidOf("queen"), hive: pidOf("hive"), worker: pidOf("worker") }
    const before = Object.fromEntries(Object.entries(pids).map(([role, pid]) => [role, cpuSeconds(pid)]))
    await sleep(idleS * 1000)
    const idle = Object.entries(pids).map(([role, pid]) => ({
      role,
      rss: rssMb(pid),
      cpu: ((cpuSeconds(pid) - (before[role] ?? 0)) / idleS) * 100
    }))

    const agent = new Agent({ keepAlive: true })
    const streams = await Promise.all(
      Array.from(
        { length: 500 },
        () =>
          new Promise<{ destroy: () => void }>((resolve, reject) => {
            const call = get(
              { port: machine.ports.queen, host: "127.0.0.1", path: "/events", agent, headers: { authorization } },
              (answer) => {
                answer.resume()
                resolve(call)
              }
            )
            call.once("error", (cause: NodeJS.ErrnoException) => {
              if (cause.code !== "ECONNRESET") reject(cause)
            })
          })
      )
    )
    await sleep(2000)
    const open = rssMb(pids.queen)
    for (const stream of streams) stream.destroy()

    const hives = (await (await machine.fetch(`${machine.queenUrl}/hives`)).json()) as Array<{
      id: string
      instance: string
      url: string
    }>
    const hive = hives[0]
    if (hive === undefined) throw new Error("no hive")
    const beat = JSON.stringify({
      hive_id: hive.id,
      instance: hive.instance,
      seq: 1_000_000,
      version: "0",
      url: hive.url,
      devices: [{ id: "cpu", state: "healthy", leased_mb: 0, free_mb: 1000 }],
      workers: []
    })
    const figures = await interleaved(
      {
        queen: () => load(machine.ports.queen, "/heartbeats", beat, 16, 2000, authorization),
        bare: () => load(floorPort, "/heartbeats", beat, 16, 2000)
      },
      5
    )
    const target: Record<string, string> = { queen: "≤ 120", hive: "≤ 100" }
    report(
      "footprint",
      [
        { what: "bare Node", value: rssMb(floor.pid ?? 0), unit: "MB" },
        ...idle.map(({ role, rss }) => {
          const row = { what: `${role} idle, memory`, value: rss, unit: "MB" }
          return target[role] === undefined ? row : { ...row, target: target[role] }
        }),
        ...idle.map(({ role, cpu }) => ({ what: `${role} idle, CPU`, value: cpu, unit: "%", target: "< 0.2" })),
        { what: "queen with 500 streams", value: open, unit: "MB" },
        { what: "heartbeats, queen", value: median(figures.queen), unit: "/s" },
        { what: "heartbeats, bare handler", value: median(figures.bare), unit: "/s" },
        {
          what: "heartbeats, queen ÷ bare",
          value: ratio(figures.queen, figures.bare).median,
          unit: "×",
          target: "≥ 0.5"
        }
      ],
      { idle, figures }
    )
  } finally {
    floor.kill("SIGKILL")
    await machine.dispose()
  }
}
