/** `rbee doctor` on real machines: what is broken there is found, and nobody is woken for it. */
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import * as Schema from "effect/Schema"
import { afterAll, beforeAll, expect, it } from "vitest"
import { Diagnosis, type Finding } from "../../../src/machines/doctor/finding.ts"
import type { Machine } from "../../support/machine.ts"
import { useMachines } from "../../support/machines.ts"

const machine = useMachines()
const decode = Schema.decodeUnknownSync(Schema.parseJson(Diagnosis), { onExcessProperty: "error" })

let status = 200
let date = () => new Date()
const hub = createServer((_, answer) => answer.writeHead(status, { date: date().toUTCString() }).end("[]"))
beforeAll(() => new Promise<void>((resolve) => hub.listen(0, "127.0.0.1", resolve)))
afterAll(() => void hub.close())
const env = () => ({
  HF_ENDPOINT: `http://127.0.0.1:${(hub.address() as AddressInfo).port}`,
  HF_HOME: "/tmp",
  SSH_AUTH_SOCK: ""
})

const asked = async (on: Machine, more: Record<string, string> = {}) => {
  const run = await on.rbee(["doctor", "--json"], { env: { ...env(), ...more } })
  const { findings, well } = decode(run.stdout)
  expect(run.code).toBe(well ? 0 : 1)
  return (check: string): ReadonlyArray<Finding> => findings.filter((one) => one.check === check)
}

it("says of a machine where nothing was ever started that nothing is wrong, and leaves it so", async () => {
  const on = await machine()
  const run = await on.rbee(["doctor"], { env: env() })
  expect(run).toMatchObject({ code: 0, stderr: "" })
  for (const check of ["node", "store", "settings", "engine", "cuda", "memory", "folder", "disk", "port", "hub", "ssh"])
    expect(run.stdout).toMatch(new RegExp(`^(ok|warn) +${check} `, "m"))
  expect(on.processes()).toEqual([])
  expect(readdirSync(on.home)).toEqual([])
})

it("names a stranger on a port, bad modes, a typo in a variable, and each way out", async () => {
  const on = await machine()
  const stranger = createServer((_, answer) => answer.end("hello"))
  await new Promise<void>((resolve) => stranger.listen(on.ports.queen, "127.0.0.1", resolve))
  mkdirSync(join(on.home, "logs"), { mode: 0o755 })
  mkdirSync(join(on.home, "queen"))
  chmodSync(join(on.home, "queen"), 0o777)
  const found = await asked(on, { RBEE_QUEN_PORT: "1", SSH_AUTH_SOCK: "/nowhere" })
  stranger.close()
  expect(found("port")[0]).toMatchObject({
    verdict: "wrong",
    seen: expect.stringContaining(`pid ${process.pid}`),
    todo: expect.stringContaining("RBEE_QUEEN_PORT")
  })
  expect(found("settings")[0]).toMatchObject({ verdict: "warn", seen: expect.stringContaining("RBEE_QUEN_PORT") })
  expect(found("folder").find(({ seen }) => seen.startsWith("logs"))).toMatchObject({ verdict: "warn" })
  expect(found("folder").find(({ seen }) => seen.startsWith("queen"))).toMatchObject({
    verdict: "wrong",
    todo: `chmod 700 '${join(on.home, "queen")}'`
  })
  expect(found("ssh")[0]?.seen).toContain("agent: dead")
  expect(on.processes()).toEqual([])
})

it("runs where the settings are refused, and says so", async () => {
  const on = await machine()
  // of a wrong flag the caller is to blame
  expect((await on.rbee(["doctor", "--queen-port", "x"])).code).toBe(2)
  writeFileSync(join(on.home, "config.toml"), "[queen]\nprot = 1\n")
  const found = await asked(on)
  expect(found("settings")).toEqual([
    {
      check: "settings",
      verdict: "wrong",
      seen: expect.stringContaining("line 2: queen.prot"),
      todo: expect.any(String)
    }
  ])
  expect(found("node")[0]?.verdict).toBe("ok")
})

it("tells of a hub in trouble, and of a clock that is not its", async () => {
  const on = await machine()
  status = 503
  date = () => new Date(Date.now() + 60_000)
  const found = await asked(on)
  status = 200
  date = () => new Date()
  expect(found("hub")[0]).toMatchObject({ verdict: "warn", seen: expect.stringContaining("503") })
  expect(found("clock")[0]).toMatchObject({ verdict: "warn", seen: expect.stringMatching(/(59|60) s ahead/) })
  expect((await asked(on, { HF_HUB_OFFLINE: "1" }))("hub")[0]?.seen).toContain("HF_HUB_OFFLINE")
})

it("asks who runs, by name and version, and wakes nobody else", async () => {
  const on = await machine()
  expect((await on.rbee(["queen", "start"])).code).toBe(0)
  const before = on.processes().map(({ pid }) => pid)
  const found = await asked(on)
  expect(found("port").map(({ seen }) => seen)).toEqual([
    expect.stringMatching(/she runs \(pid \d+\)/),
    expect.stringContaining("is free")
  ])
  expect(found("version")[0]?.seen).toMatch(/the queen too/)
  expect(found("folder").filter(({ verdict }) => verdict !== "ok")).toEqual([])
  expect(on.processes().map(({ pid }) => pid)).toEqual(before)
})
