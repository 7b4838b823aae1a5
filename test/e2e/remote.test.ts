/** Hives on other machines, over a real sshd of OpenSSH on loopback. */
import { execFileSync } from "node:child_process"
import { appendFileSync, chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { hostname } from "node:os"
import { assert, describe, it } from "vitest"
import { eventually, type Machine, processesUnder } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { patience } from "../support/patience.ts"
import { hasSshd, type RemoteMachine } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()

/** A queen's machine that knows how `remote` is reached. */
const near = (there: RemoteMachine, env: Record<string, string> = {}): Promise<Machine> =>
  machine({ env: { RBEE_QUEEN_SSH_CONFIG: there.config, ...env } })

const added = async (there: RemoteMachine, env: Record<string, string> = {}): Promise<Machine> => {
  const on = await near(there, env)
  const add = await on.rbee(["hives", "add", "remote", "--hive-port", String(there.hivePort)])
  assert.strictEqual(add.code, 0, add.stderr)
  return on
}

const roles = (home: string) =>
  processesUnder(home)
    .map(({ role }) => role)
    .filter((role) => role !== "other")
    .toSorted()

const pidOf = (there: RemoteMachine, role: string): number =>
  processesUnder(there.home).find((one) => one.role === role)?.pid ?? 0

describe.skipIf(!hasSshd)("a hive on another machine", () => {
  it("is added, started by an infer, answers through the tunnel, and ends with the cascade", async () => {
    const there = await remote({ installed: true })
    const on = await added(there)
    const infer = await on.rbee(["infer", "--hive", "remote", "hello"])
    assert.strictEqual(infer.code, 0, infer.stderr)
    assert.isNotEmpty(infer.stdout)
    assert.include(infer.stderr, `queen: waking the beehive at remote:${there.hivePort}`)
    assert.include(infer.stderr, "queen: first heartbeat from hive remote; checking capabilities…")
    assert.deepEqual(roles(there.home), ["hive", "worker"])
    assert.deepEqual(roles(on.home), ["queen"])
    const down = await on.rbee(["down"])
    assert.strictEqual(down.code, 0, down.stderr)
    assert.deepEqual(roles(there.home), [])
    assert.deepEqual(roles(on.home), [])
  })

  it("lives on when its queen stops, and is taken back by the next one", async () => {
    const there = await remote({ installed: true })
    const on = await added(there)
    assert.strictEqual((await on.rbee(["infer", "--hive", "remote", "hello"])).code, 0)
    const before = pidOf(there, "hive")
    const queen = on.processes().find(({ role }) => role === "queen")
    process.kill(queen?.pid ?? 0, "SIGKILL")
    const again = await on.rbee(["infer", "--hive", "remote", "hello"])
    assert.strictEqual(again.code, 0, again.stderr)
    assert.strictEqual(pidOf(there, "hive"), before)
    assert.notInclude(again.stderr, "waking the beehive")
    assert.strictEqual((await on.rbee(["hives", "stop", "remote"])).code, 0)
    assert.deepEqual(roles(there.home), [])
  })

  it("that does not answer is killed over SSH, by pid and start time, and woken again", async () => {
    const there = await remote({ installed: true })
    const on = await added(there, { RBEE_HIVE_LOST_MS: "4000", RBEE_HIVE_LATE_MS: "2000" })
    assert.strictEqual((await on.rbee(["infer", "--hive", "remote", "hello"])).code, 0)
    const before = pidOf(there, "hive")
    process.kill(before, "SIGSTOP")
    await eventually(
      () => pidOf(there, "hive") !== before && pidOf(there, "hive") !== 0,
      "another hive process",
      40_000
    )
    const again = await on.rbee(["infer", "--hive", "remote", "hello"])
    assert.strictEqual(again.code, 0, again.stderr)
  }, 90_000)

  it("that is stopped out of reach has its answer go on elsewhere, and doubles nothing when it continues", async () => {
    const env = {
      RBEE_WORKER_MAX_TOKENS_PER_S: "15",
      RBEE_HIVE_LATE_MS: String(Math.round(patience(2000))),
      RBEE_HIVE_LOST_MS: String(Math.round(patience(4000)))
    }
    const there = await remote({ installed: true, env })
    const on = await added(there, env)
    const asked = ["--temperature", "0", "--ignore-eos", "--max-tokens", "90", "tell me a story"]
    assert.strictEqual((await on.rbee(["hives", "start", "remote"])).code, 0)
    const run = on.start(["infer", ...asked])
    await run.until(() => run.stdout().length > 20)
    assert.strictEqual((await on.rbee(["hives", "start"])).code, 0)
    const stopped = pidOf(there, "hive")
    process.kill(stopped, "SIGSTOP")
    // she can neither hear it nor end it
    await there.cut()
    const { code, stderr, stdout } = await run.finished
    assert.strictEqual(code, 0, stderr)
    await there.start()
    process.kill(stopped, "SIGCONT")
    const workers = async () =>
      (
        (await (await on.fetch(`${on.queenUrl}/workers`)).json()) as ReadonlyArray<{ hive: string; busy: number }>
      ).filter(({ hive }) => hive === "remote")
    const again = await on.rbee(["infer", "--hive", "remote", ...asked])
    assert.strictEqual(again.code, 0, again.stderr)
    assert.strictEqual(again.stdout, stdout)
    assert.deepEqual(roles(there.home), ["hive", "worker"])
    await eventually(async () => {
      const all = await workers()
      return all.length === 1 && all[0]?.busy === 0
    }, "its one worker is idle")
    const jobs = (await (await on.fetch(`${on.queenUrl}/jobs`)).json()) as ReadonlyArray<Record<string, unknown>>
    assert.deepEqual(
      jobs.map(({ failovers, state, tokens }) => ({ failovers, state, tokens })),
      [
        { failovers: 0, state: "done", tokens: 90 },
        { failovers: 1, state: "done", tokens: 90 }
      ]
    )
  }, 90_000)

  it("belongs to one queen: another is refused with the owner's name, and takes it over only when told to", async () => {
    const there = await remote({ installed: true })
    const first = await added(there)
    assert.strictEqual((await first.rbee(["hives", "start", "remote"])).code, 0)
    const before = pidOf(there, "hive")
    const second = await added(there)
    const refused = await second.rbee(["hives", "start", "remote"])
    assert.strictEqual(refused.code, 1)
    assert.include(refused.stderr, "HIVE_OWNED")
    assert.include(refused.stderr, hostname())
    const taken = await second.rbee(["hives", "start", "remote", "--take-over"])
    assert.strictEqual(taken.code, 0, taken.stderr)
    assert.strictEqual(pidOf(there, "hive"), before)
    const theirs = await second.rbee(["infer", "--hive", "remote", "hello"])
    assert.strictEqual(theirs.code, 0, theirs.stderr)
    const lost = await first.rbee(["infer", "--hive", "remote", "hello"])
    assert.strictEqual(lost.code, 1)
    assert.include(lost.stderr, "HIVE_OWNED")
  }, 120_000)
})

describe.skipIf(!hasSshd)("a machine that is added", () => {
  const add = async (there: RemoteMachine, ...flags: ReadonlyArray<string>) => {
    const on = await near(there)
    const done = await on.rbee(["hives", "add", "remote", "--hive-port", String(there.hivePort), ...flags])
    return { on, ...done }
  }

  it("is refused while its host key is not known, with the fingerprint, and taken with the flag", async () => {
    const there = await remote()
    writeFileSync(there.knownHosts, "")
    const { code, on, stderr } = await add(there)
    assert.strictEqual(code, 1)
    const fingerprint =
      execFileSync("ssh-keygen", ["-lf", `${there.hostKey}.pub`], { encoding: "utf8" }).split(" ")[1] ?? "none"
    assert.include(stderr, "SSH_HOST_KEY_UNKNOWN")
    assert.include(stderr, fingerprint)
    assert.include(stderr, "--accept-new-host-key")
    assert.strictEqual(readFileSync(there.knownHosts, "utf8"), "")
    const args = ["hives", "add", "remote", "--hive-port", String(there.hivePort)]
    assert.include(stderr, `rbee ${args.join(" ")} --accept-new-host-key`)
    const other = await on.rbee([...args, "--host-key", "SHA256:another"])
    assert.strictEqual(other.code, 1)
    assert.strictEqual(readFileSync(there.knownHosts, "utf8"), "")
    const again = await on.rbee([...args, "--accept-new-host-key"])
    assert.strictEqual(again.code, 0, again.stderr)
    assert.include(readFileSync(there.knownHosts, "utf8"), `[127.0.0.1]:${there.port} ssh-ed25519 `)
  })

  it("is refused when its host key has changed, also with the flag", async () => {
    const there = await remote()
    const other = readFileSync(`${there.identity}.pub`, "utf8").split(" ")[1]
    writeFileSync(there.knownHosts, `[127.0.0.1]:${there.port} ssh-ed25519 ${other}\n`)
    const { code, stderr } = await add(there, "--accept-new-host-key")
    assert.strictEqual(code, 1)
    assert.include(stderr, "SSH_HOST_KEY_CHANGED")
    assert.include(stderr, `ssh-keygen -f '${there.knownHosts}' -R '[127.0.0.1]:${there.port}'`)
    assert.notInclude(there.log(), "Accepted publickey")
  })

  it("is refused when the known hosts cannot be read", async () => {
    const there = await remote()
    rmSync(there.knownHosts)
    // a folder in its place cannot be read by anybody, root included
    execFileSync("mkdir", [there.knownHosts])
    const { code, stderr } = await add(there, "--accept-new-host-key")
    assert.strictEqual(code, 1)
    assert.include(stderr, "cannot be read")
  })

  it("says that none of the keys is accepted, and refuses a key that others can read", async () => {
    const there = await remote()
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", `${there.home}/other`])
    const on = await near(there)
    const args = ["hives", "add", "remote", "--identity", `${there.home}/other`]
    appendFileSync(there.config, "\n")
    writeFileSync(there.config, readFileSync(there.config, "utf8").replace(/ {2}IdentityFile .*\n/, ""))
    const wrong = await on.rbee(args)
    assert.strictEqual(wrong.code, 1)
    assert.include(wrong.stderr, "SSH_AUTH_FAILED")
    chmodSync(`${there.home}/other`, 0o644)
    const wide = await on.rbee(args)
    assert.strictEqual(wide.code, 1)
    assert.include(wide.stderr, "can be read by others (mode 0644)")
  })

  it("says that a key needs its passphrase, and how to give it, where nobody can be asked", async () => {
    const there = await remote()
    execFileSync("ssh-keygen", ["-q", "-p", "-N", "secret words", "-P", "", "-f", there.identity])
    const { code, stderr } = await add(there)
    assert.strictEqual(code, 1)
    assert.include(stderr, "SSH_AUTH_FAILED")
    assert.include(stderr, `ssh-add '${there.identity}'`)
  })

  it("is tried three times where it cannot be reached", async () => {
    const there = await remote()
    await there.stop()
    let tries = 0
    const closed = createServer((socket) => {
      tries++
      socket.destroy()
    })
    await new Promise<void>((resolve) => closed.listen(there.port, "127.0.0.1", resolve))
    const { code, stderr } = await add(there)
    closed.close()
    assert.strictEqual(code, 1)
    assert.include(stderr, "SSH_UNREACHABLE")
    assert.strictEqual(tries, 3)
  })

  it("says that there is no Node, and where a named one is not", async () => {
    const there = await remote()
    const { code, stderr } = await add(there, "--node", "/nowhere/$(touch pwned)/it's/node")
    assert.strictEqual(code, 1)
    assert.include(stderr, "NODE_MISSING")
    assert.include(stderr, "--node")
  })

  it("says that rbee is not installed there, or is of another version, when a hive is to start", async () => {
    const there = await remote()
    const { code, on } = await add(there)
    assert.strictEqual(code, 0)
    const missing = await on.rbee(["hives", "start", "remote"])
    assert.strictEqual(missing.code, 1)
    assert.include(missing.stderr, "NOT_INSTALLED")
    assert.include(missing.stderr, "rbee hives install remote")
    const folder = `${there.home}/install/current/node_modules/rbee`
    execFileSync("mkdir", ["-p", folder])
    writeFileSync(`${folder}/package.json`, JSON.stringify({ name: "rbee", version: "0.0.9" }))
    const other = await on.rbee(["hives", "start", "remote"])
    assert.strictEqual(other.code, 1)
    assert.include(other.stderr, "VERSION_MISMATCH")
    assert.include(other.stderr, "hive remote has rbee 0.0.9, this is rbee ")
    assert.include(other.stderr, "rbee hives upgrade remote")
    const doctor = await on.rbee(["doctor"])
    assert.strictEqual(doctor.code, 1, doctor.stdout)
    assert.match(doctor.stdout, /^wrong +version +hive remote has rbee 0\.0\.9, .*\n +→ rbee hives upgrade remote$/m)
    // what the queen knows is read while she sleeps, too
    assert.strictEqual((await on.rbee(["queen", "stop"])).code, 0)
    writeFileSync(there.knownHosts, "")
    const asleep = await on.rbee(["doctor"])
    assert.match(asleep.stdout, /^wrong +ssh +the host key of \[127\.0\.0\.1\]:\d+ \(hive remote\) is not known$/m)
    assert.deepEqual([...on.processes(), ...processesUnder(there.home)], [])
  })
})
