/** Words of others and secrets of ours, on the way to another machine. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { connect, createServer, type AddressInfo } from "node:net"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { killUnder, type Machine, processesUnder } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { hasSshd, type RemoteMachine } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()
const ends: Array<() => void | Promise<void>> = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

const near = (there: RemoteMachine, env: Record<string, string> = {}): Promise<Machine> =>
  machine({ env: { RBEE_QUEEN_SSH_CONFIG: there.config, ...env } })

/** Each would leave the mark if a shell read it. */
const hostile = (mark: string): ReadonlyArray<string> => [
  `$(touch ${mark})`,
  `\`touch ${mark}\``,
  `;touch ${mark};`,
  `|touch ${mark}`,
  `&&touch ${mark}&&`,
  `'; touch ${mark}; '`,
  `"; touch ${mark}; "`,
  `\\'; touch ${mark}; #`,
  `a\ntouch ${mark}`,
  `$'\\n'touch\${IFS}${mark}`,
  `-oProxyCommand=touch ${mark}`,
  `%h;touch ${mark}`
]

describe.skipIf(!hasSshd)("what others wrote", () => {
  it("runs nothing on either machine, whether it is a name, a path or a setting", async () => {
    const there = await remote()
    const mark = `${there.home}/pwned`
    const on = await near(there)
    for (const word of hostile(mark).slice(0, 3)) {
      const named = await on.rbee(["hives", "add", "--", word])
      assert.strictEqual(named.code, 2, named.stderr)
      for (const flag of ["--host", "--user", "--identity", "--node"]) {
        const given = await on.rbee(["hives", "add", "remote", `${flag}=${word}`])
        assert.strictEqual(given.code, 2, given.stderr)
      }
    }
    assert.strictEqual((await on.rbee(["queen", "start"])).code, 0)
    /** past the command line: the queen looks herself */
    const add = async (id: string, ssh: Record<string, unknown>) => {
      const body = JSON.stringify({ id, ssh: { host: "remote", hive_port: there.hivePort, ...ssh } })
      const headers = { "content-type": "application/json" }
      const answer = await on.fetch(`${on.queenUrl}/hives`, { method: "POST", headers, body })
      return { status: answer.status, text: await answer.text() }
    }
    for (const word of hostile(mark)) {
      assert.strictEqual((await add(word, {})).status, 400, word)
      for (const field of ["host", "user", "identity", "node"])
        assert.strictEqual((await add("remote", { [field]: word })).status, 400, `${field} ${word}`)
      if (word.includes("\n")) continue
      // a path may hold anything that a file name may; it is one word for the shell there
      const node = await add("remote", { node: `/nowhere/${word}` })
      assert.include(node.text, "NODE_MISSING", word)
      const key = await add("other", { identity: `/nowhere/${word}`, node: "/nowhere" })
      assert.include(key.text, "NODE_MISSING", "logged in by the key of the configuration")
    }
    const hosts = hostile(mark).filter((word) => !/[\n"'\\]/.test(word))
    writeFileSync(
      there.config,
      [
        ...hosts.map((word, i) => `Host name${i}\n  HostName "${word.replaceAll("%", "%%")}"`),
        ...hosts.map((word, i) => `Host user${i}\n  User "root${word}"`),
        `Host proxied\n  ProxyCommand touch ${mark}`,
        readFileSync(there.config, "utf8").replace("Host remote", "Host user* remote")
      ].join("\n")
    )
    for (const host of [...hosts.flatMap((_, i) => [`name${i}`, `user${i}`]), "proxied"]) {
      const { status, text } = await add("remote", { host })
      assert.isAtLeast(status, 400, host)
      assert.match(text, /INVALID_REQUEST|SSH_UNREACHABLE|SSH_AUTH_FAILED/, host)
    }
    assert.isFalse(existsSync(mark))
  }, 120_000)

  it("runs nothing where the folders of a machine are called so", async () => {
    const there = await remote()
    const home = `${there.home}/$(touch pwned);\`touch pwned\`'"`
    mkdirSync(home)
    ends.push(() => killUnder(home))
    const odd = await remote({ installed: true, env: { RBEE_HOME: home } })
    mkdirSync(join(home, "install"))
    spawnSync("cp", ["-a", `${odd.home}/install/.`, join(home, "install")])
    const on = await near(odd)
    const add = await on.rbee(["hives", "add", "remote", "--hive-port", String(odd.hivePort)])
    assert.strictEqual(add.code, 0, add.stderr)
    const infer = await on.rbee(["infer", "--hive", "remote", "hello"])
    assert.strictEqual(infer.code, 0, infer.stderr)
    assert.deepEqual(
      processesUnder(home)
        .map(({ role }) => role)
        .filter((role) => role !== "other")
        .toSorted(),
      ["hive", "worker"]
    )
    assert.strictEqual((await on.rbee(["down"])).code, 0)
    for (const folder of [there.home, home, on.home, process.cwd(), "/root"])
      assert.notInclude(readdirSync(folder), "pwned", folder)
  }, 60_000)
})

/** Everything that passes between a machine and whoever connects to it through this port. */
const listenIn = async (port: number) => {
  const heard: Array<Buffer> = []
  const server = createServer((socket) => {
    const to = connect(port, "127.0.0.1")
    socket
      .on("data", (chunk) => heard.push(chunk))
      .on("error", () => to.destroy())
      .on("close", () => to.destroy())
    to.on("data", (chunk) => heard.push(chunk))
      .on("error", () => socket.destroy())
      .on("close", () => socket.destroy())
    socket.pipe(to)
    to.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  ends.push(() => void server.close())
  return { port: (server.address() as AddressInfo).port, heard: () => Buffer.concat(heard) }
}

/** What `ps` shows to anybody, looked at again and again: every command line that there was. */
const watchProcesses = () => {
  const lines = new Set<string>()
  const look = () => {
    for (const name of readdirSync("/proc").filter((one) => /^\d+$/.test(one)))
      try {
        lines.add(readFileSync(`/proc/${name}/cmdline`, "utf8"))
      } catch {
        // gone while we looked
      }
  }
  const timer = setInterval(look, 50)
  ends.push(() => clearInterval(timer))
  return () => [...lines].join("\n")
}

describe.skipIf(!hasSshd)("what is secret", () => {
  it("is in no log, no command line, no environment there, no store and not on the wire", async () => {
    const there = await remote({ installed: true })
    const wire = await listenIn(there.port)
    writeFileSync(there.config, readFileSync(there.config, "utf8").replace(`Port ${there.port}`, `Port ${wire.port}`))
    writeFileSync(there.knownHosts, readFileSync(there.knownHosts, "utf8").replace(`:${there.port}`, `:${wire.port}`))
    const processes = watchProcesses()
    const token = "a-token-of-the-cluster-0123456789"
    const hubToken = "hf_0123456789abcdefghijklmnopqrstuvwx"
    const on = await near(there, { RBEE_TOKEN: token, HF_TOKEN: hubToken })
    const add = await on.rbee(["hives", "add", "remote", "--hive-port", String(there.hivePort)])
    assert.strictEqual(add.code, 0, add.stderr)
    // nobody else's: the command lines of all this machine are looked at, and another test makes a key at the same time
    const passphrase = "a-passphrase-of-this-test-alone-0123456789"
    const unlock = await on.fetch(`${on.queenUrl}/ssh/unlock`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ file: there.identity, passphrase })
    })
    assert.strictEqual(unlock.status, 200)
    assert.strictEqual((await on.rbee(["infer", "--hive", "remote", "tell me a secret"])).code, 0)

    const environments = processesUnder(there.home)
      .map(({ pid }) => readFileSync(`/proc/${pid}/environ`, "utf8"))
      .join("\n")
    assert.include(environments, "RBEE_HIVE_ID=remote")
    assert.include(processes(), "hive.js")
    assert.isAbove(wire.heard().length, 10_000)
    // where the daemons keep it: a file that its user alone can read
    assert.strictEqual(statSync(`${there.home}/hive-remote/token`).mode & 0o777, 0o600)
    const key = readFileSync(there.identity, "utf8").split("\n")[1] ?? "none"
    for (const secret of [key, passphrase, token, hubToken]) {
      for (const folder of [on.home, `${there.home}/hive-remote`, `${there.home}/logs`]) {
        const grep = ["-rlaF", "--exclude=token", "--exclude=*.sock", "--", secret, folder]
        assert.strictEqual(spawnSync("grep", grep, { encoding: "utf8" }).stdout, "")
      }
      assert.notInclude(there.log(), secret)
      assert.notInclude(processes(), secret)
      assert.notInclude(environments, secret)
      assert.isFalse(wire.heard().includes(secret))
    }
    assert.isFalse(wire.heard().includes("tell me a secret"))
  }, 60_000)
})
