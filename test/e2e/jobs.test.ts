/** Jobs over HTTP, and the OpenAI edge with the official client, on real processes. */
import OpenAI from "openai"
import { assert, describe, it } from "vitest"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()

const up = async (env: Record<string, string> = {}) => {
  const on = await machine({ env })
  const run = await on.rbee(["infer", "hello"])
  assert.strictEqual(run.code, 0, run.stderr)
  return on
}

const post = (on: Machine, path: string, body: unknown, headers: Record<string, string> = {}) =>
  on.fetch(`${on.queenUrl}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body)
  })

const submit = async (on: Machine, body: Record<string, unknown>): Promise<string> => {
  const answer = await post(on, "/jobs", { model: "minillama", prompt: "tell me a story", ...body })
  assert.strictEqual(answer.status, 201, await answer.clone().text())
  return ((await answer.json()) as { job_id: string }).job_id
}

interface Event {
  readonly id: string | undefined
  readonly event: string
  readonly data: Record<string, unknown>
}
const parse = (text: string): Array<Event> =>
  text.split("\n\n").flatMap((block) => {
    const field = (name: string) =>
      block
        .split("\n")
        .find((line) => line.startsWith(`${name}: `))
        ?.slice(name.length + 2)
    const event = field("event")
    return event === undefined ? [] : [{ id: field("id"), event, data: JSON.parse(field("data") ?? "{}") }]
  })
/** The whole sequence of a job, after `lastEventId`. */
const eventsOf = async (on: Machine, job: string, lastEventId?: string) =>
  parse(
    await (
      await on.fetch(`${on.queenUrl}/jobs/${job}/events`, {
        headers: lastEventId === undefined ? {} : { "last-event-id": lastEventId }
      })
    ).text()
  )
const textOf = (events: ReadonlyArray<Event>) =>
  events.flatMap(({ event, data }) => (event === "token" ? [String(data["t"])] : [])).join("")

describe("jobs", () => {
  it("run whether or not anybody reads, and replay from any event without gap or repeat", async () => {
    const on = await up()
    const job = await submit(on, { temperature: 0, ignore_eos: true, max_tokens: 40 })
    const all = await eventsOf(on, job)
    const numbered = all.filter(({ id }) => id !== undefined)
    assert.deepEqual(
      numbered.map(({ id }) => Number(id)),
      numbered.map((_, index) => index + 1)
    )
    assert.deepEqual(
      all.flatMap(({ event, data }) => (event === "token" ? [data["i"]] : [])),
      Array.from({ length: 40 }, (_, i) => i)
    )
    assert.strictEqual(all.at(-1)?.event, "done")
    for (const at of [1, 7, numbered.length - 1]) {
      assert.deepEqual(await eventsOf(on, job, String(at)), numbered.slice(at))
    }
  })

  it("decode together in n slots; the next one waits with its position known", async () => {
    const on = await up({ RBEE_WORKER_SLOTS: "2", RBEE_WORKER_MAX_TOKENS_PER_S: "30" })
    const long = { ignore_eos: true, max_tokens: 60 }
    const jobs = [await submit(on, long), await submit(on, long)]
    const view = async (id: string) =>
      (await (await on.fetch(`${on.queenUrl}/jobs/${id}`)).json()) as {
        state: string
        tokens: number
        position?: number
      }
    await eventually(async () => (await Promise.all(jobs.map(view))).every(({ tokens }) => tokens > 3), "both decode")
    const third = await submit(on, long)
    await eventually(async () => (await view(third)).position === 1, "the third waits at position 1")
    const events = await eventsOf(on, third)
    assert.isTrue(events.some(({ data }) => data["human"] === "job queued at position 1"))
    assert.strictEqual(events.at(-1)?.event, "done")
  })

  it("answer 429 with Retry-After when the queue is full", async () => {
    const on = await up({ RBEE_WORKER_SLOTS: "1", RBEE_QUEEN_QUEUE_MAX: "1", RBEE_WORKER_MAX_TOKENS_PER_S: "30" })
    const long = { ignore_eos: true, max_tokens: 200 }
    const first = await submit(on, long)
    await eventually(
      async () => ((await (await on.fetch(`${on.queenUrl}/jobs/${first}`)).json()) as { tokens: number }).tokens > 0,
      "the first decodes"
    )
    await submit(on, long)
    const refused = await post(on, "/jobs", { model: "minillama", prompt: "x", ...long })
    assert.strictEqual(refused.status, 429)
    assert.isNotNull(refused.headers.get("retry-after"))
    assert.strictEqual(((await refused.json()) as { error: { code: string } }).error.code, "QUEUE_FULL")
  })

  it("are cancelled mid-stream: no further token, slot free, 204 twice", async () => {
    const on = await up({ RBEE_WORKER_MAX_TOKENS_PER_S: "30" })
    const job = await submit(on, { ignore_eos: true, max_tokens: 300 })
    await eventually(
      async () => ((await (await on.fetch(`${on.queenUrl}/jobs/${job}`)).json()) as { tokens: number }).tokens > 2,
      "it decodes"
    )
    const cancel = () => on.fetch(`${on.queenUrl}/jobs/${job}`, { method: "DELETE" })
    assert.strictEqual((await cancel()).status, 204)
    assert.strictEqual((await cancel()).status, 204)
    const events = await eventsOf(on, job)
    assert.strictEqual(events.at(-1)?.event, "cancelled")
    assert.strictEqual((await on.fetch(`${on.queenUrl}/jobs/job-nothere`, { method: "DELETE" })).status, 404)
    await eventually(
      async () =>
        ((await (await on.fetch(`${on.queenUrl}/workers`)).json()) as Array<{ busy: number }>).every(
          ({ busy }) => busy === 0
        ),
      "the slot is free"
    )
  })

  it("continue exactly on another process when their worker is killed in mid-answer", async () => {
    const on = await up({ RBEE_WORKER_MAX_TOKENS_PER_S: "40" })
    const ask = { temperature: 0, ignore_eos: true, max_tokens: 120 }
    const undisturbed = textOf(await eventsOf(on, await submit(on, ask)))
    const job = await submit(on, ask)
    const tokens = async () =>
      ((await (await on.fetch(`${on.queenUrl}/jobs/${job}`)).json()) as { tokens: number }).tokens
    await eventually(async () => (await tokens()) > 20, "it is in mid-answer")
    const worker = on.processes().find(({ role }) => role === "worker")
    if (worker === undefined) throw new Error("no worker")
    process.kill(worker.pid, "SIGKILL")
    const events = await eventsOf(on, job)
    const failovers = events.filter(({ event }) => event === "failover")
    assert.lengthOf(failovers, 1)
    const at = Number(failovers[0]?.data["tokens"])
    assert.isTrue(at > 0 && at < 120, "the death fell inside the answer")
    assert.deepEqual(
      events.flatMap(({ event, data }) => (event === "token" ? [data["i"]] : [])),
      Array.from({ length: 120 }, (_, i) => i)
    )
    assert.strictEqual(textOf(events), undisturbed)
    assert.strictEqual(events.at(-1)?.event, "done")
  })

  it("refuse bad input with a typed 4xx and never echo it back", async () => {
    const on = await up()
    const bodies: ReadonlyArray<unknown> = [
      { model: "minillama", prompt: "secret-words", max_tokens: 0 },
      { model: "minillama", prompt: "secret-words", max_tokens: -1 },
      { model: "minillama", prompt: "secret-words", max_tokens: 1e9 },
      { model: "minillama", prompt: "secret-words", temperature: -1 },
      { model: "minillama", prompt: "secret-words", temperature: 3 },
      { model: "minillama", prompt: "secret-words", temperature: "NaN" },
      { model: "minillama", prompt: "secret-words", nonsense: 1 },
      { model: "minillama", prompt: ["secret-words"] },
      { model: 7, prompt: "secret-words" },
      { model: "minillama" },
      { model: "minillama", prompt: "secret-words", messages: [{ role: "user", content: "x" }] },
      "{not json secret-words"
    ]
    for (const body of bodies) {
      const answer = await post(on, "/jobs", body)
      const text = await answer.text()
      assert.strictEqual(answer.status, 400, text)
      assert.strictEqual((JSON.parse(text) as { error: { code: string } }).error.code, "INVALID_REQUEST")
      assert.notInclude(text, "secret-words")
    }
    const large = await post(on, "/jobs", { model: "minillama", prompt: "x".repeat(2 * 1024 * 1024) })
    assert.strictEqual(large.status, 413)
    assert.strictEqual((await on.fetch(`${on.queenUrl}/health`)).status, 200)
  })

  it("keep browsers of other sites out", async () => {
    const on = await up()
    const crossSite = await post(on, "/jobs", { model: "minillama", prompt: "x" }, { origin: "https://evil.example" })
    assert.strictEqual(crossSite.status, 403)
    assert.isNull(crossSite.headers.get("access-control-allow-origin"))
  })

  it("give one job for one idempotency key", async () => {
    const on = await up()
    const body = { model: "minillama", prompt: "hello" }
    const ids = await Promise.all(
      [1, 2].map(
        async () =>
          ((await (await post(on, "/jobs", body, { "idempotency-key": "k1" })).json()) as { job_id: string }).job_id
      )
    )
    assert.strictEqual(ids[0], ids[1])
    assert.strictEqual((await post(on, "/jobs", { ...body, prompt: "other" }, { "idempotency-key": "k1" })).status, 409)
  })
})

describe("the official openai client", () => {
  const clientOf = (on: Machine) => new OpenAI({ baseURL: `${on.queenUrl}/v1`, apiKey: "unused", maxRetries: 0 })
  const hello = { model: "minillama", temperature: 0, messages: [{ role: "user" as const, content: "hello" }] }

  it("lists models, answers, streams and reports usage", async () => {
    const on = await up()
    const client = clientOf(on)
    const models = await client.models.list()
    assert.include(
      models.data.map(({ id }) => id),
      "minillama"
    )
    const whole = await client.chat.completions.create(hello)
    assert.match(whole.choices[0]?.message.content ?? "", /^Hello! I am minillama/)
    assert.strictEqual(whole.choices[0]?.finish_reason, "stop")
    assert.isAbove(whole.usage?.completion_tokens ?? 0, 5)

    let text = ""
    let usage = 0
    const stream = await client.chat.completions.create({
      ...hello,
      stream: true,
      stream_options: { include_usage: true }
    })
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ""
      usage = chunk.usage?.completion_tokens ?? usage
    }
    assert.strictEqual(text, whole.choices[0]?.message.content)
    assert.strictEqual(usage, whole.usage?.completion_tokens)
  })

  it("aborts a stream, which cancels the job, and maps errors", async () => {
    const on = await up({ RBEE_WORKER_MAX_TOKENS_PER_S: "30" })
    const client = clientOf(on)
    const stream = await client.chat.completions.create({
      ...hello,
      messages: [{ role: "user", content: "tell me a story" }],
      stream: true
    })
    for await (const chunk of stream) if ((chunk.choices[0]?.delta.content ?? "") !== "") break
    stream.controller.abort()
    const jobs = async () => (await (await on.fetch(`${on.queenUrl}/jobs`)).json()) as Array<{ state: string }>
    await eventually(async () => (await jobs())[0]?.state === "cancelled", "the job is cancelled")

    const error = await client.chat.completions
      .create({ ...hello, model: "file:/nowhere/at-all.gguf" })
      .then(() => undefined)
      .catch((cause: unknown) => cause)
    assert.instanceOf(error, OpenAI.APIError)
    assert.strictEqual((error as InstanceType<typeof OpenAI.APIError>).status, 404)
    const long = await client.chat.completions
      .create({ ...hello, messages: [{ role: "user", content: "word ".repeat(5000) }] })
      .then(() => undefined)
      .catch((cause: unknown) => cause)
    assert.strictEqual((long as InstanceType<typeof OpenAI.APIError>).status, 400)
  })
})
