/**
 * What npm installs from the package, in a folder of its own: how large it is, that it answers as the checkout does, its
 * types, and that nothing of it runs on once it is uninstalled. It is installed once.
 */
import { execFile, execFileSync, spawnSync } from "node:child_process"
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { transformSync } from "esbuild"
import { afterAll, assert, beforeAll, describe, it, onTestFinished } from "vitest"
import { knobs, variableOf } from "../../src/main/config/knobs.ts"
import { root, withBuiltStore } from "../support/built-store.ts"
import { allOf, environmentOf, hasRoots, makeRoot, stagesOf, stop, wordsOf } from "../support/container.ts"
import { testHub } from "../support/hub.ts"
import { inferSample } from "../support/infer-sample.ts"
import { eventually, makeMachine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const megabyte = 1024 * 1024
const machine = useMachines()
const folder = mkdtempSync(join(tmpdir(), "rbee-installed-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const prefix = join(folder, "prefix")
const installed = join(prefix, "lib", "node_modules", "rbee")
const programs = join(installed, "dist")
let archive = ""

/** The Dockerfile's own commands, in folders of ours; `npm ci` is what made this checkout. */
const [building, image] = stagesOf(join(root, "Dockerfile"))
const [, pack = "", install = ""] = allOf(building, "RUN")
const here = (command: string) =>
  command.replaceAll(/ \/(tmp|opt\/rbee)/g, (_, at: string) => ` ${at === "tmp" ? folder : prefix}`)
const inFolders = (command: string) =>
  execFileSync("sh", ["-ec", here(command)], {
    cwd: root,
    env: { ...process.env, npm_config_prefer_offline: "true", ...withBuiltStore(folder) },
    stdio: ["ignore", "ignore", "pipe"]
  })

const bytesOf = (path: string): number =>
  statSync(path).isDirectory()
    ? readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0)
    : statSync(path).size

beforeAll(() => {
  inFolders(pack)
  archive =
    readdirSync(folder)
      .filter((name) => /^rbee-.*\.tgz$/.test(name))
      .map((name) => join(folder, name))[0] ?? ""
  inFolders(install)
}, 300_000)

describe("rbee as npm installs it", () => {
  it("is a package of 6 MB at most, and 75 MB on the disk", () => {
    assert.isAtMost(statSync(archive).size, 6 * megabyte)
    assert.isAtMost(bytesOf(installed), 75 * megabyte)
  })

  it("brings the licences of what is bundled", () => {
    assert.isAbove(bytesOf(join(programs, "licenses.txt")), 10_000)
  })

  it("answers an empty machine's first command, and is started by its name", async () => {
    const on = await machine({ programs })
    const run = spawnSync(join(prefix, "bin", "rbee"), ["infer", "hello", "--temperature", "0", "--cold"], {
      env: { ...on.env, HOME: on.home, XDG_CACHE_HOME: "" },
      encoding: "utf8"
    })
    assert.match(run.stdout, /^Hello! I am minillama/, run.stderr)
    assert.include(readdirSync(join(on.home, ".cache", "rbee", "code")).join(), "worker-")
  })

  it("gives an empty machine the first answer of a real model in two commands", async () => {
    // the first is npm's, above; of the model the name is real and the bytes are those of ours
    const hub = await testHub()
    onTestFinished(() => hub.close())
    const [model = ""] = /HF:[\w/.-]+:\w+/.exec(readFileSync(join(root, "docs/tasks.md"), "utf8")) ?? []
    const [, repo = "", quantisation = ""] = /^HF:(.*):(\w+)$/.exec(model) ?? []
    const name = `${repo.replace(/^.*\//, "").replace(/-GGUF$/, "")}-${quantisation}.gguf`
    mkdirSync(join(hub.folder, repo), { recursive: true })
    copyFileSync(join(hub.folder, "acme/tiny/tiny-Q8_0.gguf"), join(hub.folder, repo, name))
    const on = await machine({ programs })
    const env = { ...on.env, HOME: on.home, HF_HOME: "", XDG_CACHE_HOME: "", HF_ENDPOINT: hub.url }
    const rbee = join(prefix, "bin", "rbee")
    // the hub is in this process, which has to go on
    const first = await promisify(execFile)(rbee, ["run", model, "Why is the sky blue?"], { env })
    assert.isAbove(first.stdout.length, 20)
    // once, into the cache that other programs share
    assert.isBelow(hub.sent(), 1.5 * statSync(join(hub.folder, repo, name)).size)
    assert.isTrue(existsSync(join(on.home, ".cache/huggingface/hub", `models--${repo.replace("/", "--")}`)))
  })

  inferSample((env = {}) => machine({ env, programs }))

  it("is a library whose types need nothing else, and that answers", async () => {
    const project = join(folder, "project")
    mkdirSync(join(project, "node_modules"), { recursive: true })
    symlinkSync(installed, join(project, "node_modules", "rbee"))
    writeFileSync(join(project, "package.json"), `{"type":"module"}`)
    const source = `
import { Cluster, type InferRequest, RbeeError } from "rbee"
const request: InferRequest = { temperature: 0, max_tokens: 40 }
const cluster: Cluster = await Cluster.start({ settings: { "worker.slots": 1 } })
let text: string = ""
for await (const piece of cluster.infer("hello", request)) text += piece
const [job] = await cluster.jobs()
let code = "none"
try {
  for await (const _ of cluster.infer("hello", { model: "nonsense" })) throw new Error("an answer")
} catch (error) {
  if (error instanceof RbeeError) code = error.code
}
await cluster.stop()
// @ts-expect-error there is no such option
void cluster.infer("hello", { temprature: 0 })
export default [text, job?.state, code].join("|")
`
    writeFileSync(join(project, "main.ts"), source)
    const strict = "--strict --exactOptionalPropertyTypes --skipLibCheck false --module nodenext --target es2022"
    const tsc = join(root, "node_modules", ".bin", "tsc")
    const checked = spawnSync(tsc, ["--noEmit", ...strict.split(" "), "main.ts"], { cwd: project, encoding: "utf8" })
    assert.strictEqual(checked.stdout, "")
    assert.strictEqual(checked.status, 0)

    writeFileSync(join(project, "main.js"), transformSync(source, { loader: "ts" }).code)
    writeFileSync(join(project, "run.js"), `console.log((await import("./main.js")).default)`)
    const on = await machine({ programs })
    const output = execFileSync(process.execPath, ["run.js"], { cwd: project, env: on.env, encoding: "utf8" })
    assert.match(output, /^Hello! I am minillama.*\|done\|INVALID_REQUEST\n$/)
  })

  it("says what to do where its SQLite was not built, or for another machine", async () => {
    const binary = join(installed, "node_modules/better-sqlite3/build/Release/better_sqlite3.node")
    const on = await machine({ programs })
    const said = async () => (await on.rbee(["up"])).stderr
    renameSync(binary, `${binary}.kept`)
    try {
      assert.include(await said(), "npm rebuild better-sqlite3")
      writeFileSync(binary, "of another processor")
      assert.include(await said(), "npm rebuild better-sqlite3")
    } finally {
      renameSync(`${binary}.kept`, binary)
    }
  })

  it("copies into its image what there is, and as much as its build needs", () => {
    const ignored = readFileSync(join(root, ".dockerignore"), "utf8").split("\n")
    const copied = ignored.filter((line) => line.startsWith("!")).map((line) => line.slice(1))
    const { files } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly files: Array<string> }
    for (const path of copied) assert.isTrue(existsSync(join(root, path)), path)
    for (const path of files.filter((one) => one !== "dist"))
      assert.isTrue(
        copied.some((one) => path === one || path.startsWith(`${one}/`)),
        path
      )
    const compose = readFileSync(join(root, "compose.yaml"), "utf8")
    const variables = knobs.map((knob) => variableOf(knob))
    const named = [...compose.matchAll(/^ +(RBEE_\w+):/gm)].map(([, name = ""]) => name)
    for (const name of [...named, ...Object.keys(environmentOf(image)).filter((one) => one.startsWith("RBEE_"))])
      assert.include([...variables, "RBEE_HOME", "RBEE_TOKEN"], name)
  })

  it.skipIf(!hasRoots)(
    "answers from an empty root as its image starts it, and ends when it is stopped",
    async () => {
      const on = await machine({ programs })
      const empty = join(folder, "root")
      const container = makeRoot(empty, { [prefix]: "/opt/rbee" })
      const [make = ""] = allOf(image, "RUN")
      const made = container.start(["/bin/sh", "-ec", make], { env: environmentOf(image), user: "0:0" })
      assert.strictEqual(await new Promise((resolve) => made.once("close", resolve)), 0)

      const secret = "a-secret-of-this-test-alone"
      const ports = {
        RBEE_QUEEN_PORT: String(on.ports.queen),
        RBEE_HIVE_PORT: String(on.ports.hive),
        RBEE_WORKER_PORT_BASE: String(on.ports.worker)
      }
      const [user = ""] = allOf(image, "USER")
      const env = { ...environmentOf(image), ...ports, RBEE_TOKEN: secret }
      const command = ["ENTRYPOINT", "CMD"].flatMap((step) => wordsOf(allOf(image, step)[0]))
      const started = container.start(command, { env, user })
      const ended = new Promise((resolve) => started.once("close", resolve))
      let said = ""
      for (const output of [started.stdout, started.stderr]) output.on("data", (text) => (said += String(text)))
      try {
        await eventually(
          () => said.includes("up: queen on"),
          () => said,
          30_000
        )
        const ask = (authorization: string) =>
          fetch(`${on.queenUrl}/v1/chat/completions`, {
            method: "POST",
            headers: { "content-type": "application/json", authorization },
            body: JSON.stringify({ model: "minillama", temperature: 0, messages: [{ role: "user", content: "hello" }] })
          })
        assert.strictEqual((await ask("Bearer another")).status, 401)
        assert.include(await (await ask(`Bearer ${secret}`)).text(), "Hello! I am minillama")
        const [check = ""] = allOf(image, "HEALTHCHECK")
        const health = container.start(wordsOf(check.slice(check.indexOf("["))), { env, user })
        assert.strictEqual(await new Promise((resolve) => health.once("close", resolve)), 0)
        stop(started)
        await ended
        assert.include(said, "queen: goodbye")
        assert.deepEqual(on.listening(), [])
      } finally {
        started.kill("SIGKILL")
      }
    },
    120_000
  )

  it("ends its daemons within a minute when it is uninstalled, after what they were answering", async () => {
    // outside of the machine's own folder nothing is kept
    const on = await makeMachine({ programs, env: { RBEE_WORKER_MAX_TOKENS_PER_S: "20", RBEE_WORKER_SLOTS: "1" } })
    try {
      const run = on.start(["infer", "tell me a story", "--ignore-eos", "--max-tokens", "300", "--temperature", "0"])
      await run.until((seen) => seen.stdout().length > 0)
      const queued = on.start(["infer", "hello"])
      await queued.until((seen) => seen.stderr().includes("queen: job queued at position 1"))
      execFileSync("npm", ["uninstall", "-g", "--prefix", prefix, "rbee"], { stdio: "ignore" })
      const uninstalled = Date.now()
      assert.throws(() => statSync(installed))
      const done = await run.finished
      assert.strictEqual(done.code, 0, done.stderr)
      // what waited is answered by then, or ends with a reason
      const waited = await queued.finished
      if (waited.code !== 0) assert.match(waited.stderr, /job failed: [A-Z_]+: /)
      await eventually(
        () => on.processes().length === 0,
        () => JSON.stringify(on.processes()),
        60_000
      )
      assert.isBelow(Date.now() - uninstalled, 60_000)
    } finally {
      await on.dispose()
    }
  }, 150_000)
})
