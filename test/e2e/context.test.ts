/** How many tokens a slot gets, and what happens to a prompt that needs more. */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { tiny } from "../support/gguf.ts"
import { eventually, type Machine, processesUnder } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()

interface Worker {
  readonly id: string
  readonly context: number
}
const workers = async (on: Machine) => (await (await on.fetch(`${on.queenUrl}/workers`)).json()) as Array<Worker>
const contexts = async (on: Machine) => (await workers(on)).map(({ context }) => context).toSorted((a, b) => a - b)

const ask = async (on: Machine, model: string, content: string) => {
  const body = { model, max_tokens: 4, messages: [{ role: "user", content }] }
  const answer = await on.fetch(`${on.queenUrl}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body)
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, Record<string, unknown>> }
}
const words = (count: number): string => "a ".repeat(count)
const trainedOn = async (context: number) => `file:${await tiny({ context })}`

describe("a model that was trained with a million tokens", () => {
  it("answers hello with a context that users want, and says which and how to get more", async () => {
    const on = await machine()
    const model = await trainedOn(1_000_000)
    const run = await on.rbee(["infer", "--model", model, "--max-tokens", "4", "hello"])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.include(run.stderr, "context of 32768 tokens (trained: 1000000); a longer prompt or --context gets more")
    assert.match((await on.rbee(["workers", "ls"])).stdout, /32768/)
    assert.match((await on.rbee(["models", "show", model])).stdout, /usual context: +at most 32768 tokens; .*--context/)
    const asked = await on.rbee(["infer", "--model", model, "--context", "40000", "--max-tokens", "4", "hello"])
    assert.strictEqual(asked.code, 0, asked.stderr)
    assert.deepEqual(await contexts(on), [32_768, 40_000])
  })
})

const parkedIn = (on: Machine) => {
  const folder = join(on.home, "hive-localhost", "parked")
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".kv")) : []
}

describe("a conversation whose worker was killed", () => {
  it("does not have its prompt read again by the next one, until what is kept of it is deleted", async () => {
    const on = await machine({ env: { RBEE_WORKER_THREADS: "1" } })
    assert.strictEqual((await on.rbee(["up"])).code, 0)
    const model = await trainedOn(2000)
    const one = await ask(on, model, words(300))
    await eventually(() => Promise.resolve(parkedIn(on).length > 0), "what its slot holds is parked")
    const worker = processesUnder(on.home).find(({ role }) => role === "worker")
    assert.isDefined(worker)
    process.kill(worker?.pid ?? 0, "SIGKILL")
    const next = await ask(on, model, words(310))
    assert.strictEqual(next.status, 200, JSON.stringify(next.body))
    const cached = (answer: typeof one) => Object(answer.body["usage"]?.["prompt_tokens_details"]).cached_tokens
    assert.strictEqual(cached(one), 0)
    assert.isAbove(cached(next), 250)
    assert.match(
      (await on.rbee(["status"])).stdout,
      /1 conversation kept on disk, .*; 1 answer did not read \d+ tokens/
    )
    assert.match((await on.rbee(["cache", "clear"])).stdout, /1 conversation deleted/)
    assert.deepEqual(parkedIn(on), [])
    assert.strictEqual(cached(await ask(on, model, words(320))), 0)
  })
})

/** 16 KB of cache a token */
const heavy = async () => `file:${await tiny({ context: 1_000_000, layers: 64 })}`

/** A short context at first, and a device with room for one worker. */
const oneGpu = (vram_mb: number) => ({ RBEE_HIVE_GPUS: JSON.stringify([{ id: "gpu0", name: "RTX 3060", vram_mb }]) })
// one thread: two wait for each other by spinning, which takes minutes where others use the cores
const small = { RBEE_WORKER_CONTEXT: "512", RBEE_WORKER_THREADS: "1", ...oneGpu(180) }

describe("a prompt that is too long for its worker", () => {
  it("gets a second worker with the context that it needs, where both fit", async () => {
    const on = await machine({ env: { RBEE_WORKER_CONTEXT: "512" } })
    assert.strictEqual((await on.rbee(["up"])).code, 0)
    const model = await trainedOn(100_000)
    assert.strictEqual((await ask(on, model, "hello")).status, 200)
    const long = await ask(on, model, words(700))
    assert.strictEqual(long.status, 200, JSON.stringify(long.body))
    assert.isAbove(Number(long.body["usage"]?.["prompt_tokens"]), 512)
    const [first, large] = await contexts(on)
    assert.strictEqual(first, 512)
    assert.isAbove(large ?? 0, 1400)
    // both serve on, and the next long one finds its room
    assert.strictEqual((await ask(on, model, words(701))).status, 200)
    assert.lengthOf(await workers(on), 2)
  })

  it("is not in its way where --context asks for more than worker.context", async () => {
    const on = await machine({ env: { RBEE_WORKER_CONTEXT: "512" } })
    const model = await trainedOn(100_000)
    const run = await on.rbee(["infer", "--model", model, "--context", "2048", "--max-tokens", "4", words(700)])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.deepEqual(await contexts(on), [2048])
  })

  it("takes the place of its worker where only one fits", async () => {
    const on = await machine({ env: small })
    const model = await heavy()
    const infer = (prompt: string) => on.rbee(["infer", "--no-cpu", "--model", model, "--max-tokens", "4", prompt])
    assert.strictEqual((await infer("hello")).code, 0)
    const run = await infer(words(300))
    assert.strictEqual(run.code, 0, run.stderr)
    assert.include(run.stderr, "queen: the prompt needs a context of")
    assert.include(run.stderr, "queen: unloading an idle worker of GPU0 to make room")
    await eventually(async () => (await workers(on)).length === 1, "the old one is gone")
  }, 120_000)

  it("is refused with the longest context that the machine could give, where none fits", async () => {
    const on = await machine({ env: small })
    const model = await heavy()
    const run = await on.rbee(["infer", "--no-cpu", "--model", model, words(10_000)])
    assert.strictEqual(run.code, 1)
    const most = Number(/maximum context length is (\d+) tokens here/.exec(run.stderr)?.[1])
    assert.isAbove(most, 512, run.stderr)
    const fits = ["infer", "--no-cpu", "--model", model, "--context", String(most), "--max-tokens", "4", "hello"]
    const second = await on.rbee(fits)
    assert.strictEqual(second.code, 0, second.stderr)
  })
})

describe("a prompt of more bytes than the context can stand for", () => {
  it("is refused before it is a job, once a hive knows the model, on both ways in", async () => {
    const on = await machine()
    assert.strictEqual((await on.rbee(["infer", "--max-tokens", "4", "hello"])).code, 0)
    const prompt = words(400_000)
    const asked = await ask(on, "minillama", prompt)
    assert.strictEqual(asked.status, 400)
    assert.match(String(asked.body["error"]?.["message"]), /maximum context length is 512 tokens.*has 800000 bytes/)
    assert.strictEqual(asked.body["error"]?.["code"], "context_length_exceeded")
    const headers = { "content-type": "application/json" }
    const body = JSON.stringify({ model: "minillama", prompt })
    const refused = await on.fetch(`${on.queenUrl}/jobs`, { method: "POST", headers, body })
    assert.strictEqual(refused.status, 400)
    assert.include(await refused.text(), "maximum context length is 512 tokens")
    assert.lengthOf((await (await on.fetch(`${on.queenUrl}/jobs`)).json()) as Array<unknown>, 1)
  })
})

describe("an answer that is longer than its worker's context", () => {
  it("goes on in a larger one, and has every token that was asked for", async () => {
    const on = await machine({ env: { RBEE_WORKER_CONTEXT: "256" } })
    const model = await trainedOn(100_000)
    const run = await on.rbee(["infer", "--model", model, "--ignore-eos", "--max-tokens", "300", words(100)])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.match(
      run.stderr,
      /the answer has filled a context of 256 tokens; it goes on in one of \d+, which is being made/
    )
    const [job] = (await (await on.fetch(`${on.queenUrl}/jobs`)).json()) as Array<Record<string, unknown>>
    assert.deepInclude(job, { state: "done", tokens: 300 })
  })

  it("ends with what it has where none is to be had, and says why", async () => {
    const on = await machine({ env: { ...small, ...oneGpu(124) } })
    const model = await heavy()
    const asked = ["infer", "--no-cpu", "--model", model, "--ignore-eos", "--max-tokens", "1000000", words(150)]
    const run = await on.rbee(asked)
    assert.strictEqual(run.code, 0, run.stderr)
    assert.match(run.stderr, /the answer ends here, it has filled a context of \d+ tokens: .*needs \d+ MB/)
    const contexts = [...run.stderr.matchAll(/filled a context of (\d+) tokens/g)].map(([, context]) => Number(context))
    // what there was room for was used first
    assert.isAbove(contexts.at(-1) ?? 0, 512, run.stderr)
  }, 120_000)
})
