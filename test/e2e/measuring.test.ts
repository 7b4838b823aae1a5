/** Embeddings, rerank and score on real processes: a queen, her hive, and a worker for each model. */
import OpenAI from "openai"
import { Ollama } from "ollama"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { strike } from "../support/faults.ts"
import { eventually, makeMachine, type Machine } from "../support/machine.ts"
import type { WorkerView } from "../../src/machines/vocabulary/hive.ts"
import type { JobView } from "../../src/machines/vocabulary/job.ts"
import { vectorsIn } from "../../src/machines/formats/vectors.ts"
import { measuringModel } from "../support/families/measuring.ts"

const TEXTS = ["a small bee", "the wide green field", "a small bee"]

/** One cluster for all: each model is loaded once. */
let on: Machine
let bert: string
let ranker: string
beforeAll(async () => {
  on = await makeMachine()
  bert = `file:${await measuringModel({ pooling: "mean" })}`
  ranker = `file:${await measuringModel({ pooling: "rank" })}`
  await on.rbee(["up"])
}, 60_000)
afterAll(() => on.dispose())

const client = (): OpenAI => new OpenAI({ baseURL: `${on.queenUrl}/v1`, apiKey: "none", maxRetries: 0 })

/** What a test reads of an answer. */
interface Answered {
  readonly data: ReadonlyArray<{ readonly embedding: string | ReadonlyArray<number>; readonly score: number }>
  readonly results: ReadonlyArray<{
    readonly index: number
    readonly relevance_score: number
    readonly document?: unknown
  }>
  readonly usage: OpenAI.CreateEmbeddingResponse.Usage
  readonly error: {
    readonly message: string
    readonly param: string
    readonly details: Readonly<Record<string, unknown>>
  }
}

const post = async (path: string, asked: object, { queenUrl } = on) => {
  const answer = await fetch(`${queenUrl}${path}`, { method: "POST", body: JSON.stringify(asked) })
  const body: Answered = JSON.parse(await answer.text())
  return { status: answer.status, ignored: answer.headers.get("x-rbee-ignored"), body }
}

const length = (vector: ReadonlyArray<number>): number => Math.hypot(...vector)

describe("A model for embeddings, through the cluster", () => {
  it("gives OpenAI's client a vector of length one for each text, and counts what it read", async () => {
    const { data, usage } = await client().embeddings.create({ model: bert, input: TEXTS })
    expect(data.map(({ index }) => index)).toEqual([0, 1, 2])
    const [first, second, third] = data.map(({ embedding }) => embedding)
    expect(first).toHaveLength(64)
    expect(length(first ?? [])).toBeCloseTo(1, 5)
    expect(third).toEqual(first)
    expect(second).not.toEqual(first)
    expect(usage.total_tokens).toBe(usage.prompt_tokens)
    expect(usage.prompt_tokens).toBeGreaterThan(TEXTS.length * 2)
  }, 60_000)

  it("gives the same vectors as base64, which that client asks for by itself, and as numbers", async () => {
    const [asked] = (await client().embeddings.create({ model: bert, input: "a small bee" })).data
    const numbers = await post("/v1/embeddings", { model: bert, input: "a small bee" })
    const base64 = await post("/v1/embeddings", { model: bert, input: "a small bee", encoding_format: "base64" })
    const encoded = base64.body.data[0]?.embedding
    expect(typeof encoded).toBe("string")
    expect(vectorsIn(String(encoded)).map((vector) => [...vector])).toEqual([asked?.embedding])
    expect(numbers.body.data[0]?.embedding).toEqual(asked?.embedding)
  })

  it("reads ids of tokens as they are, one text of them or several", async () => {
    const { data } = await client().embeddings.create({ model: bert, input: [2, 45, 46, 3] })
    const several = await client().embeddings.create({
      model: bert,
      input: [
        [2, 45, 46, 3],
        [2, 3]
      ]
    })
    expect(data).toHaveLength(1)
    expect(several.data).toHaveLength(2)
    expect(several.data[0]?.embedding).toEqual(data[0]?.embedding)
    expect(several.usage.prompt_tokens).toBe(6)
  })

  it("gives the first dimensions alone where fewer are wanted, of length one again, and refuses more than it has", async () => {
    const [whole] = (await client().embeddings.create({ model: bert, input: "a small bee" })).data
    const [cut] = (await client().embeddings.create({ model: bert, input: "a small bee", dimensions: 16 })).data
    expect(cut?.embedding).toHaveLength(16)
    expect(length(cut?.embedding ?? [])).toBeCloseTo(1, 5)
    const ratio = (whole?.embedding[0] ?? 0) / (cut?.embedding[0] ?? 0)
    expect((whole?.embedding[15] ?? 0) / (cut?.embedding[15] ?? 0)).toBeCloseTo(ratio, 4)
    const { body, status } = await post("/v1/embeddings", { model: bert, input: "a small bee", dimensions: 65 })
    expect([status, body.error]).toMatchObject([400, { param: "dimensions", details: { max: 64 } }])
  })

  it("refuses a text that is longer than its context, with both numbers", async () => {
    const { body, status } = await post("/v1/embeddings", { model: bert, input: ["a", "bee ".repeat(200)] })
    expect([status, body.error]).toMatchObject([
      400,
      { code: "context_length_exceeded", details: { context: 128, code: "INVALID_REQUEST" } }
    ])
    expect(body.error.details["prompt_tokens"]).toBeGreaterThan(200)
    expect(body.error.message).toMatch(/maximum context length is 128 tokens/)
  })

  it("has its context grown for a text that needs more than is usual", async () => {
    const model = `file:${await measuringModel({ architecture: "llama", pooling: "last", context: 16_384, layers: 1 })}`
    expect((await post("/v1/embeddings", { model, input: "a" })).status).toBe(200)
    const contexts = async (): Promise<ReadonlyArray<number>> => {
      const workers: ReadonlyArray<WorkerView> = JSON.parse(await (await on.fetch(`${on.queenUrl}/workers`)).text())
      return workers.filter((worker) => worker.model === model).map(({ context }) => context)
    }
    expect(await contexts()).toEqual([8192])
    const { body, status } = await post("/v1/embeddings", { model, input: Array.from({ length: 8500 }, () => 70) })
    expect([status, body.usage]).toMatchObject([200, { prompt_tokens: 8500 }])
    expect(Math.max(...(await contexts()))).toBeGreaterThan(8500)
  }, 60_000)

  it("refuses to chat, and to rank: it says what it is for", async () => {
    const messages = [{ role: "user", content: "hello" }]
    for (const [path, asked] of [
      ["/v1/chat/completions", { messages }],
      ["/v1/rerank", { query: "a", documents: ["b"] }]
    ] as const) {
      const { body, status } = await post(path, { model: bert, ...asked })
      expect([path, status, body.error]).toMatchObject([
        path,
        400,
        { code: "model_invalid", param: "model", details: { code: "MODEL_INVALID", purpose: "embeddings" } }
      ])
    }
  })
})

describe("Texts on /jobs", () => {
  it("are a job as any other, whose tokens are vectors, and ask for nothing that is for answers", async () => {
    const submit = (asked: object) =>
      fetch(`${on.queenUrl}/jobs`, { method: "POST", body: JSON.stringify({ model: bert, ...asked }) })
    const { events }: { readonly events: string } = JSON.parse(await (await submit({ embed: TEXTS })).text())
    const told = await (await fetch(`${on.queenUrl}${events}`)).text()
    const tokens = [...told.matchAll(/^event: token\ndata: (.*)$/gm)].map(([, data = ""]) => JSON.parse(data).t)
    expect(vectorsIn(tokens.join(""))).toHaveLength(TEXTS.length)
    expect(told).toMatch(/^event: done$/m)
    for (const wish of [{ max_tokens: 5 }, { temperature: 0 }, { raw: true }, { tools: [{ name: "f" }] }]) {
      const refused = await submit({ embed: TEXTS, ...wish })
      const { error }: Answered = JSON.parse(await refused.text())
      expect([refused.status, error.details["field"]]).toEqual([400, Object.keys(wish)[0]])
    }
  })
})

describe("What a model is for", () => {
  it("is told by OpenAI's list, by Ollama's show, and by the keeper", async () => {
    const { data } = await client().models.list()
    expect(data.find(({ id }) => id === bert)).toMatchObject({ purpose: "embeddings" })
    expect(data.find(({ id }) => id === "minillama")).toMatchObject({ purpose: "chat" })
    const { capabilities } = await new Ollama({ host: on.queenUrl }).show({ model: bert })
    expect(capabilities).toEqual(["embedding"])
    const { stdout } = await on.rbee(["models", "show", bert])
    expect(stdout).toMatch(/is for: +embeddings/)
    expect((await on.rbee(["models", "ls"])).stdout).toMatch(/ FOR .*\n(.*\n)*.* embeddings /)
  })
})

describe("Ollama's client", () => {
  it("has a vector for each text, of length one, and fewer dimensions of it", async () => {
    const ollama = new Ollama({ host: on.queenUrl })
    const all = await ollama.embed({ model: bert, input: TEXTS })
    const { data } = await client().embeddings.create({ model: bert, input: TEXTS })
    expect(all.embeddings).toEqual(data.map(({ embedding }) => embedding))
    expect(all.prompt_eval_count).toBeGreaterThan(TEXTS.length * 2)
    expect(all.total_duration).toBeGreaterThan(0)
    const cut = await ollama.embed({ model: bert, input: "a small bee", dimensions: 8 })
    expect(cut.embeddings.map((vector) => vector.length)).toEqual([8])
    expect((await ollama.embed({ model: bert, input: [] })).embeddings).toEqual([])
  })

  it("has that of one text as older ones asked for it: as the model gives it", async () => {
    const ollama = new Ollama({ host: on.queenUrl })
    const { embedding } = await ollama.embeddings({ model: bert, prompt: "a small bee" })
    const [unit = []] = (await ollama.embed({ model: bert, input: "a small bee" })).embeddings
    const scale = length(embedding)
    expect(scale).toBeGreaterThan(1.5)
    expect(embedding[5] ?? 0).toBeCloseTo((unit[5] ?? 0) * scale, 4)
  })

  it("hears that a model for chat gives no vectors", async () => {
    const ollama = new Ollama({ host: on.queenUrl })
    await expect(ollama.embed({ model: "minillama", input: "a" })).rejects.toMatchObject({
      status_code: 400,
      message: expect.stringContaining("the model is for chat, and is asked for embeddings")
    })
  })
})

describe("A model for chat", () => {
  it("gives no vectors, and ranks nothing", async () => {
    for (const [path, asked] of [
      ["/v1/embeddings", { input: "a" }],
      ["/v1/rerank", { query: "a", documents: ["b"] }],
      ["/v1/score", { text_1: "a", text_2: "b" }]
    ] as const) {
      const { body, status } = await post(path, { model: "minillama", ...asked })
      expect([path, status, body.error.details]).toMatchObject([path, 400, { code: "MODEL_INVALID", purpose: "chat" }])
    }
  }, 60_000)
})

describe("A model that ranks, through the cluster", () => {
  const documents = ["the wide green field", "a small bee", "one text, that is longer", "a flower"]
  const query = "which bee?"

  it("gives its texts with the best first, as Jina's clients read it", async () => {
    const { body, status } = await post("/v1/rerank", { model: ranker, query, documents })
    expect(status).toBe(200)
    const scores: ReadonlyArray<number> = body.results.map((one) => one.relevance_score)
    expect(scores).toEqual(scores.toSorted((a, b) => b - a))
    expect(new Set(scores).size).toBe(4)
    expect(body.results.map((one) => one.index).toSorted()).toEqual([0, 1, 2, 3])
    expect(body.usage.prompt_tokens).toBe(body.usage.total_tokens)
    expect(body.results[0]).not.toHaveProperty("document")
  }, 60_000)

  it("gives so many as are wanted, with their texts where that is wanted", async () => {
    const asked = { model: ranker, query, documents: documents.map((text) => ({ text })), top_n: 2 }
    const { body } = await post("/rerank", { ...asked, return_documents: true })
    expect(body.results).toHaveLength(2)
    for (const { document, index } of body.results) expect(document).toEqual({ text: documents[index] })
  })

  it("answers alike by each of its paths, and in the other form where it is asked with `texts`", async () => {
    const wanted = (await post("/v1/rerank", { model: ranker, query, documents })).body.results
    for (const path of ["/v1/reranking", "/reranking", "/rerank"])
      expect((await post(path, { model: ranker, query, documents })).body.results).toEqual(wanted)
    const other = await post("/rerank", { model: ranker, query, texts: documents, return_text: true })
    expect(other.body).toEqual(
      wanted.map(({ index, relevance_score }) => ({
        index,
        score: relevance_score,
        text: documents[index]
      }))
    )
  })

  it("scores texts in their order: one against many, and pair by pair", async () => {
    const { results } = (await post("/v1/rerank", { model: ranker, query, documents })).body
    const expected = documents.map((_, i) => results.find(({ index }) => index === i)?.relevance_score)
    const scores = async (asked: object) =>
      (await post("/v1/score", { model: ranker, ...asked })).body.data.map(({ score }) => score)
    expect(await scores({ text_1: query, text_2: documents })).toEqual(expected)
    expect(await scores({ text_1: documents.map(() => query), text_2: documents })).toEqual(expected)
    const uneven = await post("/v1/score", { model: ranker, text_1: ["a", "b"], text_2: ["a", "b", "c"] })
    expect([uneven.status, uneven.body.error.param]).toEqual([400, "text_2"])
  })
})

describe("A job whose worker dies in the middle of its texts", () => {
  const texts = Array.from({ length: 12 }, (_, i) => `${TEXTS[i % 2]} ${"abcdefghijkl"[i]}`)
  for (const [role, path, asked] of [
    ["worker", "/v1/embeddings", { input: texts }],
    ["hive", "/v1/embeddings", { input: texts }],
    ["worker", "/v1/rerank", { query: "which bee?", documents: texts }]
  ] as const)
    it(`goes on elsewhere with the next one, and its client sees one answer: ${role}, ${path}`, async () => {
      const model = path === "/v1/rerank" ? ranker : bert
      const undisturbed = await post(path, { model, ...asked })
      const paced = await makeMachine({ env: { RBEE_WORKER_MAX_TOKENS_PER_S: "8" } })
      try {
        await paced.rbee(["up"])
        const answer = post(path, { model, ...asked }, paced)
        const jobs = async (): Promise<ReadonlyArray<JobView>> =>
          JSON.parse(await (await fetch(`${paced.queenUrl}/jobs`)).text())
        await eventually(async () => ((await jobs())[0]?.tokens ?? 0) >= 2, "some texts are measured")
        expect((await jobs())[0]?.tokens).toBeLessThan(texts.length)
        expect(await strike(paced, role, "SIGKILL")).not.toEqual([])
        const { body, status } = await answer
        expect(status).toBe(200)
        expect({ ...body, model }).toEqual({ ...undisturbed.body, model })
        expect((await jobs()).map(({ failovers, state }) => [failovers, state])).toEqual([[1, "done"]])
      } finally {
        await paced.dispose()
      }
    }, 60_000)
})
