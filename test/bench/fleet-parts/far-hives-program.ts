/**
 * Hives without machines: each is as much of one as a queen asks for, has a GPU and a worker of a model of its own, and
 * beats every second. They join the queen who is named by the arguments; a number on stdin is how many there are to be,
 * and it is written to stdout once all of them are healthy.
 */
import { createServer, type Server } from "node:http"
import { createInterface } from "node:readline"

const [, , queen = "", token = "", version = ""] = process.argv
const beatMs = 1000

const ask = async (method: string, path: string, body?: unknown): Promise<string> => {
  const answer = await fetch(`${queen}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  return answer.text()
}

const gpu = { id: "gpu0", name: "RTX 3060", vram_mb: 12_000, vram_free_mb: 11_000, backend: "cuda" }
const devices = { cpu: { cores: 8, ram_mb: 32_000, ram_free_mb: 20_000 }, gpus: [gpu], models: 3, workers: 1 }

class FarHive {
  private readonly id: string
  private readonly server: Server
  private url = ""
  private seq = 0

  constructor(id: string) {
    this.id = id
    const answers: Readonly<Record<string, unknown>> = {
      "/health": { ...this.self, status: "healthy", role: "hive", id, pid: 1, uptime_s: 1 },
      "/claim": { ...this.self, hive_id: id },
      "/devices": devices,
      "/models": []
    }
    this.server = createServer((request, response) => {
      request.resume()
      const path = request.url?.split("?")[0] ?? ""
      // there is room, and what is to be loaded takes for ever
      if (path === "/models/provision") return
      if (path === "/capacity") return void response.writeHead(204).end()
      const answer = answers[path]
      response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" })
      response.end(JSON.stringify(answer ?? {}))
      if (path === "/claim") this.live()
    })
  }

  private get self() {
    return { instance: `life-of-${this.id}`, version }
  }

  async join(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve))
    const address = this.server.address()
    const port = typeof address === "object" ? (address?.port ?? 0) : 0
    this.url = `http://127.0.0.1:${port}`
    const { invite } = JSON.parse(await ask("POST", `/hives/${this.id}/invite`, {})) as { readonly invite: string }
    const secret = `the-secret-of-${this.id}`
    await ask("POST", `/hives/${this.id}/join`, { invite, secret, port, queen })
  }

  /** Its beats are spread over the second, as those of machines are. */
  private live(): void {
    const beat = () => void this.beat().catch(() => undefined)
    setImmediate(beat)
    setTimeout(() => setInterval(beat, beatMs), Math.random() * beatMs)
  }

  private async beat(): Promise<void> {
    const worker = {
      ...{ id: `w-${this.id}`, instance: "w", state: "idle", load_progress: 1, device: "gpu0" },
      ...{ model: `hf:far/${this.id}`, context: 4096, slots: 4, busy: 0, tokens_out: 0, restarts: 0, infers: [] },
      memory_mb: 4000
    }
    const device = (id: string, free_mb: number) => ({ id, state: "healthy", leased_mb: 0, free_mb })
    await ask("POST", "/heartbeats", {
      ...this.self,
      ...{ hive_id: this.id, seq: ++this.seq, url: this.url, workers: [worker] },
      devices: [device("gpu0", 7000), device("cpu", 20_000)]
    })
  }
}

let count = 0
for await (const line of createInterface({ input: process.stdin })) {
  const wanted = Number(line)
  for (; count < wanted; count++) await new FarHive(`far-${count}`).join()
  for (;;) {
    const hives = JSON.parse(await ask("GET", "/hives")) as ReadonlyArray<{ readonly state: string }>
    if (hives.filter(({ state }) => state === "healthy").length >= count) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  process.stdout.write(`${count}\n`)
}
process.exit(0)
