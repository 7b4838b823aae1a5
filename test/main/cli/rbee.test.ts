/** The command itself, through the real bundle: parsing, exit codes, what goes to which stream. */
import { randomBytes } from "node:crypto"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { eventually } from "../../support/machine.ts"
import { useMachines } from "../../support/machines.ts"
import { patience } from "../../support/patience.ts"

const machine = useMachines()

describe("rbee", () => {
  it("prints its version alone, and help on stdout", async () => {
    const on = await machine()
    expect(await on.rbee(["--version"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    for (const short of ["-v", "version"])
      expect(await on.rbee([short])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    const help = await on.rbee(["--help"])
    expect(help).toMatchObject({ code: 0, stderr: "" })
    expect(help.stdout.indexOf("EXAMPLES")).toBeLessThan(help.stdout.indexOf("COMMANDS"))
    expect((await on.rbee(["infer", "--help"], { env: { FORCE_COLOR: "1" } })).stdout).not.toContain("\u001b")
  })

  it("exits 2 on wrong usage, says what was meant on stderr, and prints nothing on stdout", async () => {
    const on = await machine()
    const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
      [["infer"], "PROMPT is missing"],
      [["infer", "hi", "--modle", "x"], "Did you mean '--model'?"],
      [["infer", "hi", "--temperature", "warm"], "takes a number from 0 to 2, not 'warm'"],
      [["infer", "hi", "--seed", "NaN"], "takes a whole number"],
      [["infer", "hi", "--temperature", "5"], "a number from 0 to 2, not '5'"],
      [["infer", "hi", "--max-tokens", "-1"], "a whole number from 0 to 1048576, not '-1'"],
      [["infer", "hi", "--top-k", "2.5"], "a whole number from 0"],
      [["plan", "--context", "3"], "a whole number from 16 to 16777216"],
      [["hives", "add", "x", "--port", "70000"], "a whole number from 1 to 65535"],
      [["logs", "-n", "-1"], "a whole number from 0, not '-1'"],
      [["infer", " "], "the prompt is empty"],
      [["infer", "-"], "the prompt is empty"],
      [["infer", "hi", "--cold", "--keep-warm"], "exclude each other"],
      [["infer", "hi", "--queen-port", "70000"], "a port, 1 to 65535"],
      [["hive", "ls"], "unknown command 'hive'"],
      [["jobs"], "rbee jobs show"],
      [["logs", "bees"], "queen, hive, worker"],
      [["completions", "tcsh"], "bash, zsh, fish"]
    ]
    for (const [args, said] of wrong) {
      const run = await on.rbee(args)
      expect(run, args.join(" ")).toMatchObject({ code: 2, stdout: "" })
      expect(run.stderr).toContain(said)
    }
    expect(on.processes()).toEqual([])
  })

  it("simulates a seed without any daemon, and writes what the inspector shows", async () => {
    const on = await machine()
    const file = join(on.home, "seed-4.jsonl")
    const run = await on.rbee(["simulate", "--seed", "4", "--trace", file])
    expect(run).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining(`rbee inspect ${file}`) })
    expect(readFileSync(file, "utf8").split("\n", 1)[0]).toContain('"source":"simulation"')
    expect(await on.rbee(["simulate"])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("--seed")
    })
    expect(on.processes()).toEqual([])
  })

  it("says within 2 s and with exit code 3 that the queen is not running, as JSON too", async () => {
    const on = await machine()
    for (const args of [
      ["status"],
      ["queen", "status"],
      ["hives", "status"],
      ["jobs", "ls"],
      ["jobs", "show", "x"],
      ["workers", "stop", "x"],
      ["jobs", "cancel", "x"],
      ["hives", "show", "x"],
      ["hives", "rm", "x"],
      ["ps"],
      ["stop", "minillama"]
    ]) {
      const begin = Date.now()
      const run = await on.rbee(args)
      expect(run.code, args.join(" ")).toBe(3)
      expect(run.stdout + run.stderr).toContain("queen is not running")
      expect(Date.now() - begin).toBeLessThan(patience(2000))
    }
    expect(on.processes()).toEqual([])
    for (const args of [["status"], ["queen", "status"], ["models", "ls"]]) {
      const run = await on.rbee([...args, "--json"])
      expect(run.code).toBe(3)
      const parsed: unknown = JSON.parse(run.stdout)
      expect(JSON.stringify(parsed)).toContain('"running":false')
    }
  })

  it("stops what is stopped with exit code 0, and says so", async () => {
    const on = await machine()
    for (const args of [["queen", "stop"], ["queen", "stop", "--cascade"], ["down"], ["hives", "stop"]]) {
      const run = await on.rbee(args)
      expect(run.code, args.join(" ")).toBe(0)
      expect(run.stdout).toContain("not running")
    }
  })

  it("names the stranger on the queen's port, also for status, and is not fooled by a 200", async () => {
    const on = await machine()
    const stranger = createServer((_, answer) => answer.writeHead(200).end('{"status":"healthy","role":"hive"}'))
    await new Promise<void>((resolve) => stranger.listen(on.ports.queen, "127.0.0.1", resolve))
    try {
      for (const args of [["status"], ["infer", "hello"], ["queen", "start"], ["down"]]) {
        const run = await on.rbee(args)
        expect(run.code, args.join(" ")).toBe(1)
        expect(run.stderr).toContain("CONFLICT")
        expect(run.stderr).toContain(`port ${on.ports.queen}`)
        expect(run.stderr).toContain(`pid ${process.pid}`)
      }
    } finally {
      await new Promise((resolve) => stranger.close(resolve))
    }
  })

  it("does not speak to a queen of another version, names both and the way out", async () => {
    const on = await machine()
    const health = {
      status: "healthy",
      role: "queen",
      version: "9.9.9",
      id: "q",
      instance: "i",
      pid: process.pid,
      uptime_s: 1
    }
    const other = createServer((_, answer) => answer.writeHead(200).end(JSON.stringify(health)))
    await new Promise<void>((resolve) => other.listen(on.ports.queen, "127.0.0.1", resolve))
    try {
      const run = await on.rbee(["infer", "hello"])
      expect(run.code).toBe(1)
      expect(run.stderr).toMatch(/VERSION_MISMATCH: the queen on port \d+ is rbee 9\.9\.9, this is rbee \d.*rbee down/)
    } finally {
      await new Promise((resolve) => other.close(resolve))
    }
  })

  it("waits some seconds for a listener that says nothing, then names it", async () => {
    const on = await machine()
    const mute = createServer(() => {})
    await new Promise<void>((resolve) => mute.listen(on.ports.queen, "127.0.0.1", resolve))
    try {
      const run = await on.rbee(["status"])
      expect(run.code).toBe(1)
      expect(run.stderr).toMatch(/CONNECTION_TIMEOUT: pid \d+ \(.*\) listens on port \d+, .* did not answer \/health/)
    } finally {
      mute.closeAllConnections()
      await new Promise((resolve) => mute.close(resolve))
    }
  })

  it("takes the port from flag before environment before file", async () => {
    const on = await machine()
    const servers = await Promise.all(
      ["flag", "environment", "file"].map(async (name) => {
        const server = createServer((_, answer) => answer.end(name))
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
        return { server, port: (server.address() as AddressInfo).port }
      })
    )
    const [flag, environment, file] = servers.map(({ port }) => String(port))
    try {
      writeFileSync(join(on.home, "config.toml"), `[queen]\nport = ${file}\n`)
      const fromFile = await on.rbee(["status"], { env: { RBEE_QUEEN_PORT: "" } })
      expect(fromFile.stderr).toContain(`port ${file},`)
      const fromEnvironment = await on.rbee(["status"], { env: { RBEE_QUEEN_PORT: environment ?? "" } })
      expect(fromEnvironment.stderr).toContain(`port ${environment},`)
      const fromFlag = await on.rbee(["status", "--queen-port", flag ?? ""], {
        env: { RBEE_QUEEN_PORT: environment ?? "" }
      })
      expect(fromFlag.stderr).toContain(`port ${flag},`)
    } finally {
      for (const { server } of servers) await new Promise((resolve) => server.close(resolve))
    }
  })

  it("refuses a broken config file before anything is started, with exit code 1", async () => {
    const on = await machine()
    writeFileSync(join(on.home, "config.toml"), "[queen]\nprot = 1\n")
    const run = await on.rbee(["infer", "hello"])
    expect(run.code).toBe(1)
    expect(run.stderr).toMatch(/INVALID_REQUEST: .*config\.toml, line 2: queen\.prot: unknown/)
    expect(run.stderr).not.toContain("starting inference")
  })

  it("reads prompts on stdin as UTF-8 only, up to 1 MiB", async () => {
    const on = await machine()
    const large = await on.rbee(["infer", "-"], { stdin: "x".repeat(1024 * 1024 + 1) })
    expect(large).toMatchObject({ code: 1 })
    expect(large.stderr).toContain("PAYLOAD_TOO_LARGE")
    expect(on.processes()).toEqual([])
  })

  it("merges the daemons' logs by time, and shows the last lines", async () => {
    const on = await machine()
    mkdirSync(join(on.home, "logs"))
    const line = (second: number, message: string) =>
      `${JSON.stringify({ timestamp: `2026-11-22T19:00:0${second}.000Z`, logLevel: "INFO", message })}\n`
    writeFileSync(join(on.home, "logs", "queen.log"), line(1, "one") + line(4, "four"))
    writeFileSync(join(on.home, "logs", "hive-localhost.log"), line(2, "two"))
    writeFileSync(join(on.home, "logs", "worker-w1.log"), line(3, "three"))
    const messages = async (...args: ReadonlyArray<string>) =>
      (await on.rbee(["logs", ...args])).stdout
        .trim()
        .split("\n")
        .map((one) => one.replace(/^.*: /, ""))
    expect(await messages()).toEqual(["one", "two", "three", "four"])
    expect(await messages("queen")).toEqual(["one", "four"])
    expect(await messages("-n", "1")).toEqual(["four"])
    const following = on.start(["logs", "--follow", "-n", "1"])
    await following.until((run) => run.stdout().includes("four"))
    writeFileSync(join(on.home, "logs", "worker-w2.log"), line(5, "five"))
    await following.until((run) => run.stdout().includes("five"))
    following.signal("SIGINT")
    expect((await following.finished).code).toBe(130)
  })

  describe("keeps what was compiled", () => {
    const installed = async () => {
      const on = await machine()
      const cache = join(on.home, "caches")
      const run = (args: ReadonlyArray<string>, XDG_CACHE_HOME = cache) => on.rbee(args, { env: { XDG_CACHE_HOME } })
      const folder = join(cache, "rbee", "code")
      const files = () => (existsSync(folder) ? readdirSync(folder) : [])
      const of = (program: string) => files().filter((name) => name.startsWith(`${program}-`))
      return { on, run, files, folder, of }
    }

    it("of each program, in the user's cache folder, for the user alone", async () => {
      const { folder, of, run } = await installed()
      expect(await run(["infer", "hello"])).toMatchObject({ code: 0 })
      expect(await run(["down"])).toMatchObject({ code: 0 })
      for (const program of ["rbee", "queen", "hive", "worker"]) {
        await eventually(() => of(program).length === 1, `the cache of ${program}`)
        expect(statSync(join(folder, of(program)[0] ?? "")).mode & 0o777).toBe(0o600)
      }
      expect(statSync(folder).mode & 0o777).toBe(0o700)
      const before = of("rbee").map((name) => statSync(join(folder, name)).mtimeMs)
      expect(await run(["jobs", "--help"])).toMatchObject({ code: 0 })
      expect(of("rbee").map((name) => statSync(join(folder, name)).mtimeMs)).toEqual(before)
    })

    it("and replaces what is spoiled, and what another could have written", async () => {
      const { files, folder, run } = await installed()
      const help = async () => expect((await run(["jobs", "--help"])).stdout).toContain("EXAMPLES")
      const each = () => files().map((name) => join(folder, name))
      // a run that takes longer writes one of its own, beside that of a short one
      const newest = () =>
        each()
          .map((file) => statSync(file))
          .toSorted((a, b) => b.mtimeMs - a.mtimeMs)[0]
      await help()
      for (const file of each()) writeFileSync(file, randomBytes(100_000))
      await help()
      expect(newest()?.size).toBeGreaterThan(200_000)
      for (const file of each()) chmodSync(file, 0o666)
      await help()
      expect(newest()?.size).toBeGreaterThan(200_000)
      expect((newest()?.mode ?? 0) & 0o777).toBe(0o600)
    })

    it("of the builds used last only", async () => {
      const { files, folder, run } = await installed()
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      for (let build = 0; build < 20; build++) {
        const file = join(folder, `rbee-${build}-old`)
        writeFileSync(file, "")
        utimesSync(file, 1_000_000 + build, 1_000_000 + build)
      }
      await run(["jobs", "--help"])
      expect(files()).toHaveLength(16)
      expect(files()).not.toContain("rbee-4-old")
      expect(files()).toContain("rbee-5-old")
    })

    it("nowhere where nothing can be written, and starts all the same", async () => {
      const { on, run } = await installed()
      writeFileSync(join(on.home, "taken"), "")
      const done = await run(["jobs", "--help"], join(on.home, "taken"))
      expect(done).toMatchObject({ code: 0, stderr: "" })
    })
  })
})
