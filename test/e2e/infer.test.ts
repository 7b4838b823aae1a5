/** The main job as a user sees it. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs"
import { execFile, execFileSync } from "node:child_process"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { tiny } from "../support/gguf.ts"
import { inferSample } from "../support/infer-sample.ts"
import type { Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { isWhole } from "../support/proof.ts"

const machine = useMachines()
const root = fileURLToPath(new URL("../..", import.meta.url))
const greedy = ["--temperature", "0"]
const paced = { RBEE_WORKER_MAX_TOKENS_PER_S: "40" }

describe("infer", () => {
  inferSample((env = {}) => machine({ env }))

  const shellOn = (on: Machine) => (command: string) =>
    new Promise<string>((resolve, reject) => {
      const env = { ...on.env, NODE: process.execPath, RBEE: join(root, "dist/rbee.js") }
      const script = `rbee() { "$NODE" "$RBEE" "$@"; }\n${command}`
      execFile("bash", ["-o", "pipefail", "-c", script], { env }, (error, stdout, stderr) =>
        error === null ? resolve(stdout) : reject(new Error(stderr))
      )
    })

  it("takes what is piped in as the rest of the prompt, or all of it", async () => {
    const on = await machine()
    const shell = shellOn(on)
    const direct = async (prompt: string) => (await on.rbee(["infer", "--quiet", ...greedy, prompt])).stdout
    const options = "--quiet --temperature 0"
    assert.strictEqual(await shell(`printf hello | rbee infer ${options}`), await direct("hello"))
    const both = await shell(`printf 'and a poem\\n' | rbee infer ${options} tell me a story`)
    assert.strictEqual(both, await direct("tell me a story\n\nand a poem"))
    assert.strictEqual(await shell(`rbee infer ${options} hello < /dev/null`), await direct("hello"))
  })

  it("takes its commands as Ollama's users type them", async () => {
    const on = await machine()
    const shell = shellOn(on)
    await shell("rbee infer --quiet hello")
    assert.include(await shell("rbee ps"), "minillama")
    assert.include(await shell("rbee list"), "minillama")
    assert.include(await shell("rbee pull minillama"), "model minillama is on hive localhost")
    assert.strictEqual(await shell("rbee stop minillama"), "model minillama unloaded\n")
    assert.notInclude(await shell("rbee ps"), "minillama")
    assert.strictEqual(await shell("rbee stop minillama"), "model minillama is not loaded\n")
    // one thing is said of a hive that there is not
    const gone = await on.rbee(["hives", "rm", "nope"])
    assert.deepEqual([gone.code, gone.stdout], [1, ""])
    assert.include(gone.stderr, "HIVE_NOT_FOUND")

    // on the disk it is a model whoever sleeps: the hive, and the queen too
    await shell("rbee hives stop")
    assert.include(await shell("rbee list"), "minillama")
    await shell("rbee down")
    assert.include(await shell("rbee list"), "minillama")

    const serving = on.start(["serve"])
    await serving.until(({ stdout }) => stdout().includes("up: queen on"))
    serving.signal("SIGINT")
    assert.strictEqual((await serving.finished).code, 130)
    assert.deepEqual(on.processes(), [])
  })

  it("prints tokens while they are decoded", async () => {
    const on = await machine({ env: paced })
    const run = on.start(["infer", "tell me a story", "--ignore-eos", "--max-tokens", "60"])
    await run.until((seen) => seen.stdout().length > 0)
    assert.notInclude(run.stderr(), "[DONE]")
    const early = run.stdout().length
    const done = await run.finished
    assert.strictEqual(done.code, 0, done.stderr)
    assert.isAbove(done.stdout.length, early)
  })

  it("takes the prompt from stdin, in any script", async () => {
    const on = await machine()
    for (const prompt of ["hello", "🐝 Grüße", "שלום עולם", "مرحبا"]) {
      const run = await on.rbee(["infer", "-", ...greedy], { stdin: prompt })
      assert.strictEqual(run.code, 0, run.stderr)
      assert.isNotEmpty(run.stdout)
    }
  })

  it("refuses a prompt longer than the context with both lengths", async () => {
    const on = await machine()
    const run = await on.rbee(["infer", "-"], { stdin: "word ".repeat(20_000) })
    assert.strictEqual(run.code, 1)
    assert.match(run.stderr, /INVALID_REQUEST/)
    assert.match(run.stderr, /512/)
    const next = await on.rbee(["infer", "hello"])
    assert.strictEqual(next.code, 0, next.stderr)
  })

  it("answers a prompt of tens of kilobytes with a model that has the context for it", async () => {
    // a token a byte, and each looks back at all before it: a quarter of them is read in a twentieth of the time
    const words = isWhole ? 20_000 : 4500
    const long = await tiny({ context: 131_072 })
    // a slot is all that fits into a small machine with such a context
    const on = await machine({ env: { RBEE_WORKER_SLOTS: "1" } })
    const run = await on.rbee(
      ["infer", "--model", `file:${long}`, "--max-tokens", "8", "--ignore-eos", "--json", "-"],
      {
        stdin: "word ".repeat(words),
        // a busy machine reads it in minutes
        limitMs: 300_000
      }
    )
    assert.strictEqual(run.code, 0, run.stderr + run.stdout.slice(-2000))
    assert.strictEqual(run.stdout.match(/"event":"token"|"type":"token"/g)?.length, 8, run.stdout.slice(-1500))
  }, 330_000)

  it("writes nothing but the answer to a pipe, and ends quietly when its reader leaves", async () => {
    const on = await machine({ env: paced })
    const piped = (command: string) =>
      new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
        execFile(
          "bash",
          ["-o", "pipefail", "-c", command],
          { env: { ...on.env, NODE: process.execPath, RBEE: join(root, "dist/rbee.js") } },
          (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
        )
      })
    const cat = await piped('"$NODE" "$RBEE" infer hello --temperature 0 | cat')
    assert.strictEqual(cat.code, 0, cat.stderr)
    assert.match(cat.stdout, /^Hello! I am minillama/)
    assert.notInclude(cat.stdout, "\u001b")
    const left = await piped('"$NODE" "$RBEE" infer "tell me a story" --ignore-eos --max-tokens 80 | head -c 5')
    assert.strictEqual(left.stdout.length, 5)
    assert.notInclude(left.stderr, "EPIPE")
    assert.notInclude(left.stderr, "    at ")
  })

  it("runs a model file in place with file:", async () => {
    const on = await machine()
    const model = `file:${join(root, "models/minillama/minillama-f16.gguf")}`
    const run = await on.rbee(["infer", "--model", model, "hello", ...greedy])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.match(run.stdout, /^Hello! I am minillama/)
    const broken = join(on.home, "broken.gguf")
    writeFileSync(broken, "this is no GGUF")
    const refused = await on.rbee(["infer", "--model", `file:${broken}`, "hello"])
    assert.strictEqual(refused.code, 1)
    assert.include(refused.stderr, "MODEL_INVALID")
    assert.strictEqual((await on.rbee(["infer", "hello"])).code, 0)
  })

  it("refuses references that are none, and shows the accepted forms", async () => {
    const on = await machine()
    for (const model of ["HF:", "HF:../x/y", "HF:a b/c", "file:", "x".repeat(600), "HF:a/b\u001b[31m", "a\nb"]) {
      const run = await on.rbee(["infer", "--model", model, "hello"])
      assert.notStrictEqual(run.code, 0, model)
      assert.include(run.stderr, "INVALID_REQUEST", model)
      assert.include(run.stderr, "minillama", model)
    }
  })

  it("runs in one process, with no other process and no port", async () => {
    const on = await machine({ env: paced })
    const run = on.start(["infer", "--one-process", "hello", "--ignore-eos", "--max-tokens", "40", ...greedy])
    await run.until((seen) => seen.stdout().length > 0)
    assert.deepEqual(
      on.processes().map(({ role }) => role),
      ["rbee"]
    )
    assert.deepEqual(on.listening(), [])
    const done = await run.finished
    assert.strictEqual(done.code, 0, done.stderr)
    const lines = done.stderr.split("\n").filter((line) => line !== "")
    assert.include(lines, "queen: waking the beehive at localhost")
    assert.isTrue(lines.some((line) => /^hive: waking worker with model=.*minillama-q8_0\.gguf$/.test(line)))
    assert.notInclude(done.stderr, "launching queen")
    assert.deepEqual(lines.slice(-3), [
      "queen: shutting down workers…",
      "queen: shutting down hives…",
      "queen: goodbye"
    ])
  })

  it("works with HOME empty and in a path with spaces", async () => {
    const folder = mkdtempSync(join(tmpdir(), "a path with spaces "))
    const on = await machine({ folder, env: { HOME: "" } })
    const run = await on.rbee(["infer", "hello"])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.isNotEmpty(run.stdout)
  })

  it("prepares the worker runtime when it was installed without one, or says how to go on", async () => {
    // a copy of the programs whose node_modules lack the engine, as after `npm install --omit=optional`
    const bare = mkdtempSync(join(tmpdir(), "rbee-bare-"))
    cpSync(join(root, "dist"), join(bare, "dist"), { recursive: true })
    cpSync(join(root, "models"), join(bare, "models"), { recursive: true })
    cpSync(join(root, "package.json"), join(bare, "package.json"))
    mkdirSync(join(bare, "node_modules"))
    for (const name of readdirSync(join(root, "node_modules"))) {
      if (/^(node-llama-cpp|@node-llama-cpp|\..*)$/.test(name)) continue
      symlinkSync(join(root, "node_modules", name), join(bare, "node_modules", name))
    }
    const on = await machine({ programs: join(bare, "dist") })
    const run = await on.rbee(["infer", "hello", ...greedy], { limitMs: 240_000 })
    assert.strictEqual(run.code, 0, run.stderr)
    assert.include(run.stderr, "queen: asked hive to prepare worker cpu-llm-worker-rbee")
    assert.include(run.stderr, "queen: worker prepared and ready to deploy")
    assert.match(run.stdout, /^Hello! I am minillama/)
    const workers = JSON.parse((await on.rbee(["workers", "ls", "--json"])).stdout) as Array<{ id: string }>
    assert.lengthOf(workers, 1)
    assert.strictEqual((await on.rbee(["workers", "stop", workers[0]?.id ?? ""])).code, 0)
    const next = await on.rbee(["infer", "hello", ...greedy])
    assert.include(next.stderr, "queen: worker cpu-llm-worker-rbee already available")
  }, 300_000)

  it.runIf(process.getuid?.() === 0)("works as a user who is not root", async () => {
    const on = await machine()
    chmodSync(on.home, 0o777)
    const output = execFileSync(
      "setpriv",
      [
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        process.execPath,
        join(root, "dist/rbee.js"),
        "infer",
        "--cold",
        "hello",
        ...greedy
      ],
      { env: { ...on.env, HOME: on.home }, cwd: "/", stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" }
    )
    assert.match(output, /^Hello! I am minillama/)
  })
})
