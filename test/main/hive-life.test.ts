/** A real hive daemon: its queen, its end, and what it leaves behind. */
import { existsSync, readdirSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import {
  type FakeQueen,
  fakeQueen,
  pidOf,
  programs,
  provision,
  refused,
  run,
  startHive,
  startWorker
} from "../support/hive.ts"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { patience } from "../support/patience.ts"
import { spawn } from "node:child_process"

const machine = useMachines()
const queens: Array<FakeQueen> = []
afterEach(async () => {
  for (const queen of queens.splice(0)) await queen.close()
})
const aQueen = async (): Promise<FakeQueen> => {
  const queen = await fakeQueen()
  queens.push(queen)
  return queen
}
const claimOf = (url: string, id = "q1", epoch = 1) => ({ queen: { id, name: `queen ${id}`, epoch, url } })
const roles = (here: Machine) => here.processes().map(({ role }) => role)

describe("A hive and its queen", () => {
  it("beats at once after it was claimed, then each second, with its devices and workers", async () => {
    const here = await machine()
    const hive = await startHive(here)
    const queen = await aQueen()
    const claimed = await run(hive.api.claim(claimOf(queen.url)))
    expect(claimed).toMatchObject({ hive_id: "localhost" })
    await eventually(() => queen.beats.length > 0, "a first beat", 900)
    await provision(hive, "minillama")
    const { id } = await startWorker(hive)
    await eventually(
      () => queen.beats.some(({ workers }) => workers[0]?.state === "idle"),
      "its worker is in its beats"
    )
    expect(queen.beats.map(({ seq }) => seq)).toEqual(queen.beats.map((_, i) => i + 1))
    const last = queen.beats.at(-1)
    expect(last).toMatchObject({
      hive_id: "localhost",
      instance: claimed.instance,
      url: hive.url,
      devices: [{ id: "cpu", state: "healthy" }],
      workers: [{ id, device: "cpu", model: "minillama", slots: 4, busy: 0 }]
    })
    const ram = (await run(hive.api.devices({}))).cpu.ram_mb
    expect(last?.devices[0]?.free_mb).toBeLessThan(ram)
  })

  it("registers with a queen that does not know it, and goes on beating to one that does not answer", async () => {
    const hive = await startHive(await machine(), { RBEE_HIVE_HEARTBEAT_MS: "100" })
    const queen = await aQueen()
    queen.answer = "unknown"
    await run(hive.api.claim(claimOf(queen.url)))
    await eventually(() => queen.registered.length > 0, "it registered")
    expect(queen.registered[0]).toBe("localhost")
    queen.answer = "hangs"
    const before = queen.beats.length
    await eventually(() => queen.beats.length > before + 1, "beats go on")
    expect(await run(hive.api.health({}))).toMatchObject({ role: "hive" })
  })

  it("belongs to one queen: her later starts may claim it, others only by taking over; and remembers it", async () => {
    const here = await machine()
    const hive = await startHive(here)
    await run(hive.api.claim(claimOf("http://127.0.0.1:9", "q1", 2)))
    expect(await refused(hive.api.claim(claimOf("http://127.0.0.1:9", "q2", 7)))).toMatchObject({
      code: "HIVE_OWNED",
      details: { owner: { id: "q1", epoch: 2 } }
    })
    expect(await refused(hive.api.claim(claimOf("http://127.0.0.1:9", "q1", 1)))).toMatchObject({ code: "HIVE_OWNED" })
    await run(hive.api.claim(claimOf("http://127.0.0.1:9", "q1", 3)))
    hive.process.kill("SIGKILL")
    await hive.exit
    const again = await startHive(here)
    expect(await refused(again.api.claim(claimOf("http://127.0.0.1:9", "q2", 9)))).toMatchObject({ code: "HIVE_OWNED" })
    await run(again.api.claim({ ...claimOf("http://127.0.0.1:9", "q2", 1), take_over: true }))
    expect(await refused(again.api.claim(claimOf("http://127.0.0.1:9", "q1", 4)))).toMatchObject({ code: "HIVE_OWNED" })
  })
})

describe("A hive whose queen lost her catalog", () => {
  it("is taken over by her successor at the same address, alive or woken anew", async () => {
    const here = await machine({ programs })
    const infer = async () => (await here.rbee(["infer", "hello", "--quiet"])).code
    const forget = () => {
      for (const suffix of ["", "-wal", "-shm"])
        rmSync(join(here.home, "queen", `catalog.sqlite${suffix}`), { force: true })
    }
    expect(await infer()).toBe(0)
    const queen = here.processes().find(({ role }) => role === "queen")?.pid ?? 0
    process.kill(queen, "SIGKILL")
    await eventually(() => !roles(here).includes("queen"), "the queen is gone")
    forget()
    expect(await infer()).toBe(0)
    expect(roles(here).filter((role) => role === "hive")).toHaveLength(1)
    expect((await here.rbee(["down"])).code).toBe(0)
    forget()
    expect(await infer()).toBe(0)
  })
})

describe("The end of a hive", () => {
  it("by shutdown takes its workers along and leaves nothing, within two seconds when idle", async () => {
    const here = await machine()
    const hive = await startHive(here)
    await provision(hive, "minillama")
    await startWorker(hive)
    const began = Date.now()
    await run(hive.api.shutdown({}))
    expect(roles(here)).not.toContain("worker")
    expect(await hive.exit).toEqual({ code: 0, signal: null })
    expect(Date.now() - began).toBeLessThan(patience(2000))
    expect(here.listening()).toEqual([])
    expect(readdirSync(hive.folder).sort()).toEqual(["catalog.sqlite", "models", "notes", "parked.secret"])
  })

  it("by SIGTERM is the same, and a hang-up is none", async () => {
    const here = await machine()
    const hive = await startHive(here)
    await provision(hive, "minillama")
    await startWorker(hive)
    hive.process.kill("SIGHUP")
    expect(await run(hive.api.health({}))).toMatchObject({ status: "healthy" })
    expect(pidOf(hive)).toBe(hive.process.pid)
    hive.process.kill("SIGTERM")
    expect(await hive.exit).toEqual({ code: 0, signal: null })
    expect(here.processes()).toEqual([])
    expect(existsSync(join(hive.folder, "daemon.json"))).toBe(false)
  })

  it("comes by itself when it was of no use for its time, also with an idle worker", async () => {
    const here = await machine()
    const hive = await startHive(here, { RBEE_HIVE_IDLE_MS: "1500" })
    await provision(hive, "minillama")
    await startWorker(hive)
    expect(await hive.exit).toEqual({ code: 0, signal: null })
    expect(here.processes()).toEqual([])
  })

  it("comes sooner when it was woken for a cold session", async () => {
    const here = await machine()
    const hive = await startHive(here, { RBEE_HIVE_IDLE_COLD_MS: "300" })
    await run(hive.api.claim({ ...claimOf("http://127.0.0.1:9"), woken_cold: true }))
    expect(await hive.exit).toEqual({ code: 0, signal: null })
  })

  it("does not come while a worker is pinned and the queen is there; without her it does", async () => {
    const here = await machine()
    const hive = await startHive(here, {
      RBEE_HIVE_IDLE_MS: "400",
      RBEE_HIVE_HEARTBEAT_MS: "50",
      RBEE_HIVE_LOST_MS: "600"
    })
    const queen = await aQueen()
    await run(hive.api.claim(claimOf(queen.url)))
    await provision(hive, "minillama")
    await startWorker(hive, { pin: true })
    const before = queen.beats.length
    // far more beats than its idle time has
    await eventually(() => queen.beats.length > before + 40, "it lives on", 15_000)
    await queen.close()
    expect(await hive.exit).toEqual({ code: 0, signal: null })
    expect(here.processes()).toEqual([])
  })

  it("by kill -9 takes its workers along; the next hive starts even, and needs no download", async () => {
    const here = await machine()
    const first = await startHive(here)
    await provision(first, "minillama")
    await startWorker(first)
    first.process.kill("SIGKILL")
    await first.exit
    await eventually(() => here.processes().length === 0, "its worker is gone, too")
    const second = await startHive(here)
    expect((await provision(second, "minillama")).map(({ event }) => event)).toEqual(["ready"])
    expect((await startWorker(second)).events.at(-1)?.event).toBe("ready")
    expect(await run(second.api.listWorkers({}))).toHaveLength(1)
  })

  it("by kill -9 may leave a worker that hangs; the next hive ends exactly that process", async () => {
    const here = await machine()
    const first = await startHive(here)
    await provision(first, "minillama")
    await startWorker(first)
    const left = (await run(first.api.listWorkers({})))[0]?.pid ?? 0
    await eventually(
      () => here.processes().length === 2,
      "how its model writes is learned, in a process that then ends"
    )
    // stopped, it does not see that its hive is gone
    process.kill(left, "SIGSTOP")
    first.process.kill("SIGKILL")
    await first.exit
    expect(here.processes().map(({ pid }) => pid)).toEqual([left])
    const second = await startHive(here)
    expect(here.processes().map(({ pid }) => pid)).toEqual([second.process.pid])
    expect(second.log()).toContain(`pid ${left}`)
  })

  it("comes at once, with the owner's name, where the port is somebody else's", async () => {
    const here = await machine()
    const stranger = createServer().listen(here.ports.hive, "127.0.0.1")
    await new Promise((resolve) => stranger.once("listening", resolve))
    let log = ""
    const child = spawn(process.execPath, [join(programs, "hive.js")], {
      env: here.env,
      stdio: ["ignore", "ignore", "pipe"]
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text))
    const code = await new Promise((resolve) => child.once("close", resolve))
    stranger.close()
    expect(code).toBe(75)
    expect(log).toContain(`port ${here.ports.hive} is taken by pid ${process.pid}`)
    expect(existsSync(join(here.home, "hive-localhost"))).toBe(false)
  })
})
