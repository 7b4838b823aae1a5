/** What a remote machine can do to its queen once it is somebody else's: a real sshd, and a hive program of theirs. */
import { readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { pagesApi } from "../../src/layers/pages/index.ts"
import { queenApi } from "../../src/protocol/queen/index.ts"
import { callAt, plantHostileHive, toldTo } from "../support/hostile-hive.ts"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { ownAddress } from "../support/network.ts"
import { hasSshd, type RemoteMachine } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()
const ends: Array<() => void> = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

const clusterToken = "a-token-of-the-cluster-0123456789"

const near = async (there: RemoteMachine, env: Record<string, string> = {}): Promise<Machine> => {
  const on = await machine({ env: { RBEE_QUEEN_SSH_CONFIG: there.config, ...env } })
  const add = await on.rbee(["hives", "add", "remote", "--hive-port", String(there.hivePort)])
  assert.strictEqual(add.code, 0, add.stderr)
  return on
}

/** Claimed; healthy it becomes with a beat. */
const started = async (there: RemoteMachine, on: Machine) => {
  const start = on.start(["hives", "start", "remote"])
  await eventually(
    () => {
      try {
        return toldTo(there.home).secret !== ""
      } catch {
        return false
      }
    },
    "the hive is claimed",
    30_000
  )
  return start
}

const beat = (hive: string, workers: ReadonlyArray<unknown> = []) => ({
  hive_id: hive,
  instance: "hive-hostile",
  seq: 1,
  version: "0",
  url: "http://127.0.0.1:1",
  devices: [],
  workers
})

const calls = [...Object.values(queenApi), ...Object.values(pagesApi)].map(({ method, path }) => ({
  method,
  path: path.replaceAll(/:\w+/g, "x")
}))

describe.skipIf(!hasSshd)("a compromised remote hive", () => {
  it("is answered /health, its own heartbeats and the hub over its back-channel, whatever it shows", async () => {
    const there = await remote()
    plantHostileHive(there.home)
    const on = await near(there, { RBEE_TOKEN: clusterToken })
    await started(there, on)
    const { secret, url } = toldTo(there.home)
    const socket = url.replace("unix:", "")
    const own = readFileSync(join(there.home, "hive-remote", "token"), "utf8").trim()
    assert.notStrictEqual(own, clusterToken)
    assert.notStrictEqual(secret, clusterToken)
    assert.notStrictEqual(secret, own)

    const allowed = new Set(["/health", "/heartbeats"])
    for (const bearer of [undefined, own, clusterToken, `${secret}x`])
      for (const { method, path } of calls) {
        const { status } = await callAt(socket, { method, path, bearer })
        assert.strictEqual(status, path === "/health" ? 200 : 401, `${method} ${path} ${bearer ?? "nothing"}`)
      }
    for (const { method, path } of calls.filter(({ path: one }) => !allowed.has(one))) {
      const { status } = await callAt(socket, { method, path, bearer: secret })
      assert.strictEqual(status, 403, `${method} ${path} with its own secret`)
    }
    assert.strictEqual((await callAt(socket, { path: "/hub/api/models/a/b", bearer: secret })).status, 404)
    assert.strictEqual((await callAt(socket, { path: "/hub/api/models/a/b" })).status, 401)
    for (const path of ["/hub/../jobs", "/hub/%2e%2e/jobs", "//jobs", "/hub/../../etc/passwd"])
      assert.isAtLeast((await callAt(socket, { path, bearer: secret })).status, 400, path)

    // it speaks for itself alone
    const post = (body: unknown) => callAt(socket, { method: "POST", path: "/heartbeats", bearer: secret, body })
    const other = await post(beat("localhost"))
    assert.strictEqual(other.status, 403, other.text)
    assert.include(other.text, "cannot speak for hive localhost")
    assert.strictEqual((await post(beat("remote"))).status, 204)

    // and what it holds is worth nothing where the queen is asked by everybody
    for (const bearer of [secret, own])
      for (const { method, path } of calls.filter(({ path: one }) => !["/", "/health", "/inspect"].includes(one)))
        if (!/^(\/inspect)?\/assets/.test(path) && !["/heartbeats", "/hives/x/join"].includes(path)) {
          const { status } = await callAt(on.ports.queen, { method, path, bearer })
          assert.include([401, 403], status, `${method} ${path}`)
        }
  }, 60_000)

  it("takes no worker of another hive for its own, and no job of it", async () => {
    const there = await remote()
    plantHostileHive(there.home)
    const on = await near(there)
    assert.strictEqual((await on.rbee(["hives", "start"])).code, 0)
    assert.strictEqual((await on.rbee(["infer", "--hive", "localhost", "hello"])).code, 0)
    const workers = async () =>
      JSON.parse((await on.rbee(["workers", "ls", "--json"])).stdout) as ReadonlyArray<Record<string, unknown>>
    const [before] = await workers()
    await started(there, on)
    const { secret, url } = toldTo(there.home)
    const stolen = { ...before, hive: undefined, instance: "mine", url: "http://127.0.0.1:1", state: "idle" }
    const answer = await callAt(url.replace("unix:", ""), {
      method: "POST",
      path: "/heartbeats",
      bearer: secret,
      body: beat("remote", [stolen])
    })
    assert.strictEqual(answer.status, 204, answer.text)
    const after = (await workers()).find(({ id }) => id === before?.["id"])
    assert.strictEqual(after?.["hive"], "localhost")
    assert.strictEqual(after?.["instance"], before?.["instance"])
    assert.strictEqual(after?.["url"], before?.["url"])
    assert.strictEqual((await on.rbee(["infer", "--hive", "localhost", "hello"])).code, 0)
  }, 60_000)

  it.skipIf(ownAddress === undefined)(
    "is sent nothing at an address that it says is its own",
    async () => {
      const there = await remote()
      let connections = 0
      const elsewhere = createServer((socket) => {
        connections++
        socket.destroy()
      })
      await new Promise<void>((resolve) => elsewhere.listen(0, ownAddress, resolve))
      ends.push(() => void elsewhere.close())
      const at = elsewhere.address()
      const port = typeof at === "object" && at !== null ? at.port : 0
      plantHostileHive(there.home, { url: `http://${ownAddress}:${port}` })
      const on = await near(there)
      const start = await on.rbee(["hives", "start", "remote"])
      assert.strictEqual(start.code, 1, start.stdout)
      assert.include(start.stderr, "was added without --direct")
      assert.strictEqual(connections, 0)
    },
    60_000
  )

  it("is refused where it holds the cluster's own token, as hives of earlier versions did", async () => {
    const there = await remote()
    plantHostileHive(there.home)
    const on = await near(there, { RBEE_TOKEN: clusterToken })
    await started(there, on)
    // the file as it was
    writeFileSync(join(there.home, "hive-remote", "token"), `${clusterToken}\n`, { mode: 0o600 })
    const log = () => readFileSync(join(on.home, "logs", "queen.log"), "utf8")
    process.kill(on.processes().find(({ role }) => role === "queen")?.pid ?? 0, "SIGKILL")
    void on.start(["hives", "start", "remote"])
    await eventually(() => log().includes("has no secret of its own, or the cluster's token in its place"), log, 30_000)
    assert.include(log(), "rbee hives start remote")
    assert.notInclude(log(), clusterToken)
  }, 60_000)
})
