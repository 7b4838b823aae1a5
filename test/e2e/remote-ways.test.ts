/** The ways in which a machine is reached and a key is opened, as `ssh` has them, over a real sshd. */
import { execFileSync, spawn } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, assert, describe, it } from "vitest"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { hasSshd, type RemoteMachine } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()
const rbee = fileURLToPath(new URL("../../dist/rbee.js", import.meta.url))
const ends: Array<() => void> = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

const near = (there: RemoteMachine, env: Record<string, string> = {}): Promise<Machine> =>
  machine({ env: { RBEE_QUEEN_SSH_CONFIG: there.config, ...env } })
const addArgs = (there: RemoteMachine) => ["hives", "add", "remote", "--hive-port", String(there.hivePort)]

/** Locks the machine's key. */
const passphrase = "correct horse battery staple"
const lock = (there: RemoteMachine) =>
  execFileSync("ssh-keygen", ["-q", "-p", "-N", passphrase, "-P", "", "-f", there.identity])

/** An agent of its own that holds that key. */
const agentWith = async (there: RemoteMachine): Promise<string> => {
  const socket = join(there.home, "agent")
  const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "ignore"] })
  ends.push(() => void agent.kill())
  await new Promise((resolve) => agent.stdout.once("data", resolve))
  execFileSync("ssh-add", ["-q", there.identity], { env: { ...process.env, SSH_AUTH_SOCK: socket } })
  return socket
}

describe.skipIf(!hasSshd)("a machine", () => {
  it("is logged in to by the agent, where the key file is locked", async () => {
    const there = await remote()
    const socket = await agentWith(there)
    lock(there)
    const config = readFileSync(there.config, "utf8")
    writeFileSync(there.config, config.replace("IdentitiesOnly yes", "IdentitiesOnly no"))
    const on = await near(there, { SSH_AUTH_SOCK: socket })
    const add = await on.rbee(addArgs(there))
    assert.strictEqual(add.code, 0, add.stderr)
    assert.include(there.log(), "Accepted publickey for root")
  })

  it("is logged in to by a locked key whose passphrase is typed on a terminal, and shown nowhere", async () => {
    const there = await remote()
    lock(there)
    const on = await near(there)
    const command = [process.execPath, rbee, ...addArgs(there)].map((word) => `'${word}'`).join(" ")
    const shell = spawn("script", ["-qefc", command, "/dev/null"], { env: on.env, stdio: ["pipe", "pipe", "inherit"] })
    let screen = ""
    shell.stdout.setEncoding("utf8").on("data", (text: string) => (screen += text))
    const code = new Promise<number | null>((resolve) => void shell.once("close", resolve))
    await eventually(
      () => screen.includes(`passphrase of ${there.identity}: `),
      () => screen,
      20_000
    )
    shell.stdin.write(`${passphrase}\n`)
    assert.strictEqual(await code, 0, screen)
    assert.include(screen, "hive remote added")
    assert.notInclude(screen, passphrase)
    const show = await on.rbee(["hives", "show", "remote"])
    assert.strictEqual(show.code, 0, "the queen remembers it while she lives")
  })

  it.each([
    ["yes", 0],
    ["no", 1],
    ["its fingerprint", 0],
    ["SHA256:another", 1]
  ] as const)("whose host key was never seen is asked about on a terminal: %s", async (said, code) => {
    const there = await remote()
    writeFileSync(there.knownHosts, "")
    const fingerprint = execFileSync("ssh-keygen", ["-lf", `${there.hostKey}.pub`], { encoding: "utf8" }).split(" ")[1]
    const on = await near(there)
    const command = [process.execPath, rbee, ...addArgs(there)].map((word) => `'${word}'`).join(" ")
    const shell = spawn("script", ["-qefc", command, "/dev/null"], { env: on.env, stdio: ["pipe", "pipe", "inherit"] })
    let screen = ""
    shell.stdout.setEncoding("utf8").on("data", (text: string) => (screen += text))
    const ended = new Promise<number | null>((resolve) => void shell.once("close", resolve))
    await eventually(
      () => screen.includes("(yes, no, or the fingerprint)? "),
      () => screen,
      20_000
    )
    assert.include(screen, `ssh-ed25519 ${fingerprint}`)
    shell.stdin.write(`${said === "its fingerprint" ? fingerprint : said}\n`)
    assert.strictEqual(await ended, code, screen)
    assert.strictEqual(readFileSync(there.knownHosts, "utf8").includes("ssh-ed25519"), code === 0)
    if (code === 0) assert.include(screen, "hive remote added")
    // the way out is the very command
    else
      assert.include(
        screen.replaceAll(/\r?\n/g, ""),
        `rbee hives add remote --hive-port ${there.hivePort} --accept-new-host-key`
      )
  })

  it("is reached through another one (ProxyJump), each with its own key and known hosts", async () => {
    const gate = await remote()
    const there = await remote({ client: "  ProxyJump gate" })
    const config = readFileSync(there.config, "utf8")
    writeFileSync(there.config, `${config}\n${readFileSync(gate.config, "utf8").replace("Host remote", "Host gate")}\n`)
    const on = await near(there)
    const add = await on.rbee(addArgs(there))
    assert.strictEqual(add.code, 0, add.stderr)
    for (const host of [gate, there]) assert.include(host.log(), "Accepted publickey for root")
    writeFileSync(gate.knownHosts, "")
    const unknown = await on.rbee(["hives", "show", "remote"])
    assert.include(unknown.stderr, "SSH_HOST_KEY_UNKNOWN")
    assert.include(unknown.stderr, `[127.0.0.1]:${gate.port}`)
  })

  it("is found by the user's file where there is no ssh to ask", async () => {
    const there = await remote()
    const empty = join(there.home, "empty")
    mkdirSync(empty)
    const on = await near(there, { PATH: empty })
    const add = await on.rbee(addArgs(there))
    assert.strictEqual(add.code, 0, add.stderr)
    assert.match(add.stdout, /^remote: linux /)
  })

  it("that greets every login is understood, and one that runs no command says so", async () => {
    const there = await remote()
    const keys = join(there.home, "..", "authorized_keys")
    const key = readFileSync(keys, "utf8")
    writeFileSync(keys, `command="echo welcome; eval \\"$SSH_ORIGINAL_COMMAND\\"; echo goodbye" ${key}`)
    const on = await near(there)
    const add = await on.rbee(addArgs(there))
    assert.match(add.stdout, /^remote: linux /, add.stderr)
    writeFileSync(keys, `command="echo this account is closed >&2; exit 3" ${key}`)
    const closed = await on.rbee(["hives", "show", "remote"])
    assert.strictEqual(closed.code, 1)
    assert.include(closed.stderr, "SSH_FAILED")
    assert.include(closed.stderr, "(exit code 3: this account is closed)")
    assert.include(closed.stderr, "Check that this works: ssh")
  })

  it("whose clock is wrong by an hour is said to be, and answers nonetheless", async () => {
    const skew = join(fileURLToPath(new URL("../support/", import.meta.url)), "skewed-clock.cjs")
    const there = await remote({ installed: true, env: { NODE_OPTIONS: `--require=${skew}` } })
    const on = await near(there)
    const add = await on.rbee(addArgs(there))
    assert.match(add.stdout, /its clock is off by 3(600|599|601) s/, add.stderr)
    const infer = await on.rbee(["infer", "--hive", "remote", "hello"])
    assert.strictEqual(infer.code, 0, infer.stderr)
    assert.isNotEmpty(infer.stdout)
    const ls = await on.rbee(["hives", "ls"])
    assert.match(ls.stdout, /remote.*healthy/)
    const doctor = await on.rbee(["doctor"])
    assert.strictEqual(doctor.code, 1, doctor.stdout)
    assert.match(doctor.stdout, /^wrong +clock +hive remote is 3(600|599|601) s ahead of this machine$/m)
    assert.match(doctor.stdout, /^ok +version +hive remote: rbee \S+$/m)
  })
})
