/** A hive that a stranger wrote: its beats, and what it answers when the queen calls it. */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { SeededRandom } from "../../../src/simulator/world/kernel/random.ts"
import { openCluster, token } from "../cluster.ts"
import { anything, mutated, mutatedText } from "../mutate.ts"
import { Finding, type Target, within } from "../target.ts"

const devices = {
  devices: [{ id: "cpu", kind: "cpu", name: "CPU", backend: "cpu", total_mb: 8000, free_mb: 8000, state: "healthy" }],
  models: 0,
  workers: 0
}
const answers: Readonly<Record<string, unknown>> = {
  "/health": { status: "ok", role: "hive", version: "0.1.0", pid: 1, instance: "i-1" },
  "/claim": { hive_id: "stranger", instance: "i-1", version: "0.1.0" },
  "/devices": devices,
  "/models": [{ ref: "minillama", bytes: 1, hive: "stranger" }],
  "/models/provision": { provision_id: "p-1", events: "/models/provisions/p-1/events" },
  "/workers/provision": { available: true },
  "/workers/start": { worker_id: "w-1", port: 1, events: "/workers/w-1/events" }
}
const events = `event: ready\nid: 1\ndata: {"instance":"i","url":"http://127.0.0.1:1","backend":"CPU","context":512,"slots":4}\n\n`

const answer = (url: string, random: SeededRandom, response: ServerResponse): void => {
  const path = url.split("?")[0] ?? ""
  const isEvents = path.endsWith("/events")
  const right = isEvents ? events : JSON.stringify(answers[path] ?? {})
  const body = random.chance(0.5)
    ? right
    : isEvents || random.chance(0.2)
      ? mutatedText(right, random)
      : JSON.stringify(mutated(answers[path] ?? {}, random))
  const status = random.chance(0.8)
    ? path === "/capacity"
      ? 204
      : 200
    : random.pick([201, 302, 400, 404, 409, 500, 503, 507])
  if (random.chance(0.03)) return void response.destroy()
  response.writeHead(status, { "content-type": isEvents ? "text/event-stream" : "application/json" })
  response.end(status === 204 ? undefined : body)
}

const beat = (url: string, seq: number) => ({
  hive_id: "stranger",
  instance: "i-1",
  seq,
  version: "0.1.0",
  url,
  devices: [{ id: "cpu", state: "healthy", free_mb: 8000 }],
  workers: [
    {
      id: "w-1",
      instance: "i",
      pid: 1,
      state: "idle",
      load_progress: 1,
      port: 1,
      url: "http://127.0.0.1:1",
      device: "cpu",
      model: "minillama",
      context: 512,
      slots: 4,
      busy: 0,
      tokens_out: 0,
      restarts: 0,
      infers: [{ job_id: "job-1", epoch: 1, next: 0 }]
    }
  ]
})

/** what the queen calls back is this fuzzer and nobody else */
const onlyUs = (value: unknown, url: string): unknown =>
  JSON.parse(JSON.stringify(value, (key, each: unknown) => (key === "url" ? url : each)) ?? "null")

export const hive: Target = {
  name: "hive",
  parallel: 4,
  open: async () => {
    const { check, machine, peakMb } = await openCluster()
    let drawn = 0
    const server = createServer((request, response) => {
      request.resume().on("end", () => answer(request.url ?? "", new SeededRandom(++drawn), response))
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    // a server that listens on a port
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
    let seq = 0
    const post = async (path: string, body: string) => {
      const answered = await within(
        20_000,
        () => `${path} ${body.slice(0, 800)}`,
        machine.fetch(`${machine.queenUrl}${path}`, { method: "POST", headers, body })
      )
      const text = await answered.text()
      if (answered.status === 500 || (answered.status >= 400 && !/"code":\s*"[A-Z_]+"/.test(text)))
        throw new Finding("untyped", `${path} ${body.slice(0, 800)} → ${answered.status} ${text.slice(0, 300)}`)
      return text
    }
    return {
      one: async (random) => {
        const right = beat(url, ++seq)
        await post("/heartbeats", JSON.stringify(onlyUs(random.chance(0.5) ? right : mutated(right, random), url)))
        if (random.chance(0.9)) return 1
        // and a job, so that the queen has a reason to call
        const job = random.chance(0.9)
          ? { model: "minillama", prompt: "hello", max_tokens: 2, hive: "stranger" }
          : anything(random)
        const before = drawn
        const id = /job-[0-9a-f]+/.exec(await post("/jobs", JSON.stringify(job)))?.[0]
        if (id !== undefined && random.chance(0.7))
          await machine.fetch(`${machine.queenUrl}/jobs/${id}`, { method: "DELETE", headers })
        return 2 + drawn - before
      },
      check,
      peakMb,
      close: async () => {
        server.closeAllConnections()
        server.close()
        await machine.dispose()
      }
    }
  }
}
