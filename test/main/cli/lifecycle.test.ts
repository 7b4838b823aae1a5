/** What the keeper promises on real processes: races, interrupts, terminals that leave, hives that nobody owns. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { eventually, type Machine } from "../../support/machine.ts"
import { useMachines } from "../../support/machines.ts"
import { patience } from "../../support/patience.ts"

const machine = useMachines()
const paced = { RBEE_WORKER_MAX_TOKENS_PER_S: "40" }
const story = ["infer", "tell me a story", "--ignore-eos", "--max-tokens", "400"]

const pidsOf = (on: Machine, role: string) => on.processes().flatMap((one) => (one.role === role ? [one.pid] : []))
const stateOf = (on: Machine) => join(on.home, "queen", "daemon.json")
const stays = (on: Machine) => existsSync(stateOf(on)) && readFileSync(stateOf(on), "utf8").includes('"stays":true')
const hiveLog = (on: Machine) => readFileSync(join(on.home, "logs", "hive-localhost.log"), "utf8")
/** seconds that she is here; looking is no use of her */
const uptime = async (on: Machine): Promise<number> => {
  const health = (await (await on.fetch(`${on.queenUrl}/health`)).json()) as { readonly uptime_s: number }
  return health.uptime_s
}

describe("a keeper on real processes", () => {
  it("shares one queen between keepers that wake her at the same moment", async () => {
    const on = await machine()
    const runs = await Promise.all([1, 2, 3].map(() => on.rbee(["queen", "start"])))
    expect(runs.map((run) => run.code)).toEqual([0, 0, 0])
    // those that lost the race for the port end by themselves
    await eventually(() => pidsOf(on, "queen").length === 1, "one queen is left")
    await on.rbee(["down"])
    expect(on.processes()).toEqual([])
  })

  it("ends a hive that lives on without its queen with `down`, and `status` tells of it", async () => {
    const on = await machine()
    expect((await on.rbee(["up"])).code).toBe(0)
    const [hive] = pidsOf(on, "hive")
    expect((await on.rbee(["queen", "stop"])).code).toBe(0)
    const status = await on.rbee(["status"])
    expect(status.code).toBe(3)
    expect(status.stdout).toContain(`hive localhost lives on without her (pid ${hive})`)
    const down = await on.rbee(["down"])
    expect(down.code, down.stderr).toBe(0)
    expect(on.processes()).toEqual([])
    expect(on.listening()).toEqual([])
  })

  it("ends a hive whose queen was killed with `hives stop`", async () => {
    const on = await machine()
    await on.rbee(["up"])
    for (const pid of pidsOf(on, "queen")) process.kill(pid, "SIGKILL")
    const stop = await on.rbee(["hives", "stop"])
    expect(stop.code, stop.stderr).toBe(0)
    expect(pidsOf(on, "hive")).toEqual([])
  })

  it("tells of the hives that a sleeping queen knows, says one thing of one that there is not, and wakes nobody", async () => {
    const on = await machine()
    expect((await on.rbee(["hives", "start"])).code).toBe(0)
    expect((await on.rbee(["queen", "stop"])).code).toBe(0)
    const port = ["--queen-port", String(on.ports.queen)]
    const list = await on.rbee(["hives", "ls"])
    expect(list).toMatchObject({ code: 0, stderr: expect.stringContaining("queen is not running") })
    expect(list.stdout).toMatch(/localhost +degraded/)
    expect((await on.rbee(["hives", "show", "localhost"])).stdout).toMatch(/localhost +degraded/)
    for (const command of ["show", "rm"]) {
      const nope = await on.rbee(["hives", command, "nope", ...port])
      expect(nope).toMatchObject({ code: 1, stdout: "" })
      // with the flags that say which cluster is meant
      const way = `\`rbee hives ls ${port.join(" ")}\``
      expect(nope.stderr).toBe(`bee-keeper: HIVE_NOT_FOUND: there is no hive nope. ${way} lists them\n`)
    }
    expect((await on.rbee(["hives", "rm", "localhost"])).code).toBe(3)
    expect(on.processes().map(({ role }) => role)).toEqual(["hive"])
    expect((await on.rbee(["down"])).code).toBe(0)
    expect((await on.rbee(["hives", "ls"])).stdout).toMatch(/localhost +cold/)
    expect(on.processes()).toEqual([])
  })

  it("takes the answer up again when its queen is killed in mid-answer", async () => {
    const on = await machine({ env: paced })
    const run = on.start([...story.slice(0, -1), "120", "--temperature", "0"])
    await run.until((seen) => seen.stdout().length > 10)
    for (const pid of pidsOf(on, "queen")) process.kill(pid, "SIGKILL")
    const done = await run.finished
    expect(done.stderr).toContain("bee-keeper: lost queen; reconnecting…\nbee-keeper: queen is awake and healthy\n")
    // with the answer whole, or with the reason
    if (done.code === 0) {
      const whole = await on.rbee([...story.slice(0, -1), "120", "--temperature", "0"])
      expect(done.stdout).toBe(whole.stdout)
    } else expect(done.stderr).toMatch(/job failed: [A-Z_]+: /)
  })

  it("cancels and tears down a cold session that is interrupted, within 5 s", async () => {
    const on = await machine({ env: paced })
    const run = on.start([...story, "--cold"])
    await run.until((seen) => seen.stdout().length > 10)
    const begin = Date.now()
    run.signal("SIGINT")
    const done = await run.finished
    expect(done.code).toBe(130)
    expect(Date.now() - begin).toBeLessThan(patience(5000))
    expect(done.stderr).toContain("bee-keeper: cancelled")
    await eventually(
      () => on.processes().length === 0,
      () => `left: ${JSON.stringify(on.processes())}`
    )
  })

  it("exits at once at a second Ctrl-C, with 143 on SIGTERM", async () => {
    const on = await machine({ env: paced })
    const first = on.start(story)
    await first.until((seen) => seen.stdout().length > 10)
    first.signal("SIGINT")
    first.signal("SIGINT")
    expect((await first.finished).code).toBe(130)
    const second = on.start(story)
    await second.until((seen) => seen.stdout().length > 0)
    second.signal("SIGTERM")
    const done = await second.finished
    expect(done.code).toBe(143)
    expect(done.stderr).toContain("bee-keeper: cancelled")
  })

  it("ends quietly, and ends the job, when nobody reads its stdout any more", async () => {
    const on = await machine({ env: paced })
    const run = on.start(story)
    await run.until((seen) => seen.stdout().length > 0)
    run.process.stdout?.destroy()
    const done = await run.finished
    expect(done.code).toBe(0)
    expect(done.stderr).not.toMatch(/EPIPE|Error/)
    const jobs: ReadonlyArray<{ readonly state: string }> = JSON.parse((await on.rbee(["jobs", "ls", "--json"])).stdout)
    expect(jobs.map((job) => job.state)).toEqual(["cancelled"])
  })

  it("shows what runs, as tables and as JSON", async () => {
    const on = await machine()
    await on.rbee(["infer", "hello"])
    const status = await on.rbee(["status"])
    expect(status.code).toBe(0)
    expect(status.stdout).toContain(`queen is running on :${on.ports.queen}`)
    for (const [kind, said] of [
      ["hives", "localhost"],
      ["workers", "minillama"],
      ["models", "3.3 MB"],
      ["jobs", "done"]
    ] as const) {
      const table = await on.rbee([kind, "ls"])
      expect(table, kind).toMatchObject({ code: 0, stderr: "" })
      expect(table.stdout).toContain(said)
      const json: unknown = JSON.parse((await on.rbee([kind, "ls", "--json"])).stdout)
      expect(json, kind).toHaveLength(1)
    }
    const [job]: ReadonlyArray<{ readonly job_id: string }> = JSON.parse(
      (await on.rbee(["jobs", "ls", "--json"])).stdout
    )
    const shown = await on.rbee(["jobs", "show", job?.job_id ?? ""])
    expect(shown.stdout).toMatch(/^job: +job-[0-9a-f]+\nmodel: +minillama\nstate: +done\n/)
    expect((await on.rbee(["jobs", "show", "job-none"])).code).toBe(1)
    expect((await on.rbee(["jobs", "cancel", job?.job_id ?? ""])).stderr).toContain("CONFLICT")
    expect((await on.rbee(["hives", "status"])).code).toBe(0)
    expect((await on.rbee(["workers", "stop", "--all"])).code).toBe(0)
    expect(pidsOf(on, "worker")).toEqual([])
  })

  it("stays in the foreground with `up --foreground`, and takes everything down at Ctrl-C", async () => {
    const on = await machine()
    const run = on.start(["up", "--foreground"])
    await run.until((seen) => seen.stdout().includes("up: queen on"))
    expect((await on.rbee(["infer", "hello"])).code).toBe(0)
    run.signal("SIGINT")
    const done = await run.finished
    expect(done.code).toBe(130)
    expect(done.stderr).toContain("queen: goodbye")
    expect(on.processes()).toEqual([])
  })

  it("`up` has a queen stay who was here before, and the local hive wakes the next one when she is killed, until `down`", async () => {
    const on = await machine({ env: { RBEE_QUEEN_IDLE_MS: "1500", RBEE_HIVE_HEARTBEAT_MS: "200" } })
    expect((await on.rbee(["infer", "hello"])).code).toBe(0)
    expect((await on.rbee(["up"])).code).toBe(0)
    const [first] = pidsOf(on, "queen")
    const hives = pidsOf(on, "hive")
    // past her idle time she is here, and did not change
    await eventually(async () => (await uptime(on)) > 4, "she is past her idle time")
    expect(pidsOf(on, "queen")).toEqual([first])
    for (const pid of pidsOf(on, "queen")) process.kill(pid, "SIGKILL")
    await eventually(
      () => pidsOf(on, "queen").some((pid) => pid !== first) && stays(on),
      "the next one is here, and stays"
    )
    expect((await on.rbee(["infer", "hello"])).code).toBe(0)
    expect(pidsOf(on, "hive")).toEqual(hives)
    expect((await on.rbee(["down"])).code).toBe(0)
    expect(on.processes()).toEqual([])
    expect(stays(on)).toBe(false)
  })

  it("a hive lets be a queen who was told to end, and does not storm a port that was taken meanwhile", async () => {
    const on = await machine({ env: { RBEE_HIVE_HEARTBEAT_MS: "200" } })
    expect((await on.rbee(["up"])).code).toBe(0)
    const state = readFileSync(stateOf(on), "utf8")
    expect((await on.rbee(["queen", "stop"])).code).toBe(0)
    expect(existsSync(stateOf(on))).toBe(false)
    // as one that died leaves it; and a stranger takes her port
    writeFileSync(stateOf(on), state)
    const stranger = createServer((_, answer) => answer.end("hello")).listen(on.ports.queen, "127.0.0.1")
    const refused = () => hiveLog(on).split("the next queen was not woken: CONFLICT").length - 1
    await eventually(() => refused() >= 3, "it tried three times")
    expect(hiveLog(on).match(/"tries":\d+/g)).toEqual(['"tries":1', '"tries":2', '"tries":3'])
    expect(pidsOf(on, "queen")).toEqual([])
    await new Promise((resolve) => stranger.close(resolve))
    await eventually(() => pidsOf(on, "queen").length === 1, "the next queen is here")
    expect((await on.rbee(["down"])).code).toBe(0)
    expect(on.processes()).toEqual([])
  })

  it("`up --foreground` wakes the next queen when she is killed, and ends with `down`", async () => {
    const on = await machine()
    const run = on.start(["up", "--foreground"])
    await run.until((seen) => seen.stdout().includes("up: queen on"))
    const [first] = pidsOf(on, "queen")
    for (const pid of pidsOf(on, "queen")) process.kill(pid, "SIGKILL")
    await eventually(
      () => pidsOf(on, "queen").some((pid) => pid !== first) && stays(on),
      "the next one is here, and stays"
    )
    expect((await on.rbee(["down"])).code).toBe(0)
    const ended = await run.finished
    expect(ended.code, ended.stderr).toBe(0)
    expect(on.processes()).toEqual([])
  })

  it("in one process leaves no folder behind, and a later one removes what a killed one left", async () => {
    const on = await machine({ env: paced })
    const folders = () => readdirSync(join(on.home, "one-process"))
    const killed = on.start(["infer", "--one-process", ...story.slice(1)])
    await killed.until((seen) => seen.stdout().length > 0)
    killed.signal("SIGKILL")
    await killed.finished
    expect(folders()).toHaveLength(1)
    const run = await on.rbee(["infer", "--one-process", "hello"])
    expect(run.code, run.stderr).toBe(0)
    expect(folders()).toEqual([])
    expect(run.stderr).not.toContain("timestamp=")
  })
})
