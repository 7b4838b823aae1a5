/**
 * llama.cpp's own server as a worker's engine, on real processes: an entry goes to it, its death is a pause, and nothing
 * is left of it, however those end that have started it. Skipped where it is not built: `npm run peer`.
 */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { builtServer } from "../support/built-server.ts"
import { png, projector } from "../support/projector.ts"
import { eventually, type Machine, processesUnder, type Running } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { eventsOf } from "../support/run-events.ts"

const program = builtServer()
const machine = useMachines()

const withServer = async (env: Record<string, string> = {}): Promise<Machine> => {
  const on = await machine({ env: { RBEE_WORKER_THREADS: "1", ...env } })
  mkdirSync(on.home, { recursive: true })
  writeFileSync(
    join(on.home, "config.toml"),
    `[models.fox]\nref = "minillama"\nengine = "llama-server"\n\n[engines.llama-server]\ncommand = "${program}"\n`
  )
  return on
}

const paced = { RBEE_WORKER_MAX_TOKENS_PER_S: "40" }
const story = ["infer", "--model", "fox", "tell me a story", "--ignore-eos", "--max-tokens", "100"]
const greedy = [...story, "--temperature", "0"]

/** Of the servers that were started under its home. */
const serversOn = ({ home }: Machine): ReadonlyArray<number> =>
  processesUnder(home).flatMap(({ command, pid }) => (command.startsWith(`${program} --model`) ? [pid] : []))

const named = (run: Running, name: string) => eventsOf(run).filter(({ event }) => event === name)
const textOf = (run: Running): string =>
  named(run, "token")
    .map(({ t }) => String(t))
    .join("")

/** Strikes after ten more tokens. */
const killed = async (run: Running, pid: () => number | undefined): Promise<void> => {
  const before = named(run, "token").length
  await run.until(() => named(run, "token").length > before + 10)
  process.kill(pid() ?? -1, "SIGKILL")
}

describe.skipIf(program === undefined)("llama-server, which is built here by `npm run peer`", () => {
  it("serves who asks for it; its death and its worker's are a pause, told as what they are; nothing is left of it", async () => {
    const on = await withServer(paced)
    const workers = () => on.processes().filter(({ role }) => role === "worker")
    const undisturbed = await on.rbee(greedy)
    assert.strictEqual(undisturbed.code, 0, undisturbed.stderr)
    assert.include(undisturbed.stderr, "worker cpu-llama-server-rbee already available")

    const run = on.start([...greedy, "--json"])
    await killed(run, () => serversOn(on)[0])
    await killed(run, () => workers()[0]?.pid)
    const { code, stderr } = await run.finished
    assert.strictEqual(code, 0, stderr)
    assert.strictEqual(textOf(run), undisturbed.stdout.replace(/\n$/, ""))
    const failovers = named(run, "failover")
    assert.deepEqual(
      failovers.map(({ continued, resampled }) => ({ continued, resampled })),
      [0, 1].map(() => ({ continued: true, resampled: undefined }))
    )

    const drawn = on.start([...story, "--seed", "5", "--json"])
    await killed(drawn, () => serversOn(on)[0])
    assert.strictEqual((await drawn.finished).code, 0)
    assert.lengthOf(named(drawn, "token"), 100)
    assert.deepInclude(named(drawn, "failover")[0], { continued: true, resampled: true })

    // who does not ask for it has the usual engine, in a worker of its own
    const plain = await on.rbee(["infer", "hello", "--max-tokens", "5"])
    assert.include(plain.stderr, "worker cpu-llm-worker-rbee already available")
    assert.deepEqual([workers().length, serversOn(on).length], [2, 1])

    // nobody is left who could end it: the kernel does
    for (const { pid, role } of on.processes()) if (role !== "other") process.kill(pid, "SIGKILL")
    await eventually(() => processesUnder(on.home).length === 0, "all of it is gone")
  }, 120_000)
})

describe.skipIf(program === undefined)("a model with a projector beside it", () => {
  it("sees images of every surface's form: another image, another answer; without one, and of another engine, 400", async () => {
    const on = await withServer()
    const folder = join(on.home, "eye")
    mkdirSync(folder, { recursive: true })
    const file = join(folder, "model.gguf")
    copyFileSync(new URL("../../models/minillama/minillama-q8_0.gguf", import.meta.url), file)
    copyFileSync(await projector(192), join(folder, "mmproj-model-f16.gguf"))
    writeFileSync(
      join(on.home, "config.toml"),
      `[models.eye]\nref = "file:${file}"\nengine = "llama-server"\n\n[models.fox]\nref = "minillama"\nengine = "llama-server"\n\n` +
        `[engines.llama-server]\ncommand = "${program}"\n`
    )
    assert.strictEqual((await on.rbee(["queen", "start"])).code, 0)
    const post = async (path: string, body: object) => {
      const response = await on.fetch(`${on.queenUrl}${path}`, { method: "POST", body: JSON.stringify(body) })
      return { status: response.status, text: await response.text() }
    }
    const common = { model: "eye", temperature: 0, max_tokens: 12 }
    const options = { temperature: 0, num_predict: 12 }
    const surfaces: ReadonlyArray<readonly [path: string, body: (data: string) => object, text: RegExp]> = [
      [
        "/v1/chat/completions",
        (data) => {
          const url = `data:image/png;base64,${data}`
          return { ...common, messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }] }
        },
        /"content":"([^"]+)"/
      ],
      [
        "/v1/responses",
        (data) => {
          const content = [{ type: "input_image", image_url: `data:image/png;base64,${data}` }]
          return { model: "eye", temperature: 0, max_output_tokens: 12, input: [{ role: "user", content }] }
        },
        /"text":"([^"]+)"/
      ],
      [
        "/v1/messages",
        (data) => {
          const image = { type: "image", source: { type: "base64", media_type: "image/png", data } }
          return { ...common, messages: [{ role: "user", content: [image] }] }
        },
        /"text":"([^"]+)"/
      ],
      [
        "/api/chat",
        (data) => ({ model: "eye", stream: false, options, messages: [{ role: "user", content: "", images: [data] }] }),
        /"content":"([^"]+)"/
      ],
      [
        "/api/generate",
        (data) => ({ model: "eye", stream: false, options, prompt: "", images: [data] }),
        /"response":"([^"]+)"/
      ]
    ]
    const said: Array<ReadonlyArray<string | undefined>> = []
    for (const [path, body, text] of surfaces) {
      const answers: Array<string | undefined> = []
      for (const colour of [
        [255, 0, 0],
        [0, 0, 255]
      ] as const) {
        const answer = await post(path, body(png(colour)))
        assert.strictEqual(answer.status, 200, answer.text)
        answers.push(text.exec(answer.text)?.[1])
      }
      assert.notStrictEqual(answers[0], answers[1], path)
      said.push(answers)
      // one that sees nothing has no projector, and the usual engine none at all
      for (const [model, why] of [
        ["fox", "no projector (mmproj)"],
        ["minillama", "its engine is llama"]
      ] as const) {
        const { status, text: told } = await post(path, { ...body(png([1, 2, 3])), model })
        assert.deepEqual([status, told.includes(why)], [400, true], `${path} ${told}`)
      }
    }
    // whatever form they came in
    for (const answers of said) assert.deepEqual(answers, said[0])
  }, 120_000)
})

describe("a machine without llama-server", () => {
  it("says so by name, and what to do, where an entry asks for it", async () => {
    const on = await machine({})
    mkdirSync(on.home, { recursive: true })
    writeFileSync(
      join(on.home, "config.toml"),
      '[models.fox]\nref = "minillama"\nengine = "llama-server"\n[engines.llama-server]\ncommand = "/nowhere/llama-server"\n'
    )
    const { code, stderr } = await on.rbee(["infer", "--model", "fox", "hello"])
    assert.strictEqual(code, 1)
    assert.include(stderr, "llama-server cannot serve here: it is not there [configuration]")
    assert.include(stderr, "Correct [engines.llama-server] of its configuration")
  }, 60_000)
})
