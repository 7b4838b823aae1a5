/** Models under names of the user's own, asked by every surface of a running cluster, whose file changes meanwhile. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Ollama } from "ollama"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines(afterAll)
let on: Machine
const configure = (text: string) => writeFileSync(join(on.home, "config.toml"), text)
const coder = `
[models.coder]   # mine
ref = "minillama"
aliases = ["gpt-4o", "acme/coder"]
context = 256
temperature = 0
max_tokens = 4
system = "You write code, and nothing else, in few words."
`
beforeAll(async () => {
  on = await machine()
  configure(coder)
  await on.rbee(["up"])
})

interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
}
const post = async (path: string, body: object) => {
  const answer = await on.fetch(`${on.queenUrl}${path}`, { method: "POST", body: JSON.stringify(body) })
  return { status: answer.status, body: await answer.json() }
}
const messages = [{ role: "user", content: "hello" }]
/** [prompt's tokens, answer's tokens] of a chat by OpenAI's surface */
const usageOf = async (asked: object): Promise<readonly [number, number]> => {
  const { body, status } = await post("/v1/chat/completions", { messages, ...asked })
  assert.strictEqual(status, 200, JSON.stringify(body))
  const { completion_tokens, prompt_tokens } = (body as { readonly usage: Usage }).usage
  return [prompt_tokens, completion_tokens]
}

describe("a model under a name of one's own", () => {
  it("answers a command line with its defaults, whose own flags win", async () => {
    const whole = (await on.rbee(["infer", "hello", "--temperature", "0"])).stdout
    const short = await on.rbee(["infer", "--model", "coder", "hello", "--json"])
    assert.strictEqual(short.code, 0, short.stderr)
    const done = (text: string) => JSON.parse(text.trimEnd().split("\n").at(-1) ?? "") as { readonly usage: Usage }
    assert.strictEqual(done(short.stdout).usage.completion_tokens, 4)
    const own = await on.rbee(["infer", "--model", "Coder:latest", "--max-tokens", "2", "--json", "hello"])
    assert.strictEqual(done(own.stdout).usage.completion_tokens, 2)
    const chatted = await on.rbee(["chat", "gpt-4o", "hello"])
    assert.isAbove(chatted.stdout.trim().length, 0)
    assert.isBelow(chatted.stdout.length, whole.length)
  })

  it("answers OpenAI's, Anthropic's and Ollama's clients by any of its names", async () => {
    const [bare] = await usageOf({ model: "minillama", max_tokens: 1 })
    const [prompt, answer] = await usageOf({ model: "coder" })
    assert.strictEqual(answer, 4)
    assert.isAbove(prompt, bare)
    assert.deepEqual(await usageOf({ model: "acme/coder", max_tokens: 2 }), [prompt, 2])
    const said = [{ role: "system", content: "" }, ...messages]
    assert.isBelow((await usageOf({ model: "GPT-4O", messages: said }))[0], prompt)

    const message = await post("/v1/messages", { model: "coder", max_tokens: 3, messages })
    const { model, usage } = message.body as { readonly model: string; readonly usage: Record<string, number> }
    assert.strictEqual(model, "coder")
    assert.deepEqual(
      [usage["output_tokens"], (usage["input_tokens"] ?? 0) + (usage["cache_read_input_tokens"] ?? 0)],
      [3, prompt]
    )

    const ollama = new Ollama({ host: on.queenUrl })
    const chat = await ollama.chat({ model: "coder:latest", messages })
    assert.deepEqual([chat.model, chat.eval_count, chat.prompt_eval_count], ["coder:latest", 4, prompt])
    const generated = await ollama.generate({ model: "coder", prompt: "hello", options: { num_predict: 1 } })
    assert.deepEqual([generated.eval_count, generated.prompt_eval_count], [1, prompt])

    const job = await post("/jobs", { model: "coder", prompt: "hello", stream: false })
    const { job_id } = job.body as { readonly job_id: string }
    const events = await (await on.fetch(`${on.queenUrl}/jobs/${job_id}/events`)).text()
    assert.match(events, new RegExp(`"prompt_tokens":${prompt},"completion_tokens":4`))
  })

  it("has a worker that is set up as it says, and shares it with who wants the same", async () => {
    const setup = (name: string, fields: string) => `\n[models.${name}]\nref = "minillama"\n${fields}\n`
    const few = 'slots = 1\nkv_type = "q8_0"\ncontext = 256\nmax_tokens = 1'
    configure(coder + setup("few", few) + setup("same", few) + setup("many", "slots = 6\nmax_tokens = 1"))
    const loaded = async () => {
      const { stdout } = await on.rbee(["ps", "--json"])
      const workers = JSON.parse(stdout) as ReadonlyArray<Record<"id" | "slots" | "kv_type", unknown>>
      return workers.map(({ kv_type, slots }) => `${String(slots)} ${String(kv_type)}`).toSorted()
    }
    const before = await loaded()
    await usageOf({ model: "few" })
    assert.deepEqual(await loaded(), ["1 q8_0", ...before])
    await post("/v1/messages", { model: "same", max_tokens: 1, messages })
    // nothing is said: the model is loaded, no more
    const ollama = new Ollama({ host: on.queenUrl })
    await ollama.generate({ model: "same", prompt: "" })
    assert.deepEqual(await loaded(), ["1 q8_0", ...before])
    await ollama.chat({ model: "many", messages })
    assert.deepEqual(await loaded(), ["1 q8_0", ...before, "6 f16"])
    // who does not say how takes what there is
    await usageOf({ model: "minillama", max_tokens: 1 })
    assert.deepEqual(await loaded(), ["1 q8_0", ...before, "6 f16"])
    configure(coder)
  })

  it("runs elsewhere where its place cannot be had, with the reason, unless it has to be there", async () => {
    const entry = (name: string, place: string) => `[models.${name}]\nref = "minillama"\nmax_tokens = 1\n${place}\n`
    const away = 'hive = "attic"'
    const must = "only_there = true"
    configure(
      entry("away", away) +
        entry("there", `device = "cpu"`) +
        entry("gone", 'device = "gpu7"') +
        entry("must", `${away}\n${must}`)
    )
    const said = async (name: string, code = 0, ...flags: ReadonlyArray<string>) => {
      const run = await on.rbee(["infer", "--model", name, ...flags, "hello"])
      assert.strictEqual(run.code, code, run.stderr)
      return run.stderr
    }
    assert.match(await said("away"), /hive attic is preferred, but there is no hive attic; looking elsewhere/)
    assert.notInclude(await said("there"), "preferred")
    assert.match(await said("gone"), /gpu7 is preferred, but there is no device gpu7; looking elsewhere/i)
    assert.match(await said("must", 1), /attic/)
    assert.notInclude(await said("must", 0, "--device", "cpu"), "attic")
    assert.strictEqual((await post("/v1/chat/completions", { model: "away", messages })).status, 200)
    assert.strictEqual((await post("/v1/chat/completions", { model: "must", messages })).status, 404)
    assert.match((await on.rbee(["plan", "--model", "away"])).stdout, /localhost/)
    configure(coder)
  })

  it("is listed where models are, and is unloaded by its name", async () => {
    const { data } = (await (await fetch(`${on.queenUrl}/v1/models`)).json()) as {
      readonly data: ReadonlyArray<{ readonly id: string; readonly context_length?: number }>
    }
    const listed = data.filter(({ context_length }) => context_length === 256).map(({ id }) => id)
    assert.deepEqual(listed, ["coder", "gpt-4o", "acme/coder"])
    const card = await (await fetch(`${on.queenUrl}/v1/models/GPT-4o`)).json()
    assert.include(card, { id: "gpt-4o", context_length: 256 })

    const ollama = new Ollama({ host: on.queenUrl })
    const tags = (await ollama.list()).models.map(({ name }) => name)
    assert.includeMembers(tags, ["minillama", "coder", "gpt-4o"])
    const shown = await ollama.show({ model: "coder:latest" })
    assert.strictEqual(shown.system, "You write code, and nothing else, in few words.")
    assert.strictEqual(String(shown.parameters), "num_ctx 256\nnum_predict 4\ntemperature 0")

    assert.match((await on.rbee(["stop", "coder"])).stdout, /^model minillama unloaded/)
    assert.match((await on.rbee(["models", "show", "coder"])).stdout, /minillama/)
  })

  it("is what the file says at each use: it changes under a running queen, and the default with it", async () => {
    configure(`default_model = "short"\n${coder}\n[models.short]\nref = "coder"\nmax_tokens = 1\n`)
    assert.deepEqual((await usageOf({ model: "short" }))[1], 1)
    const run = await on.rbee(["infer", "hello", "--json"])
    assert.include(run.stdout, '"completion_tokens":1')
    // a file that is being edited: what it said before holds, and who starts anew is told
    configure(`default_model = "short"\n${coder}\ntemprature = 1\n`)
    assert.deepEqual((await usageOf({ model: "short" }))[1], 1)
    const wrong = await on.rbee(["infer", "hello"])
    assert.strictEqual(wrong.code, 1)
    assert.match(
      wrong.stderr,
      /config\.toml, line \d+: models\.coder\.temprature: unknown.*Did you mean temperature\?/s
    )
    assert.include(readFileSync(join(on.home, "logs", "queen.log"), "utf8"), "models stay as they were")
    configure(coder)
    assert.strictEqual((await post("/v1/chat/completions", { model: "short", messages })).status, 404)
  })

  it("is the default of every client that names no model; without one they are told what there is", async () => {
    const asks: Readonly<Record<string, object>> = {
      "/v1/chat/completions": { messages },
      "/v1/completions": { prompt: "hello", max_tokens: 1 },
      "/v1/responses": { input: "hello" },
      "/v1/messages": { messages, max_tokens: 1 },
      "/v1/messages/count_tokens": { messages },
      "/api/chat": { messages, stream: false },
      "/api/generate": { prompt: "hello", stream: false }
    }
    configure(`default_model = "coder"\n${coder}`)
    for (const [path, body] of Object.entries(asks)) {
      const { body: answer, status } = await post(path, path === "/api/chat" ? { ...body, model: "" } : body)
      assert.strictEqual(status, 200, `${path}: ${JSON.stringify(answer)}`)
      if (!path.endsWith("tokens")) assert.include(answer as object, { model: "coder" }, path)
    }
    configure(coder)
    for (const [path, body] of Object.entries(asks)) {
      const { body: answer, status } = await post(path, body)
      assert.strictEqual(status, 400, path)
      assert.match(
        JSON.stringify(answer),
        /no model is named.*Name one: minillama, coder.*models set NAME --default/,
        path
      )
    }
  })

  it("may be a file by a relative path, in the configuration and on the command line", async () => {
    const minillama = fileURLToPath(new URL("../../models/minillama/minillama-q8_0.gguf", import.meta.url))
    copyFileSync(minillama, join(on.home, "own.gguf"))
    configure('[models.own]\nref = "./own.gguf"\nmax_tokens = 2\n')
    assert.strictEqual((await usageOf({ model: "own" }))[1], 2)
    for (const path of ["./own.gguf", "own.gguf", "file:own.gguf"]) {
      const run = await on.rbee(["infer", "--model", path, "--max-tokens", "1", "hello", "--json"], { cwd: on.home })
      assert.strictEqual(run.code, 0, `${path}: ${run.stderr}`)
    }
    const none = await on.rbee(["infer", "--model", "./none.gguf", "hello"])
    assert.include(none.stderr, join(on.home, "none.gguf"))
  })

  it("is given, changed and taken back by commands, which keep the rest of the file", async () => {
    const file = () => readFileSync(join(on.home, "config.toml"), "utf8")
    const says = async (args: ReadonlyArray<string>, code = 0) => {
      const done = await on.rbee(["models", ...args], { cwd: on.home })
      assert.strictEqual(done.code, code, `${args.join(" ")}: ${done.stdout}${done.stderr}`)
      return done.stdout + done.stderr
    }
    configure("# mine\n[queen]\nqueue_max = 9 # enough\n")
    await says(["set", "brief", "ref=minillama", "max_tokens=3", "aliases=b,c", "temperature=0", "--default"])
    assert.include(file(), "[queen]\nqueue_max = 9 # enough\n")
    assert.strictEqual((await usageOf({ model: "c" }))[1], 3)
    assert.include((await on.rbee(["infer", "hello", "--json"])).stdout, '"completion_tokens":3')
    await says(["set", "B:latest", "max_tokens=2", "stop=x", "stop=y, z"])
    assert.strictEqual((await usageOf({ model: "brief" }))[1], 2)
    const listed = JSON.parse(await says(["entries", "--json"])) as Record<string, unknown>
    assert.deepEqual(listed, {
      default_model: "brief",
      models: [
        { name: "brief", ref: "minillama", aliases: ["b", "c"], max_tokens: 2, temperature: 0, stop: ["x", "y, z"] }
      ]
    })
    assert.match(await says(["entries"]), /^NAME +MODEL +ALIASES +DEFAULTS\nbrief \(default\) +minillama +b, c +/)
    const before = file()
    assert.match(await says(["set", "brief", "temprature=1"], 2), /temprature is no field.*Did you mean temperature/s)
    assert.match(await says(["set", "brief", "temperature=5"], 2), /temperature must be/)
    assert.match(await says(["set", "new", "temperature=1"], 2), /ref is missing/)
    assert.match(await says(["set", "minillama", "ref=HF:a/b"], 1), /ships with rbee/)
    assert.match(await says(["set", "brief", "ref=over", "aliases=over"], 1), /go round: brief → brief/)
    assert.match(await says(["unset", "none"], 1), /there is no entry none/)
    await says(["set", "over", "ref=brief"])
    assert.match(await says(["unset", "brief"], 1), /\[models\.over\] stands on it/)
    await says(["unset", "over"])
    assert.strictEqual(file().trim(), before.trim())
    await says(["unset", "c", "stop"])
    assert.match(await says(["unset", "brief"]), /it was the default, which is minillama again/)
    assert.strictEqual(file().trim(), "# mine\n[queen]\nqueue_max = 9 # enough")
    await says(["set", "./own.gguf", "--default"])
    assert.include(file(), `default_model = "file:${join(on.home, "own.gguf")}"`)
    await says(["unset", "--default"])
  })

  it("is loaded without being asked where it is to be kept so, again when its worker dies, and else says why", async () => {
    const kept = (name: string, fields: string) => `[models.${name}]\nkeep_loaded = true\n${fields}\n`
    configure(kept("mine", 'ref = "minillama"\nslots = 3') + kept("none", 'ref = "./none.gguf"'))
    const mine = async () => {
      const { stdout } = await on.rbee(["ps", "--json"])
      const workers = JSON.parse(stdout) as ReadonlyArray<{ readonly slots: number; readonly pid: number }>
      return workers.find(({ slots }) => slots === 3)?.pid
    }
    const until = async (isSo: (pid: number | undefined) => boolean) => {
      let pid: number | undefined
      await eventually(async () => isSo((pid = await mine())), "a worker of it", 30_000)
      return pid ?? 0
    }
    const first = await until((pid) => pid !== undefined)
    await eventually(
      async () => /none is to be kept loaded, and is not: .*none\.gguf/.test((await on.rbee(["ps"])).stdout),
      "why"
    )
    const { kept: told } = JSON.parse((await on.rbee(["status", "--json"])).stdout) as {
      readonly kept: ReadonlyArray<object>
    }
    assert.deepInclude(told[0], { name: "mine", state: "loaded" })
    assert.deepInclude(told[1], { name: "none", state: "waiting" })
    process.kill(first, "SIGKILL")
    const second = await until((pid) => pid !== undefined && pid !== first)
    assert.notStrictEqual(second, first)
    // by hand it goes, and stays away
    await on.rbee(["stop", "mine"])
    assert.match((await on.rbee(["ps"])).stdout, /mine is to be kept loaded, and is not: it was stopped by hand/)
  })
})
