/**
 * Tool calls on real processes: the official client sees each call whole and once, though the worker is killed meanwhile.
 * Every surface, and every token: killed-calls.test.ts.
 */
import OpenAI from "openai"
import { assert, describe, it } from "vitest"
import { eventually, type Machine, type Proc } from "../support/machine.ts"
import { useScripted } from "../support/scripted/cluster.ts"

const scripted = useScripted()

const weather = {
  type: "function" as const,
  function: {
    name: "get_weather",
    description: "tells the weather",
    parameters: { type: "object", properties: { city: { type: "string" }, days: { type: "integer" } } }
  }
}
const script = [
  "think: I have to look it up.",
  "say: Let me see.",
  `call: get_weather {"city":"Paris, \\"la ville\\"","days":3}`,
  "---",
  "say: It is {{results}}."
].join("\n")
const args = { city: 'Paris, "la ville"', days: 3 }

interface Heard {
  content: string
  reasoning: string
  calls: Array<{ id: string; name: string; arguments: string; told: number }>
  finish: string | null
}

const hear = async (
  client: OpenAI,
  request: OpenAI.Chat.ChatCompletionCreateParamsStreaming,
  onChunk: (heard: Heard) => void = () => undefined
): Promise<Heard> => {
  const heard: Heard = { content: "", reasoning: "", calls: [], finish: null }
  for await (const { choices } of await client.chat.completions.create(request)) {
    const [choice] = choices
    if (choice === undefined) continue
    const delta: typeof choice.delta & { reasoning_content?: string } = choice.delta
    heard.content += delta.content ?? ""
    heard.reasoning += delta.reasoning_content ?? ""
    for (const { function: made, id, index } of delta.tool_calls ?? []) {
      const call = (heard.calls[index] ??= { id: "", name: "", arguments: "", told: 0 })
      if (id !== undefined) call.id = id
      if (made?.name !== undefined) {
        call.name = made.name
        call.told++
      }
      call.arguments += made?.arguments ?? ""
    }
    heard.finish = choice.finish_reason ?? heard.finish
    onChunk(heard)
  }
  return heard
}

const clientOf = (queenUrl: string): OpenAI => new OpenAI({ baseURL: `${queenUrl}/v1`, apiKey: "none", maxRetries: 0 })
const kill = (on: Machine, wanted: Proc["role"]): void => {
  const struck = on.processes().find(({ role }) => role === wanted)
  if (struck !== undefined) process.kill(struck.pid, "SIGKILL")
}

const check = (heard: Heard): void => {
  assert.strictEqual(heard.reasoning, "I have to look it up.")
  assert.strictEqual(heard.content, "Let me see.")
  assert.strictEqual(heard.finish, "tool_calls")
  assert.lengthOf(heard.calls, 1)
  assert.deepInclude(heard.calls[0], { name: "get_weather", told: 1 })
  assert.deepEqual(JSON.parse(heard.calls[0]?.arguments ?? ""), args)
  assert.match(heard.calls[0]?.id ?? "", /^call_[0-9a-z]{9}$/)
}

describe("a tool's call over OpenAI's chat", () => {
  it("comes whole, its result goes back, and the answer says it", async () => {
    const { model, queenUrl } = await scripted()
    const client = clientOf(queenUrl)
    const messages: Array<OpenAI.Chat.ChatCompletionMessageParam> = [{ role: "user", content: script }]
    const first = await client.chat.completions.create({ model, messages, tools: [weather] })
    const message = first.choices[0]?.message
    assert.strictEqual(first.choices[0]?.finish_reason, "tool_calls")
    const call = message?.tool_calls?.[0]
    if (message === undefined || call?.type !== "function") throw new Error(JSON.stringify(first))
    assert.deepEqual(JSON.parse(call.function.arguments), args)
    messages.push(message, { role: "tool", tool_call_id: call.id, content: "18 degrees" })
    const second = await client.chat.completions.create({ model, messages, tools: [weather] })
    assert.deepInclude(second.choices[0], { finish_reason: "stop" })
    assert.strictEqual(second.choices[0]?.message.content, "It is 18 degrees.")
    // a stop string in the middle of a call: nobody is to make half of one
    const stopped = { model, messages: messages.slice(0, 1), tools: [weather], stop: ["la ville"] }
    const half = await client.chat.completions.create(stopped)
    assert.strictEqual(half.choices[0]?.finish_reason, "stop")
    assert.strictEqual((await hear(client, { ...stopped, stream: true })).finish, "stop")
  })

  it("streams, and is the same, once, where the worker is killed in the middle of it", async () => {
    const { machine, model, queenUrl } = await scripted({ RBEE_WORKER_MAX_TOKENS_PER_S: "30" })
    const client = clientOf(queenUrl)
    const request = {
      model,
      messages: [{ role: "user" as const, content: script }],
      tools: [weather],
      stream: true as const
    }
    check(await hear(client, request))
    let killed = 0
    const heard = await hear(client, request, ({ calls }) => {
      const [call] = calls
      if (killed > 0 || call === undefined || call.arguments.length < 5) return
      killed++
      kill(machine, "worker")
    })
    assert.strictEqual(killed, 1)
    check(heard)
    await eventually(() => machine.processes().some(({ role }) => role === "worker"), "another worker")
  })
})
