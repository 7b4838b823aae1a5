/** Clients as people have them, on real processes: the official one, raw HTTP, and a page in a real Chromium. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"
import OpenAI, { NotFoundError } from "openai"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { Browser } from "playwright-core"
import { chromiumPath, launch, visit } from "../support/browser.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const up = async (env: Record<string, string> = {}) => {
  const on = await machine({ env })
  await on.rbee(["queen", "start"])
  return on
}
const hello = { model: "minillama", messages: [{ role: "user" as const, content: "hello" }], temperature: 0 }
const greeting = "Hello! I am minillama, a very small language model served by rbee. How can I help you?"

describe("a client", () => {
  it("of OpenAI's is served by any base url, any spelling of the model's name, and other makers' numbers", async () => {
    const on = await up()
    for (const [base, model] of [
      ["/v1", "MiniLlama"],
      ["", "minillama:latest"],
      ["//v1/", "minillama"]
    ] as const) {
      const client = new OpenAI({ baseURL: `${on.queenUrl}${base}`, apiKey: "none", maxRetries: 0 })
      const answer = await client.chat.completions.create({ ...hello, model, seed: -1, max_tokens: -1 })
      assert.strictEqual(answer.choices[0]?.message.content, greeting)
      assert.include(
        (await client.models.list()).data.map(({ id }) => id),
        "minillama"
      )
    }
    const client = new OpenAI({ baseURL: `${on.queenUrl}/v1`, apiKey: "none", maxRetries: 0 })
    const text = { model: "minillama", prompt: "Hello", max_tokens: 4, temperature: 0 }
    const goesOn = await client.completions.create({ ...text, prompt: ["Hello", "Hello"], echo: true })
    assert.deepEqual(
      goesOn.choices.map((choice) => choice.text),
      ["Hello, what is the", "Hello, what is the"]
    )
    const [card] = (await client.models.list()).data
    assert.deepInclude(Object(card), { created: Date.UTC(2026, 0, 1) / 1000, context_length: 512 })
    const greedy = await client.chat.completions.create({ ...hello, temperature: 1, top_p: 0 })
    assert.strictEqual(greedy.choices[0]?.message.content, greeting)
    const seeded = { ...hello, temperature: 1, seed: -(2 ** 62) }
    const [one, two] = [await client.chat.completions.create(seeded), await client.chat.completions.create(seeded)]
    assert.strictEqual(one.choices[0]?.message.content, two.choices[0]?.message.content)
    const unknown = await client.chat.completions
      .create({ ...hello, model: "gpt-4o" })
      .then(undefined, (error) => error)
    assert.instanceOf(unknown, NotFoundError)
    assert.include({ ...unknown }, { code: "model_not_found", param: "model" })
    const long = "word ".repeat(2000)
    const overflow = await client.chat.completions
      .create({ ...hello, messages: [{ role: "user", content: long }] })
      .then(undefined, (error) => error)
    assert.include({ ...overflow }, { status: 400, code: "context_length_exceeded" })
    assert.match(overflow.message, /maximum context length is 512 tokens/)
  })

  it("may ask for no token, which reads the prompt, streaming or not", async () => {
    const on = await up()
    const client = new OpenAI({ baseURL: `${on.queenUrl}/v1`, apiKey: "none", maxRetries: 0 })
    const none = await client.chat.completions.create({ ...hello, max_tokens: 0 })
    assert.deepInclude(none.choices[0], { finish_reason: "length" })
    assert.deepInclude(none.usage, { prompt_tokens: 10, completion_tokens: 0 })
    const reasons: Array<string> = []
    for await (const chunk of await client.chat.completions.create({ ...hello, max_tokens: 0, stream: true }))
      reasons.push(String(chunk.choices[0]?.finish_reason))
    assert.strictEqual(reasons.at(-1), "length")
  })

  it("that is an agent has its tools' history read, and its packed body", async () => {
    const on = await up()
    const body = {
      ...hello,
      max_tokens: 3,
      messages: [
        { role: "user", content: "6*7?" },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "1", type: "function", function: { name: "calc", arguments: "{}" } }]
        },
        { role: "tool", tool_call_id: "1", content: "42" }
      ]
    }
    const response = await fetch(`${on.queenUrl}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip", "x-request-id": "mine" },
      body: gzipSync(`\uFEFF${JSON.stringify(body)}`)
    })
    assert.strictEqual(response.status, 200, await response.text())
    assert.strictEqual(response.headers.get("x-request-id"), "mine")
  })
})

describe.skipIf(chromiumPath === undefined)("a page of another origin", () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser.close())

  it("streams a chat, and cannot reach anything else", async () => {
    const on = await up()
    const pages = createServer((_, response) =>
      response.setHeader("content-type", "text/html").end("<title>chat</title>")
    )
    await new Promise<void>((resolve) => pages.listen(0, "localhost", resolve))
    try {
      // a TCP server's address is never a string while it listens
      const { port } = pages.address() as AddressInfo
      const { page } = await visit(browser, on.queenUrl)
      await page.goto(`http://localhost:${port}/`)
      const ask = (path: string, init: string) =>
        page.evaluate<string>(
          `fetch(${JSON.stringify(on.queenUrl + path)}, ${init}).then((answer) => answer.text(), (error) => "refused: " + error.name)`
        )
      const init = `{ method: "POST", headers: { "content-type": "application/json", authorization: "Bearer none" },
        body: ${JSON.stringify(JSON.stringify({ ...hello, stream: true }))} }`
      const stream = await ask("/v1/chat/completions", init)
      const text = stream
        .split("\n\n")
        .filter((event) => event.startsWith("data: {"))
        .map((event) => JSON.parse(event.slice("data: ".length)).choices[0]?.delta.content ?? "")
        .join("")
      assert.strictEqual(text, greeting)
      assert.include(stream, "data: [DONE]")
      for (const path of ["/hives", "/metrics", "/health"])
        assert.strictEqual(await ask(path, "{}"), "refused: TypeError", path)
      assert.strictEqual(await ask("/shutdown", '{ method: "POST" }'), "refused: TypeError")
      assert.strictEqual((await fetch(`${on.queenUrl}/health`)).status, 200)
    } finally {
      pages.close()
    }
  })
})
