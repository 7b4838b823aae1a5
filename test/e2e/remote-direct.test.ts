/** A hive on another machine that is reached over the network, with a token of its own: hosts in network namespaces. */
import { spawnSync } from "node:child_process"
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { eventually, type Machine, processesUnder } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { hasNamespaces, makeNamespace, type Namespace } from "../support/namespace.ts"
import { hasSshd, type RemoteMachine } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()
const ends: Array<() => void> = []
afterEach(() => {
  for (const end of ends.splice(0).toReversed()) end()
})

interface Pair {
  readonly link: Namespace
  readonly there: RemoteMachine
  readonly on: Machine
}

const pair = async (): Promise<Pair> => {
  const link = makeNamespace()
  ends.push(link.remove)
  const there = await remote({
    installed: true,
    within: { prefix: link.prefix, address: link.address, port: 2222 }
  })
  const on = await machine({ env: { RBEE_QUEEN_SSH_CONFIG: there.config } })
  const add = await on.rbee(["hives", "add", "remote", "--direct"])
  assert.strictEqual(add.code, 0, add.stderr)
  return { link, there, on }
}

const infer = async (on: Machine) => {
  const { code, stderr, stdout } = await on.rbee(["infer", "--hive", "remote", "hello"])
  assert.strictEqual(code, 0, stderr)
  assert.isNotEmpty(stdout)
}
const view = async (on: Machine): Promise<{ readonly url: string; readonly state: string }> =>
  JSON.parse((await on.rbee(["hives", "show", "remote", "--json"])).stdout)
const status = async (url: string, token?: string): Promise<number> => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return (await fetch(url, { headers })).status
}
const hivePid = (there: RemoteMachine) => processesUnder(there.home).find(({ role }) => role === "hive")?.pid
/** Logins of which the connection is still there. */
const sshSessions = (there: RemoteMachine) => {
  const count = (what: string) => there.log().split(what).length - 1
  return count("Accepted publickey for") - count("Disconnected from user")
}

describe.skipIf(!hasSshd || !hasNamespaces)("a remote hive that was added with --direct", () => {
  it("answers over the network to whoever has its token, with nothing of SSH left; the next queen learns the token", async () => {
    const { link, on, there } = await pair()
    await infer(on)
    assert.strictEqual((await view(on)).url, `http+direct://remote@${link.address}:8600`)
    const token = readFileSync(`${there.home}/hive-remote/token`, "utf8").trim()
    assert.match(token, /^[0-9a-f]{64}$/)
    assert.strictEqual(statSync(`${there.home}/hive-remote/token`).mode & 0o777, 0o600)
    const { stdout } = await on.rbee(["workers", "ls", "--json"])
    const port = /"port":(\d+)/.exec(stdout)?.[1] ?? "none"
    const hive = `http://${link.address}:8600`
    const worker = `http://${link.address}:${port}`
    const queen = `http://${link.near}:${on.ports.queen}`
    for (const daemon of [hive, worker, queen]) assert.strictEqual(await status(`${daemon}/health`), 200, daemon)
    for (const call of [`${hive}/devices`, `${hive}/models`, `${worker}/ready`, `${queen}/jobs`, `${queen}/hub/x`]) {
      assert.strictEqual(await status(call), 401, call)
      assert.strictEqual(await status(call, token.replace(/^./, "x")), 401, call)
    }
    assert.strictEqual(await status(`${hive}/devices`, token), 200)
    // to a hive she is a queen to report to, no more
    assert.strictEqual(await status(`${queen}/jobs`, token), 401)
    await eventually(() => sshSessions(there) === 0, there.log, 15_000)

    for (const folder of [on.home, there.home]) {
      const found = spawnSync("grep", ["-rlF", "--exclude=token", "--exclude=*.sock", "--", token, folder])
      assert.strictEqual(found.stdout.toString(), "")
    }
    for (const { pid } of [...processesUnder(there.home), ...on.processes()])
      for (const what of ["cmdline", "environ"]) assert.notInclude(readFileSync(`/proc/${pid}/${what}`, "utf8"), token)

    const before = hivePid(there)
    process.kill(on.processes().find(({ role }) => role === "queen")?.pid ?? 0, "SIGKILL")
    await infer(on)
    assert.strictEqual(hivePid(there), before)
    const down = await on.rbee(["down"])
    assert.strictEqual(down.code, 0, down.stderr)
    assert.isUndefined(hivePid(there))
  }, 60_000)

  it("is shown another token at each start, and the one before is worth nothing", async () => {
    const { link, on, there } = await pair()
    const devices = `http://${link.address}:8600/devices`
    const startedWith = async () => {
      const start = await on.rbee(["hives", "start", "remote"])
      assert.strictEqual(start.code, 0, start.stderr)
      return readFileSync(`${there.home}/hive-remote/token`, "utf8").trim()
    }
    const first = await startedWith()
    assert.strictEqual((await on.rbee(["hives", "stop", "remote"])).code, 0)
    const second = await startedWith()
    assert.notStrictEqual(second, first)
    assert.deepEqual([await status(devices, first), await status(devices, second)], [401, 200])
  }, 60_000)

  it("reports through a tunnel where it cannot reach the queen", async () => {
    const { link, on, there } = await pair()
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(on.ports.queen, link.near, resolve))
    ends.push(() => void other.close())
    const start = await on.rbee(["hives", "start", "remote"])
    assert.strictEqual(start.code, 0, start.stderr)
    const hive = await view(on)
    assert.strictEqual(hive.url, `http+direct://remote@${link.address}:8600`)
    assert.strictEqual(hive.state, "healthy")
    assert.isDefined(hivePid(there))
  }, 60_000)

  it("is not started where its machine has another address for itself than the one that ssh reaches", async () => {
    const { link, on, there } = await pair()
    // as behind a router that forwards the port of sshd alone
    const node = join(there.home, "node")
    writeFileSync(node, `#!/bin/sh\nSSH_CONNECTION="10.255.255.1 1 10.255.255.2 22" exec ${process.execPath} "$@"\n`)
    chmodSync(node, 0o755)
    assert.strictEqual((await on.rbee(["hives", "rm", "remote"])).code, 0)
    assert.strictEqual((await on.rbee(["hives", "add", "remote", "--direct", "--node", node])).code, 0)
    const [ip = "ip", ...words] = [...link.prefix, "ip", "addr", "add", "10.255.255.2/32", "dev", "lo"]
    assert.strictEqual(spawnSync(ip, words).status, 0)
    const start = await on.rbee(["hives", "start", "remote"])
    assert.strictEqual(start.code, 1, start.stdout)
    assert.include(start.stderr, `ssh reaches hive remote at ${link.address}, which its machine does not know`)
    assert.include(start.stderr, "without --direct")
    assert.isUndefined(hivePid(there))
  }, 60_000)
})
