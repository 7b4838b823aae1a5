/** Hundreds of hives that were started elsewhere and told where they are, gone at once: the real queen, real sockets. */
import { createServer, type Server } from "node:http"
import { setTimeout } from "node:timers/promises"
import { afterEach, assert, describe, it } from "vitest"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { patience } from "../support/patience.ts"
import { isWhole } from "../support/proof.ts"

const machine = useMachines()
const count = isWhole ? 120 : 40

/** As much of a hive as its queen asks for: it is claimed, it beats, it has one worker. */
class Stranger {
  private readonly server: Server
  private seq = 0
  url = ""
  isClaimed = false
  readonly id: string
  private readonly version: string
  constructor(id: string, version: string) {
    this.id = id
    this.version = version
    this.server = createServer((request, response) => {
      request.resume()
      const answers: Record<string, unknown> = {
        "/health": { ...this.self, status: "healthy", role: "hive", id, pid: 1, uptime_s: 1 },
        "/claim": { ...this.self, hive_id: id },
        "/devices": { cpu: { cores: 1, ram_mb: 1000, ram_free_mb: 500 }, gpus: [], models: 0, workers: 1 },
        "/models": []
      }
      if (request.url === "/claim") this.isClaimed = true
      const answer = answers[request.url ?? ""]
      response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" })
      response.end(JSON.stringify(answer ?? {}))
    })
  }
  private get self() {
    return { instance: `life-of-${this.id}`, version: this.version }
  }
  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve))
    const address = this.server.address()
    this.url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`
  }
  beat() {
    const worker = {
      ...{ id: `w-${this.id}`, instance: "w", state: "idle", load_progress: 1, device: "cpu", model: "minillama" },
      ...{ context: 1000, slots: 1, busy: 0, tokens_out: 0, restarts: 0, infers: [] }
    }
    const device = { id: "cpu", state: "healthy", leased_mb: 0, free_mb: 500 }
    return { ...this.self, hive_id: this.id, seq: ++this.seq, url: this.url, devices: [device], workers: [worker] }
  }
  close(): void {
    this.server.close()
    this.server.closeAllConnections()
  }
}

const strangers: Array<Stranger> = []
const timers: Array<NodeJS.Timeout> = []
afterEach(() => {
  for (const timer of timers.splice(0)) clearInterval(timer)
  for (const one of strangers.splice(0)) one.close()
})

const post = (on: Machine, path: string, body: unknown) =>
  on.fetch(`${on.queenUrl}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body)
  })

/** As a hive that was started by hand does, without waiting until it beats. */
const join = async (on: Machine, { id, url }: Stranger): Promise<void> => {
  const { invite } = (await (await post(on, `/hives/${id}/invite`, {})).json()) as { invite: string }
  const body = { invite, secret: `the-secret-of-${id}`, port: Number(new URL(url).port), queen: on.queenUrl }
  void post(on, `/hives/${id}/join`, body).catch(() => undefined)
  const isKnown = async () =>
    (await on.fetch(`${on.queenUrl}/hives`).then((answer) => answer.text())).includes(`"${id}"`)
  await eventually(isKnown, `${id} is known`)
}

const statesOf = async (on: Machine): Promise<ReadonlyArray<string>> => {
  const hives = (await (await on.fetch(`${on.queenUrl}/hives`)).json()) as ReadonlyArray<{ id: string; state: string }>
  return hives.filter(({ id }) => id.startsWith("far-")).map(({ state }) => state)
}

describe("Hives that told where they are, and are gone at once", () => {
  it("have nothing started in their place, and the queen goes on answering", async () => {
    const on = await machine()
    assert.strictEqual((await on.rbee(["infer", "--quiet", "--max-tokens", "2", "hello"])).code, 0)
    const { version } = (await (await fetch(`${on.queenUrl}/health`)).json()) as { version: string }
    const before = new Set(on.processes().map(({ pid }) => pid))
    for (let n = 0; n < count; n++) strangers.push(new Stranger(`far-${n}`, version))
    for (const one of strangers) {
      await one.listen()
      await join(on, one)
    }
    const beating = setInterval(() => {
      for (const one of strangers) void post(on, "/heartbeats", one.beat()).catch(() => undefined)
    }, 1000)
    timers.push(beating)
    let states: ReadonlyArray<string> = []
    const areAll = (wanted: ReadonlyArray<string>) => async () => {
      await setTimeout(200)
      states = await statesOf(on)
      return states.every((state) => wanted.includes(state))
    }
    await eventually(areAll(["healthy"]), () => `all are taken in, not ${[...new Set(states)].join(", ")}`, 90_000)

    clearInterval(beating)
    for (const one of strangers) one.close()
    let slowest = 0
    const watch = setInterval(() => {
      const asked = performance.now()
      void fetch(`${on.queenUrl}/health`).then(() => (slowest = Math.max(slowest, performance.now() - asked)))
    }, 250)
    timers.push(watch)
    await eventually(
      areAll(["cold", "failed"]),
      () => `all are given up, not ${[...new Set(states)].join(", ")}`,
      60_000
    )
    const after = on.processes().filter(({ role }) => role === "hive" || role === "worker")
    assert.deepEqual(
      after.filter(({ pid }) => !before.has(pid)),
      [],
      "nothing was started for them"
    )
    assert.isBelow(slowest, patience(5000))

    const asked = await on.rbee(["infer", "--hive", "far-7", "hello"])
    assert.notStrictEqual(asked.code, 0)
    assert.include(asked.stderr, "was not started by this queen")
    assert.strictEqual((await on.rbee(["infer", "--quiet", "--max-tokens", "2", "hello"])).code, 0)
  }, 180_000)
})
