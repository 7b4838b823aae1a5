/** An installation on another machine that does not come to its end: what was there before is in use, and nothing else. */
import { execFileSync } from "node:child_process"
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { eventually, type Machine, processesUnder, type Running } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { hasSshd, type RemoteMachine } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()
const root = fileURLToPath(new URL("../../", import.meta.url))

/**
 * An npm that can be held and made to fail at a step: what it puts there is a link to this checkout. The real one is
 * run by remote-install.test.ts.
 */
const npm = (home: string) => `
const fs = require("node:fs"), path = require("node:path")
const [step, ...args] = process.argv.slice(2)
const prefix = args[args.indexOf("--prefix") + 1]
const told = (name) => fs.existsSync(path.join(${JSON.stringify(home)}, "npm-" + name + "-" + step))
if (told("hold")) fs.writeFileSync(path.join(${JSON.stringify(home)}, "npm-held"), String(process.pid))
while (told("hold")) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
if (told("fail")) {
  process.stderr.write("npm error code E404\\n")
  process.exit(1)
}
if (told("fill")) {
  const file = fs.openSync(path.join(prefix, "big"), "w")
  for (const block = Buffer.alloc(1 << 22); ; ) fs.writeSync(file, block)
}
if (step === "install") {
  fs.mkdirSync(path.join(prefix, "node_modules"))
  fs.symlinkSync(${JSON.stringify(root)}, path.join(prefix, "node_modules", "rbee"))
  if (told("broken")) {
    fs.rmSync(path.join(prefix, "node_modules", "rbee"))
    fs.mkdirSync(path.join(prefix, "node_modules", "rbee", "dist"), { recursive: true })
    fs.writeFileSync(path.join(prefix, "node_modules", "rbee", "dist", "hive.js"), "process.exit(3)")
  }
}
`

/** A Node of its own beside that npm. */
const nodeWith = (home: string): string => {
  const node = join(home, "node", "bin", "node")
  const cli = join(home, "node", "lib", "node_modules", "npm", "bin", "npm-cli.js")
  mkdirSync(join(node, ".."), { recursive: true })
  mkdirSync(join(cli, ".."), { recursive: true })
  try {
    linkSync(process.execPath, node)
  } catch {
    copyFileSync(process.execPath, node) // on another file system
  }
  writeFileSync(cli, npm(home))
  return node
}

let there: RemoteMachine
let on: Machine
const tell = (what: string) => writeFileSync(join(there.home, `npm-${what}`), "")
const untell = (what: string) => rmSync(join(there.home, `npm-${what}`), { force: true })
const install = () => join(there.home, "install")
const current = () => readlinkSync(join(install(), "current"))
const namesIn = (folder: string) => (existsSync(folder) ? readdirSync(folder) : [])
const unfinished = () => namesIn(join(install(), "versions")).filter((name) => name.startsWith("."))
/** programs of an installation that still run there, sessions of sshd apart */
const busy = () => processesUnder(there.home).filter(isInstalling)
const isInstalling = ({ command }: { readonly command: string }) => / -$|npm-cli|\.installing/.test(command)

/** Starts an upgrade and has it wait in that step of npm. */
const heldIn = async (step: string): Promise<Running> => {
  tell(`hold-${step}`)
  untell("held")
  const run = on.start(["hives", "upgrade", "remote"])
  await Promise.race([
    eventually(() => existsSync(join(there.home, "npm-held")), "npm is held", 30_000),
    run.finished.then(({ stderr }) => assert.fail(stderr))
  ])
  return run
}

/** It is let go on, and has come to nothing. */
const assertNothingChanged = async (before: string, step: string) => {
  untell(`hold-${step}`)
  await eventually(
    () => busy().length === 0,
    () => JSON.stringify(busy())
  )
  assert.strictEqual(current(), before)
  assert.deepEqual(unfinished(), [])
  assert.deepEqual(namesIn(join(install(), "incoming")), [])
}

const killQueen = () => process.kill(on.processes().find(({ role }) => role === "queen")?.pid ?? 0, "SIGKILL")

beforeEach(async () => {
  there = await remote({ installed: true })
  on = await machine({ env: { RBEE_QUEEN_SSH_CONFIG: there.config } })
  const args = ["hives", "add", "remote", "--hive-port", String(there.hivePort), "--node", nodeWith(there.home)]
  const add = await on.rbee(args)
  assert.strictEqual(add.code, 0, add.stderr)
})

describe.skipIf(!hasSshd)("an installation on another machine", () => {
  it("that is interrupted leaves the version in use, whoever of those that wait for it dies", async () => {
    const before = current()
    const byHand = await heldIn("rebuild")
    byHand.signal("SIGINT")
    assert.strictEqual((await byHand.finished).code, 130)
    await assertNothingChanged(before, "rebuild")

    const queen = await heldIn("install")
    killQueen()
    assert.strictEqual((await queen.finished).code, 1)
    await assertNothingChanged(before, "install")

    const shut = await heldIn("rebuild")
    assert.strictEqual((await on.rbee(["down"])).code, 0)
    const { code, stderr } = await shut.finished
    assert.strictEqual(code, 1)
    const said = stderr.split("\n").filter((line) => /^bee-keeper: [A-Z_]+: /.test(line))
    assert.lengthOf(said, 1, stderr)
    assert.include(said[0], "the queen ended before the installation did, and what was in use there stays")
    await assertNothingChanged(before, "rebuild")

    const link = await heldIn("rebuild")
    // the sessions' processes; the daemon itself listens on
    execFileSync("pkill", ["-KILL", "-P", String(there.pid())])
    const cut = await link.finished
    assert.strictEqual(cut.code, 1)
    assert.include(cut.stderr, "SSH_UNREACHABLE")
    await assertNothingChanged(before, "rebuild")

    const infer = await on.rbee(["infer", "--hive", "remote", "hello"])
    assert.strictEqual(infer.code, 0, infer.stderr)
  }, 180_000)

  it("that fails says why, leaves the version in use, and the next one cleans up what was killed", async () => {
    const before = current()
    tell("fail-install")
    const failed = await on.rbee(["hives", "upgrade", "remote"])
    assert.strictEqual(failed.code, 1)
    assert.include(failed.stderr, "DOWNLOAD_FAILED")
    assert.include(failed.stderr, "code E404")
    await assertNothingChanged(before, "install")
    untell("fail-install")

    tell("broken-install")
    const broken = await on.rbee(["hives", "upgrade", "remote"])
    assert.strictEqual(broken.code, 1)
    assert.include(broken.stderr, "ended while it was starting")
    await assertNothingChanged(before, "install")
    untell("broken-install")

    const killed = await heldIn("install")
    const program = busy().find(({ command }) => command.endsWith(" -"))
    process.kill(program?.pid ?? 0, "SIGKILL")
    assert.strictEqual((await killed.finished).code, 1)
    assert.strictEqual(current(), before)
    assert.lengthOf(unfinished(), 1)
    untell("hold-install")
    await eventually(
      () => busy().length === 0,
      () => JSON.stringify(busy())
    )

    const upgraded = await on.rbee(["hives", "upgrade", "remote"])
    assert.strictEqual(upgraded.code, 0, upgraded.stderr)
    assert.notStrictEqual(current(), before)
    assert.isTrue(existsSync(before), "what was in use is there still")
    await assertNothingChanged(current(), "install")
    const again = await on.rbee(["hives", "upgrade", "remote"])
    assert.include(again.stdout, "was installed already")
    const infer = await on.rbee(["infer", "--hive", "remote", "hello"])
    assert.strictEqual(infer.code, 0, infer.stderr)
  }, 180_000)
})

/** A disk of its own, of so many megabytes; containers often may not mount. */
const disks: Array<string> = []
afterEach(() => {
  for (const at of disks.splice(0)) execFileSync("umount", ["-l", at])
})
const mountDisk = (at: string, megabytes: number): void => {
  mkdirSync(at, { recursive: true })
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", at], { stdio: "pipe" })
  disks.push(at)
}
const canMount = ((): boolean => {
  try {
    execFileSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "pipe" })
    return true
  } catch {
    return false
  }
})()

describe.skipIf(!hasSshd || !canMount)("a full disk on another machine", () => {
  it("is told before anything is copied there, or when it becomes full in the middle, and nothing is left", async () => {
    const versions = join(install(), "versions")
    rmSync(install(), { recursive: true })
    mountDisk(install(), 300)
    const refused = await on.rbee(["hives", "install", "remote"])
    assert.strictEqual(refused.code, 1)
    assert.include(refused.stderr, "DISK_FULL")
    assert.match(refused.stderr, /has \d+ MB of disk left, and rbee needs 600 MB/)
    assert.deepEqual(readdirSync(install()), [])

    execFileSync("mount", ["-o", "remount,size=700m", install()])
    tell("fill-install")
    const filled = await on.rbee(["hives", "install", "remote"])
    assert.strictEqual(filled.code, 1)
    assert.include(filled.stderr, "DISK_FULL")
    assert.include(filled.stderr, "during npm install")
    assert.deepEqual(readdirSync(versions), [])
    assert.isFalse(existsSync(join(install(), "current")))
    const hive = await on.rbee(["hives", "start", "remote"])
    assert.include(hive.stderr, "NOT_INSTALLED")
  }, 120_000)
})
