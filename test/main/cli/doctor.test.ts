/** `rbee doctor` on real machines: what is broken there is found, and nobody is woken for it. */
import { spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest"
import { layerRandom } from "../../../src/layers/ids/random.ts"
import { identityOf } from "../../../src/layers/process/identity.ts"
import { QueenCatalog } from "../../../src/layers/queen-catalog/index.ts"
import { layerSqlite } from "../../../src/layers/queen-catalog/sqlite.ts"
import { Diagnosis, type Finding } from "../../../src/machines/doctor/finding.ts"
import { HiveId } from "../../../src/machines/vocabulary/ids.ts"
import { SshPlace } from "../../../src/machines/vocabulary/place.ts"
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

/** A small disk of models, where root may mount one; undefined: none is to be had. */
const smallDisk = (): string | undefined => {
  const at = mkdtempSync(join(tmpdir(), "rbee-small-disk-"))
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", at]).status === 0
  onTestFinished(() => {
    if (mounted) spawnSync("umount", ["-l", at])
    rmSync(at, { recursive: true, force: true })
  })
  return mounted ? at : undefined
}

/** What a queen who sleeps knows: a hive over ssh, whose key is no file any more. */
const knowsHive = (on: Machine, ssh: typeof SshPlace.Encoded) =>
  Effect.flatMap(QueenCatalog, ({ hives }) =>
    hives.put({ id: HiveId.make("gpu-box"), addedAt: 1, ssh: Schema.decodeSync(SshPlace)(ssh) })
  ).pipe(
    Effect.provide(Layer.provide(layerSqlite(join(on.home, "queen", "catalog.sqlite")), layerRandom)),
    Effect.runPromise
  )

it("finds each of the faults that were planted, all at once, with a way out of each", async () => {
  const on = await machine()
  const stranger = createServer((_, answer) => answer.end("hello"))
  await new Promise<void>((resolve) => stranger.listen(on.ports.queen, "127.0.0.1", resolve))
  await knowsHive(on, { host: "127.0.0.1", hive_port: 8600, identity: join(on.home, "no-such-key") })
  chmodSync(join(on.home, "queen"), 0o777)
  const hive = { ...identityOf(process.pid), role: "hive", id: "localhost", instance: "hive-1", version: "0.0.9" }
  mkdirSync(join(on.home, "hive-localhost"), { mode: 0o700 })
  const state = { ...hive, port: on.ports.hive, url: `http://127.0.0.1:${on.ports.hive}` }
  writeFileSync(join(on.home, "hive-localhost", "daemon.json"), JSON.stringify(state))
  const disk = smallDisk()
  date = () => new Date(Date.now() - 600_000)
  const more: Record<string, string> = disk === undefined ? {} : { HF_HOME: disk }
  const text = await on.rbee(["doctor"], { env: { ...env(), ...more } })
  const found = await asked(on, more)
  date = () => new Date()
  stranger.close()

  const planted: ReadonlyArray<readonly [check: string, seen: RegExp, todo: RegExp]> = [
    ["port", /^port .* of the queen is taken by pid \d+/, /RBEE_QUEEN_PORT/],
    ["folder", /^queen .*can be written by others/, /^chmod 700/],
    ["ssh", /^hive gpu-box: the key .*no-such-key is not there/, /--identity FILE/],
    ["clock", /60[01] s behind/, /time server/],
    ["version", /^hive localhost runs rbee 0\.0\.9/, /rbee hives stop/],
    ...(disk === undefined ? [] : [["disk", /^4 MB free for models/, /HF_HOME/] as const])
  ]
  for (const [check, seen, todo] of planted) {
    const one = found(check).find(({ seen: each }) => seen.test(each))
    expect(one, check).toMatchObject({
      verdict: expect.stringMatching(/wrong|warn/),
      todo: expect.stringMatching(todo)
    })
    expect(text.stdout).toMatch(new RegExp(`^(wrong|warn) +${check} .*${seen.source.replace(/^\^/, "")}`, "m"))
    expect(text.stdout).toContain(`→ ${one?.todo}`)
  }
  expect(text.code).toBe(1)
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
