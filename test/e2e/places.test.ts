/** Places that rbee must start in, or say why it cannot: real users, folders, limits and disks. */
import { execFileSync, spawnSync } from "node:child_process"
import { appendFileSync, chmodSync, chownSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { eventually } from "../support/machine.ts"
import { testHub } from "../support/hub.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const isRoot = process.getuid?.() === 0
const brief = ["infer", "--quiet", "--max-tokens", "2", "hello"]

const open: Array<() => void> = []
afterEach(() => {
  for (const close of open.splice(0).toReversed()) close()
})

const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), "rbee-place-"))
  open.push(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** A disk of its own, of so many megabytes. */
const disk = (megabytes: number): { readonly at: string; readonly fill: () => void; readonly free: () => void } => {
  const at = folder()
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", at])
  open.push(() => void spawnSync("umount", ["-l", at]))
  const file = join(at, "fill")
  return {
    at,
    fill: () => void spawnSync("dd", ["if=/dev/zero", `of=${file}`, "bs=4k"], { stdio: "ignore" }),
    free: () => rmSync(file)
  }
}
const hasDisks = isRoot && spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0

/** Words that run a command as a user whom nobody has entered anywhere. */
const nobody = ["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups"]
const hasSetpriv = isRoot && spawnSync("setpriv", ["--version"]).status === 0

describe("rbee runs", () => {
  it.skipIf(!hasSetpriv)(
    "for a user without an entry and without HOME",
    async () => {
      const on = await machine({ prefix: [...nobody, "env", "-u", "HOME"] })
      chownSync(on.home, 4242, 4242)
      const done = await on.rbee(brief)
      assert.strictEqual(done.code, 0, done.stderr)
      await on.rbee(["down"])
    },
    60_000
  )

  it.skipIf(!hasSetpriv)(
    "for such a user with a model from the hub, where RBEE_HOME and HF_HOME say where",
    async () => {
      const hub = await testHub()
      open.push(() => void hub.close())
      const models = folder()
      chownSync(models, 4242, 4242)
      const on = await machine({
        env: { HF_ENDPOINT: hub.url, HF_HOME: models },
        prefix: [...nobody, "env", "-u", "HOME"]
      })
      chownSync(on.home, 4242, 4242)
      const done = await on.rbee(["infer", "--quiet", "--model", "HF:acme/tiny:Q8_0", "--max-tokens", "2", "hello"])
      assert.strictEqual(done.code, 0, done.stderr)
      assert.include(readdirSync(join(models, "hub")), "models--acme--tiny")
      await on.rbee(["down"])
    },
    60_000
  )

  it.skipIf(!hasSetpriv).each(["/", "/nonexistent/x", "/proc"])(
    "for a user whose HOME is %s, and says where it keeps its things",
    async (home) => {
      const temporary = folder()
      chmodSync(temporary, 0o777)
      const on = await machine({
        env: { HOME: home, TMPDIR: temporary },
        prefix: [...nobody, "env", "-u", "RBEE_HOME", "-u", "XDG_STATE_HOME", "-u", "XDG_CONFIG_HOME"]
      })
      chmodSync(on.home, 0o711)
      const done = await on.rbee(["infer", "--max-tokens", "2", "hello"])
      await on.rbee(["down"])
      assert.strictEqual(done.code, 0, done.stderr)
      assert.include(done.stderr, "RBEE_HOME")
      assert.include(done.stderr, temporary)
    },
    60_000
  )

  it("from a working folder that is gone", async () => {
    const gone = join(folder(), "gone")
    const on = await machine({ prefix: ["sh", "-c", 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"', gone] })
    const done = await on.rbee(brief)
    assert.strictEqual(done.code, 0, done.stderr)
  }, 60_000)
})

describe("A daemon that runs for months", () => {
  it("puts a log aside that became large, and begins a new one where it was deleted; `rbee logs` shows both", async () => {
    const on = await machine()
    assert.strictEqual((await on.rbee(brief)).code, 0)
    const log = join(on.home, "logs", "queen.log")
    appendFileSync(log, `${"x".repeat(99)}\n`.repeat(120_000))
    await eventually(() => statSync(log).size < 10_000_000, "it is put aside")
    assert.isAbove(statSync(`${log}.1`).size, 10_000_000)
    assert.include((await on.rbee(["logs", "queen", "-n", "5"])).stdout, "xxxx")

    // the queen writes on: what she makes anew between two looks into the folder is removed as well
    rmSync(join(on.home, "logs"), { recursive: true, maxRetries: 9 })
    await eventually(
      async () => {
        assert.strictEqual((await on.rbee(brief)).code, 0)
        return /done/.test((await on.rbee(["logs", "queen"])).stdout)
      },
      "there is a new log, and it is written to",
      30_000
    )
  }, 90_000)
})

describe("A terminal that is closed", () => {
  it("cancels the answer that nobody reads", async () => {
    const on = await machine({ env: { RBEE_WORKER_MAX_TOKENS_PER_S: "3" } })
    const running = on.start(["infer", "tell me a story"])
    await running.until(({ stdout }) => stdout().length > 0)
    running.signal("SIGHUP")
    running.signal("SIGHUP")
    assert.strictEqual((await running.finished).code, 129)
    const jobs = (await (await on.fetch(`${on.queenUrl}/jobs`)).json()) as ReadonlyArray<{ readonly state: string }>
    assert.deepEqual(
      jobs.map(({ state }) => state),
      ["cancelled"]
    )
  }, 60_000)
})

describe("What the system does not allow is named", () => {
  it.skipIf(!hasDisks)(
    "a disk that is full at the start",
    async () => {
      const { at, fill } = disk(12)
      const on = await machine({ folder: at })
      fill()
      const { code, stderr } = await on.rbee(brief)
      assert.strictEqual(code, 1)
      assert.match(stderr, /^bee-keeper: DISK_FULL: /)
      assert.notMatch(stderr, /INTERNAL|CONFLICT|another program|wrote nothing/)
    },
    60_000
  )

  it.skipIf(!hasDisks)(
    "a disk that becomes full in mid-answer",
    async () => {
      const { at, fill } = disk(600)
      const on = await machine({ folder: at, env: { RBEE_WORKER_MAX_TOKENS_PER_S: "5" } })
      const running = on.start(["infer", "--ignore-eos", "--max-tokens", "300", "tell me a story"], { limitMs: 90_000 })
      await running.until(({ stdout }) => stdout().length > 0)
      fill()
      const { code, stderr } = await running.finished
      assert.strictEqual(code, 1)
      assert.include(stderr, "DISK_FULL")
      assert.notMatch(stderr, /INTERNAL|CONFLICT|another program|wrote nothing/)
    },
    120_000
  )

  it.skipIf(!hasSetpriv)(
    "a user who may have 25 processes",
    async () => {
      const on = await machine({
        prefix: [
          "setpriv",
          "--reuid=4343",
          "--regid=4343",
          "--clear-groups",
          "sh",
          "-c",
          'ulimit -u 25; exec "$@"',
          "sh"
        ]
      })
      chownSync(on.home, 4343, 4343)
      const done = await on.rbee(brief)
      await on.rbee(["down"])
      if (done.code === 0) return
      assert.match(done.stderr, /BACKEND_UNAVAILABLE: .*processes.*ulimit -u/)
      assert.notInclude(done.stderr, "INTERNAL")
    },
    90_000
  )

  it.skipIf(!hasDisks)(
    "a cache of models that cannot be written to",
    async () => {
      const { at } = disk(50)
      execFileSync("mount", ["-o", "remount,ro", at])
      const hub = await testHub()
      open.push(() => void hub.close())
      const on = await machine({ env: { HF_ENDPOINT: hub.url, HF_HOME: join(at, "hf") } })
      const { code, stderr } = await on.rbee(["models", "pull", "HF:acme/tiny:Q8_0"])
      assert.strictEqual(code, 1)
      assert.include(stderr, `DOWNLOAD_FAILED: ${at}`)
      assert.include(stderr, "HF_HOME")
    },
    60_000
  )

  it("64 descriptors are enough", async () => {
    const on = await machine({ prefix: ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"] })
    const done = await on.rbee(brief)
    assert.strictEqual(done.code, 0, done.stderr)
    await on.rbee(["down"])
  }, 60_000)
})
