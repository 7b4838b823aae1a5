/** Ollama's official client on real processes. */
import { Ollama } from "ollama"
import { assert, describe, it } from "vitest"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const greeting = "Hello! I am minillama, a very small language model served by rbee. How can I help you?"
const hello = { model: "MiniLlama:latest", messages: [{ role: "user", content: "hello" }], options: { temperature: 0 } }

describe("Ollama's client", () => {
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
