/**
 * What an answer goes through on real processes: several deaths by every signal that ends one, a queen that stands
 * still, a request that takes its workers down.
 */
import { assert, beforeAll, describe, it } from "vitest"
import { type Fault, paced, type Role, story, strike, told, undisturbedStory } from "../support/faults.ts"
import { hundredMillion } from "../support/gguf.ts"
import { eventually, type Running } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { eventsOf } from "../support/run-events.ts"

const machine = useMachines()
let undisturbed = ""
beforeAll(async () => {
  undisturbed = await undisturbedStory()
})

const tokensOf = (run: Running) => eventsOf(run).filter(({ event }) => event === "token")

type Death = readonly [Role, Fault]
const answers: ReadonlyArray<readonly [string, ReadonlyArray<Death>]> = [
  [
    "worker, by SIGABRT, SIGSEGV and SIGKILL",
    [
      ["worker", "SIGABRT"],
      ["worker", "SIGSEGV"],
      ["worker", "SIGKILL"]
    ]
  ],
  [
    "worker, then hive, then queen",
    [
      ["worker", "SIGKILL"],
      ["hive", "SIGKILL"],
      ["queen", "SIGKILL"]
    ]
  ],
  [
    "queen, then hive, then worker",
    [
      ["queen", "SIGKILL"],
      ["hive", "SIGKILL"],
      ["worker", "SIGSEGV"]
    ]
  ]
]

describe("one answer, three deaths", () => {
  it.each(answers)(
    "of the %s: the very text, one failover event for each worker lost",
    async (_, deaths) => {
      const on = await machine({ env: paced })
      const run = on.start([...story, "--json"])
      for (const [role, fault] of deaths) {
        const before = tokensOf(run).length
        await run.until(() => tokensOf(run).length > before + 15)
        assert.isBelow(tokensOf(run).length, 120, "the death fell inside the answer")
        assert.lengthOf(await strike(on, role, fault), 1)
      }
      const { code, stderr } = await run.finished
      assert.strictEqual(code, 0, stderr)
      const tokens = tokensOf(run)
      assert.strictEqual(tokens.map((token) => token["t"]).join(""), undisturbed.replace(/\n$/, ""))
      assert.deepEqual(
        tokens.map((token) => token["i"]),
        Array.from({ length: 120 }, (__, i) => i)
      )
      const failovers = eventsOf(run).filter(({ event }) => event === "failover")
      assert.lengthOf(failovers, deaths.filter(([role]) => role !== "queen").length)
      for (const failover of failovers) {
        assert.isAbove(Number(failover["tokens"]), 0)
        assert.isBelow(Number(failover["tokens"]), 120)
      }
      assert.lengthOf(
        eventsOf(run).filter(({ event }) => ["done", "error", "cancelled"].includes(event)),
        1
      )
    },
    60_000
  )
})

interface Chunk {
  readonly choices: ReadonlyArray<{
    readonly delta: { readonly content?: string }
    readonly logprobs: { readonly content: ReadonlyArray<{ readonly token: string; readonly logprob: number }> } | null
  }>
}

describe("an answer with logprobs", () => {
  it("has that of each token once and as undisturbed, although its worker was killed", async () => {
    const on = await machine({ env: paced })
    const started = await on.rbee(["queen", "start"])
    assert.strictEqual(started.code, 0, started.stderr)
    const request = { model: "minillama", max_tokens: 40, seed: 5, logprobs: true, top_logprobs: 2, stream: true }
    const messages = [{ role: "user", content: "tell me a story" }]
    const answered = async (disturb: (text: string) => void) => {
      const { body } = await on.fetch(`${on.queenUrl}/v1/chat/completions`, {
        method: "POST",
        body: JSON.stringify({ ...request, messages, ignore_eos: true })
      })
      const decoder = new TextDecoder()
      let stream = ""
      for await (const piece of body ?? []) {
        stream += decoder.decode(piece, { stream: true })
        disturb(stream)
      }
      const chunks = stream.split("\n").flatMap((line) => (line.startsWith("data: {") ? [line.slice(6)] : []))
      return chunks.flatMap((line) => (JSON.parse(line) as Chunk).choices)
    }
    const told = (choices: Chunk["choices"]) => choices.flatMap(({ logprobs }) => logprobs?.content ?? [])
    const wanted = await answered(() => undefined)
    assert.lengthOf(told(wanted), 40)
    let isStruck = false
    const found = await answered((stream) => {
      if (isStruck || stream.split("data: ").length < 15) return
      isStruck = true
      void strike(on, "worker", "SIGKILL")
    })
    assert.isTrue(isStruck)
    assert.deepEqual(told(found), told(wanted))
    const text = found.map(({ delta }) => delta.content ?? "").join("")
    assert.strictEqual(
      told(found)
        .map(({ token }) => token)
        .join(""),
      text
    )
  }, 60_000)
})

describe("a queen that is stopped in mid-answer", () => {
  it("has nobody decode for her any more, and the answer goes on when she continues", async () => {
    const env = { RBEE_WORKER_MAX_TOKENS_PER_S: "10", RBEE_HIVE_LATE_MS: "2000", RBEE_HIVE_LOST_MS: "4000" }
    const on = await machine({ env })
    const run = on.start(story)
    await run.until(told(20))
    const workers = `http://127.0.0.1:${on.ports.hive}/workers`
    const isBusy = async () => ((await (await on.fetch(workers)).json()) as ReadonlyArray<Ready>)[0]?.busy
    // told by the next beat
    await eventually(async () => (await isBusy()) === 1, "the worker is busy")
    const [queen = 0] = await strike(on, "queen", "SIGSTOP")
    await eventually(async () => (await isBusy()) === 0, "the worker is idle")
    assert.isBelow(run.stdout().length, undisturbed.length, "the answer was not over")
    process.kill(queen, "SIGCONT")
    const { code, stderr, stdout } = await run.finished
    assert.strictEqual(code, 0, stderr)
    assert.strictEqual(stdout, undisturbed)
  }, 60_000)
})

interface Ready {
  readonly busy: number
}

describe("a request that takes its workers down before it gives a token", () => {
  it("is poison after the second, which it meets alone; its neighbour's answer is whole", async () => {
    const on = await machine({ env: { RBEE_WORKER_CONTEXT: "4096", RBEE_WORKER_SLOTS: "2" } })
    const model = ["--model", `file:${await hundredMillion()}`]
    const short = ["infer", ...model, "--ignore-eos", "--max-tokens", "60", "--temperature", "0", "tell me a story"]
    const expected = await on.rbee(short)
    assert.strictEqual(expected.code, 0, expected.stderr)
    const neighbour = on.start(short)
    await neighbour.until(told(10))
    const started = (times: number) => (run: Running) => run.stderr().split("starting inference\n").length > times
    const poison = on.start(["infer", ...model, "word ".repeat(600)])
    for (const times of [1, 2]) {
      await poison.until(started(times))
      await strike(on, "worker", "SIGKILL")
    }
    const [ended, other] = await Promise.all([poison.finished, neighbour.finished])
    assert.strictEqual(ended.code, 1)
    assert.include(ended.stderr, "queen: job failed: POISON_REQUEST: 2 workers in a row died on this request")
    assert.strictEqual(other.code, 0, other.stderr)
    assert.strictEqual(other.stdout, expected.stdout)
  }, 90_000)
})
