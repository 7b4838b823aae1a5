/** Ollama's official client on real processes. */
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Ollama } from "ollama"
import { assert, describe, it } from "vitest"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const greeting = "Hello! I am minillama, a very small language model served by rbee. How can I help you?"
const hello = { model: "MiniLlama:latest", messages: [{ role: "user", content: "hello" }], options: { temperature: 0 } }

/** Somebody on a port that was free. */
const listening = async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise<void>((resolve) => void server.close(() => resolve()))
  }
}

describe("Ollama's client", () => {
  it("finds the cluster on the port where it looks, if its operator wants that, and on the queen's", async () => {
    const { close, port } = await listening()
    await close()
    const on = await machine({ env: { RBEE_QUEEN_OLLAMA_PORT: String(port) } })
    await on.rbee(["queen", "start"])
    const own = `http://127.0.0.1:${port}`
    for (const url of [own, on.queenUrl]) {
      const sign = await fetch(url)
      assert.deepEqual([sign.status, await sign.text()], [200, "Ollama is running"])
      assert.strictEqual((await fetch(url, { method: "HEAD" })).status, 200)
    }
    const page = { headers: { accept: "text/html" } }
    assert.strictEqual(await (await fetch(own, page)).text(), "Ollama is running")
    assert.match(await (await fetch(on.queenUrl, page)).text(), /<title>rbee<\/title>/)
    const { models } = await new Ollama({ host: own }).list()
    assert.deepEqual(
      models.map(({ name }) => name),
      ["minillama"]
    )
    assert.strictEqual((await fetch(`${own}/workers`)).status, 401)
  })

  it("is not served there where the port is taken, and the queen says so and goes on", async () => {
    const { close, port } = await listening()
    const on = await machine({ env: { RBEE_QUEEN_OLLAMA_PORT: String(port) } })
    await on.rbee(["queen", "start"])
    assert.strictEqual((await fetch(`${on.queenUrl}/api/version`)).status, 200)
    const { stdout } = await on.rbee(["logs", "queen"])
    assert.match(stdout, new RegExp(`Ollama's clients are not served on ${port}: port ${port} .* already in use`))
    await close()
  })

  it("lists, shows, fetches, loads, asks, and unloads a model of a cluster", async () => {
    const on = await machine()
    await on.rbee(["up"])
    const client = new Ollama({ host: on.queenUrl })
    const operator = new Ollama({ host: on.queenUrl, headers: { authorization: `Bearer ${on.token() ?? ""}` } })
    assert.match((await client.version()).version, /^0\.(1[3-9]|[2-9]\d)\./)
    const fetching = { model: "minillama" }
    const refused = await client.pull(fetching).then(undefined, (error) => error)
    assert.strictEqual(refused.status_code, 401)
    assert.deepEqual(await operator.pull(fetching), { status: "success" } as object)
    const { models } = await client.list()
    assert.deepInclude(models.find(({ name }) => name === "minillama")?.details, { family: "llama", format: "gguf" })
    const shown = await client.show({ model: "minillama" })
    assert.deepInclude(shown, { capabilities: ["completion"] })
    assert.deepInclude(shown.model_info, { "llama.context_length": 512 })

    assert.deepInclude(await client.generate({ model: "minillama", prompt: "" }), { done_reason: "load" })
    assert.deepEqual(
      (await client.ps()).models.map(({ name }) => name),
      ["minillama"]
    )
    const whole = await client.chat(hello)
    assert.deepInclude(whole, { model: hello.model, done: true, done_reason: "stop", prompt_eval_count: 10 })
    assert.strictEqual(whole.message.content, greeting)
    assert.isAbove(whole.total_duration, whole.eval_duration)
    let text = ""
    for await (const { done, message } of await client.chat({ ...hello, stream: true })) {
      text += message.content
      assert.strictEqual(done, message.content === "")
    }
    assert.strictEqual(text, greeting)
    const { options } = hello
    const cut = await client.generate({ model: "minillama", prompt: "hello", options: { ...options, num_predict: 3 } })
    assert.deepInclude(cut, { response: "Hello! I", done_reason: "length", eval_count: 3 })
    // more than it was trained for is what it was trained for
    const roomy = await client.chat({ ...hello, options: { ...options, num_ctx: 8192 } })
    assert.strictEqual(roomy.message.content, greeting)

    assert.deepInclude(await client.generate({ model: "minillama", prompt: "", keep_alive: 0 }), {
      done_reason: "unload"
    })
    assert.deepEqual((await client.ps()).models, [])
  })
})
