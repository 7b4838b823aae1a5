/**
 * `rbee service` under a real systemd, which looks after the queen as that of a user does; and her socket alone, as
 * systemd-socket-activate hands it over.
 */
import { spawn, spawnSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Health } from "../../src/machines/vocabulary/common.ts"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { programs } from "../support/older.ts"
import { startSystemd } from "../support/systemd.ts"

const systemd = await startSystemd()
const machine = useMachines(afterAll)
afterAll(() => systemd?.stop())

/** A plain curl: nothing of rbee's. */
const curl = (on: Machine, path = "/health"): Health =>
  JSON.parse(
    spawnSync("curl", ["-sS", "--max-time", "20", `${on.queenUrl}${path}`], { encoding: "utf8" }).stdout
  ) as Health
/** As soon as she listens. */
const health = async (on: Machine): Promise<Health> => {
  await eventually(() => !refuses(on), "she listens")
  return curl(on)
}
const refuses = (on: Machine) => spawnSync("curl", ["-s", `${on.queenUrl}/health`]).status === 7
const pidsOf = (on: Machine, role: string) => on.processes().flatMap((one) => (one.role === role ? [one.pid] : []))
/** What waits to become one has her program in its command line. */
const queens = (on: Machine) =>
  pidsOf(on, "queen").filter((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("node"))
/** What looks, and wakes nobody. */
const looks = [["status"], ["ps"], ["list"], ["hives", "ls"], ["jobs", "ls"], ["queen", "status"], ["doctor"]]

const socketsOf = (pid: number): ReadonlyArray<string> =>
  readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${fd}`)
      return target.startsWith("socket:") ? [target] : []
    } catch {
      return []
    }
  })

describe.skipIf(systemd === undefined)("a service of systemd", () => {
  const systemctl = systemd?.systemctl ?? (() => "")
  const property = (name: string, unit = "rbee-queen.service") =>
    systemctl("show", `--property=${name}`, "--value", unit).trim()
  const isActive = (unit: string) => property("ActiveState", unit) === "active"
  const asleep = () => eventually(() => property("ActiveState") === "inactive", "the service's end", 20_000)
  let on: Machine

  beforeAll(async () => {
    on = await machine({
      prefix: systemd?.prefix ?? [],
      env: { ...systemd?.env, RBEE_QUEEN_IDLE_MS: "1500" }
    })
  })

  it("is installed with a socket, which goes on listening when the queen has ended for being idle", async () => {
    const installed = await on.rbee(["service", "install"])
    expect(installed.code, installed.stderr).toBe(0)
    expect(installed.stdout).toContain(`the first connection to 127.0.0.1:${on.ports.queen} wakes her`)
    expect(curl(on).pid).toBe(Number(property("MainPID")))
    await asleep()
    expect(queens(on)).toEqual([])
    const status = await on.rbee(["service", "status"])
    expect([status.code, status.stdout]).toEqual([0, "queen: inactive (dead), enabled; rbee-queen.socket listens\n"])
  })

  it("of an rbee that had no socket gets one by the next `rbee service install`, and its queen is followed by one", async () => {
    const folder = join(systemd?.env["XDG_CONFIG_HOME"] ?? "", "systemd", "user")
    const unit = join(folder, "rbee-queen.service")
    systemctl("stop", "rbee-queen.socket", "rbee-queen.service")
    rmSync(join(folder, "rbee-queen.socket"))
    writeFileSync(unit, readFileSync(unit, "utf8").replace(/^(Wants|After)=.*\n/gm, ""))
    systemctl("daemon-reload")
    systemctl("start", "rbee-queen.service")
    const before = await health(on)
    const installed = await on.rbee(["service", "install"])
    expect(installed.code, installed.stderr).toBe(0)
    const after = curl(on)
    expect([after.id, after.pid]).toEqual([before.id, Number(property("MainPID"))])
    expect(after.pid).not.toBe(before.pid)
    expect(isActive("rbee-queen.socket")).toBe(true)
  })

  it("is not woken by whoever looks, and by a plain curl it is", async () => {
    await asleep()
    await Promise.all(looks.map((words) => on.rbee(words)))
    await on.rbee(["complete", "bash", "--", "rbee", "jobs", "show", ""])
    expect([property("ActiveState"), queens(on)]).toEqual(["inactive", []])
    expect(curl(on)).toMatchObject({ status: "healthy", role: "queen" })
  })

  it("is woken by a command as by any connection: the queen is systemd's, and no child of hers has the socket", async () => {
    await asleep()
    const answer = await on.rbee(["infer", "hello"])
    expect(answer.code, answer.stderr).toBe(0)
    const pid = Number(property("MainPID"))
    expect(queens(on)).toEqual([pid])
    const held = new Set(socketsOf(pid))
    for (const child of [...pidsOf(on, "hive"), ...pidsOf(on, "worker")]) {
      expect(socketsOf(child).filter((one) => held.has(one))).toEqual([])
      expect(readFileSync(`/proc/${child}/environ`, "utf8")).not.toMatch(/LISTEN_|RBEE_SERVICE/)
    }
  })

  it("that is killed answers the next connection, with the hive that it had", async () => {
    expect((await on.rbee(["infer", "hello"])).code).toBe(0)
    const before = curl(on)
    const hives = pidsOf(on, "hive")
    process.kill(before.pid, "SIGKILL")
    // until then the kernel has connections for her
    await eventually(() => !existsSync(`/proc/${before.pid}`), "her end")
    const after = curl(on)
    expect(after.pid).not.toBe(before.pid)
    expect(after.id).toBe(before.id)
    expect((await on.rbee(["infer", "hello"])).code).toBe(0)
    expect(queens(on)).toEqual([Number(property("MainPID"))])
    expect(pidsOf(on, "hive")).toEqual(hives)
  })

  it("is down after `rbee down`, which says that no connection wakes it, and up again with `rbee up`", async () => {
    curl(on)
    const down = await on.rbee(["down"])
    expect([down.code, down.stdout]).toEqual([
      0,
      "rbee-queen.socket stopped: no connection wakes her until rbee up\nqueen stopped\n"
    ])
    expect(refuses(on)).toBe(true)
    await asleep()
    expect((await on.rbee(["up"])).code).toBe(0)
    expect(queens(on)).toEqual([Number(property("MainPID"))])
    // and `up` means it: she stays
    expect(readFileSync(join(on.home, "queen", "daemon.json"), "utf8")).toContain('"stays":true')
    await on.rbee(["down"])
  })

  it("stays down where it was about to be started again", async () => {
    await on.rbee(["up"])
    process.kill(Number(property("MainPID")), "SIGKILL")
    expect((await on.rbee(["down"])).code).toBe(0)
    await asleep()
    expect([on.processes(), refuses(on)]).toEqual([[], true])
  })

  it("is gone with its socket after `rbee service uninstall`", async () => {
    await on.rbee(["up"])
    expect((await on.rbee(["service", "uninstall"])).code).toBe(0)
    expect([isActive("rbee-queen.socket"), isActive("rbee-queen.service"), on.processes()]).toEqual([false, false, []])
    expect(existsSync(join(systemd?.env["XDG_CONFIG_HOME"] ?? "", "systemd", "user", "rbee-queen.socket"))).toBe(false)
  })
})

const hasActivation = spawnSync("systemd-socket-activate", ["--version"]).status === 0
const queenProgram = join(programs, "queen.js")

describe.skipIf(!hasActivation)("a queen's socket", () => {
  /** Listens as systemd does, and becomes the queen at the first connection. */
  const activate = (on: Machine, port = on.ports.queen, env: Readonly<Record<string, string>> = {}) => {
    const all = { ...on.env, ...env }
    const told = Object.keys(all).filter((name) => name.startsWith("RBEE_"))
    const words = [...told.flatMap((name) => ["-E", name]), "-l", `127.0.0.1:${port}`, process.execPath, queenProgram]
    const child = spawn("systemd-socket-activate", words, { env: all, stdio: ["ignore", "pipe", "pipe"] })
    let said = ""
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (said += text))
    const ended = new Promise<{ readonly code: number | null; readonly said: string }>((resolve) =>
      child.once("close", (code) => resolve({ code, said }))
    )
    return { pid: child.pid ?? 0, ended }
  }
  const listens = (on: Machine) => eventually(() => on.listening().includes(on.ports.queen), "it listens")

  it("wakes her for a plain curl, and after a kill -9 for the next one", async () => {
    const on = await machine()
    const first = activate(on)
    await listens(on)
    expect(curl(on).pid).toBe(first.pid)
    process.kill(first.pid, "SIGKILL")
    await first.ended
    const second = activate(on)
    await listens(on)
    await Promise.all(looks.slice(0, 2).map((words) => on.rbee(words)))
    expect(queens(on)).toEqual([])
    expect(curl(on).pid).toBe(second.pid)
    const stopped = await on.rbee(["down"])
    expect(stopped.stdout).toBe("queen stopped\n")
    expect((await second.ended).code).toBe(0)
  })

  it("is refused where it is not her address, with both", async () => {
    const on = await machine()
    const other = activate(on, on.ports.queen + 5)
    await eventually(() => on.listening().includes(on.ports.queen + 5), "it listens")
    spawnSync("curl", ["-s", "--max-time", "20", `http://127.0.0.1:${on.ports.queen + 5}/health`])
    const { code, said } = await other.ended
    expect(code).toBe(1)
    expect(said).toContain(`handed over is http://127.0.0.1:${on.ports.queen + 5}, and ${on.queenUrl} is what is set`)
  })

  it("gives nobody a second queen on the same stores: the journal is the lock", async () => {
    const on = await machine()
    activate(on)
    await listens(on)
    curl(on)
    const port = on.ports.queen + 6
    const other = activate(on, port, { RBEE_QUEEN_PORT: String(port) })
    await eventually(() => on.listening().includes(port), "it listens")
    spawnSync("curl", ["-s", "--max-time", "20", `http://127.0.0.1:${port}/health`])
    const { code, said } = await other.ended
    expect(code).toBe(1)
    expect(said).toContain("another queen has the journal")
    expect(curl(on).role).toBe("queen")
  })
})
