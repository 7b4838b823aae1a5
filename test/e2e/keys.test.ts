/** A key for each person, as docs/sharing.md has it: made, limited, counted over deaths, revoked (real daemons). */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, expect, it } from "vitest"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines(afterAll)
let on: Machine
beforeAll(async () => {
  on = await machine({ env: { RBEE_WORKER_MAX_TOKENS_PER_S: "8" } })
})

const keyFor = async (name: string, ...flags: ReadonlyArray<string>): Promise<string> => {
  const { code, stdout } = await on.rbee(["keys", "add", name, ...flags])
  assert.strictEqual(code, 0)
  return stdout.trim()
}

const asked = (key: string, path: string, body?: unknown, headers = {}) =>
  fetch(`${on.queenUrl}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}`, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })

const messages = [{ role: "user", content: "hello" }]
const chat = (key: string, max_tokens: number) =>
  asked(key, "/v1/chat/completions", { model: "minillama", max_tokens, messages })

interface Usage {
  readonly keys: ReadonlyArray<{
    readonly key: string
    readonly running: number
    readonly days: ReadonlyArray<{
      readonly jobs: number
      readonly prompt_tokens: number
      readonly completion_tokens: number
    }>
  }>
}
const usageOf = async (key: string) => ((await (await asked(key, "/v1/usage")).json()) as Usage).keys[0]

describe("a key of one's own", () => {
  it("is shown once, asks models, and is refused what is left to others, over each client's interface", async () => {
    const key = await keyFor("ada", "--concurrent", "2", "--tokens-per-day", "12")
    assert.match(key, /^rbk_[0-9a-f]{64}$/)
    assert.strictEqual((await on.rbee(["keys", "add", "ada"])).code, 1)
    assert.strictEqual((await on.rbee(["keys", "add", "eve", "--expires", "yesterday"])).code, 2)
    assert.strictEqual((await on.rbee(["keys", "add", "eve", "--scope", "all"])).code, 2)
    assert.notInclude((await on.rbee(["keys", "ls", "--json"])).stdout, key)
    assert.isFalse(readFileSync(join(on.home, "queen", "catalog.sqlite")).includes(key))
    assert.strictEqual((await chat(key, 4)).status, 200)
    assert.strictEqual((await asked(key, "/hives")).status, 403)
    assert.strictEqual((await asked(key, "/metrics")).status, 403)
    assert.strictEqual((await chat(key, 4)).status, 429)
    const refused = await chat(key, 4)
    const wait = Number(refused.headers.get("retry-after"))
    assert.isTrue(wait > 0 && wait <= 25 * 3600)
    expect(await refused.json()).toMatchObject({
      error: { type: "rate_limit_error", code: "rate_limit_exceeded", details: { limit: "tokens_per_day", left: 0 } }
    })
    const ofAnthropic = await asked(
      "",
      "/v1/messages",
      { model: "minillama", max_tokens: 4, messages },
      {
        authorization: "",
        "x-api-key": key
      }
    )
    expect([ofAnthropic.status, await ofAnthropic.json()]).toMatchObject([
      429,
      { type: "error", error: { type: "rate_limit_error", details: { left: 0 } } }
    ])
    const ofOllama = await asked(key, "/api/chat", { model: "minillama", messages })
    expect([ofOllama.status, await ofOllama.json()]).toMatchObject([429, { code: "LIMIT_REACHED" }])
  }, 60_000)

  it("asks by the command line too, which hears of its own job and is told what it may not do", async () => {
    const env = { RBEE_TOKEN: await keyFor("cleo") }
    const answered = await on.rbee(["infer", "--max-tokens", "4", "hello"], { env })
    assert.strictEqual(answered.code, 0, answered.stderr)
    assert.isAbove(answered.stdout.length, 2)
    const refused = await on.rbee(["hives", "ls"], { env })
    assert.strictEqual(refused.code, 1)
    assert.include(refused.stderr, "FORBIDDEN")
  })

  it("is charged for an answer once, though its queen was killed in the middle, and ends within a second when revoked", async () => {
    const key = await keyFor("ben")
    const made = await asked(key, "/jobs", { model: "minillama", messages, max_tokens: 40 })
    const { job_id } = (await made.json()) as { job_id: string }
    const tokens = async () =>
      ((await (await on.fetch(`${on.queenUrl}/jobs/${job_id}`)).json()) as { tokens: number; state: string }).tokens
    await eventually(async () => (await tokens()) > 5, "its first tokens")
    const queen = on.processes().find(({ command }) => command.includes("queen"))
    assert.isDefined(queen)
    process.kill(queen.pid, "SIGKILL")
    assert.strictEqual((await on.rbee(["queen", "start"])).code, 0)
    await eventually(async () => {
      const usage = await usageOf(key)
      return usage?.running === 0 && usage.days.length === 1
    }, "its end")
    const job = (await (await on.fetch(`${on.queenUrl}/jobs/${job_id}`)).json()) as {
      usage: { prompt_tokens: number; completion_tokens: number }
    }
    expect(await usageOf(key)).toMatchObject({
      days: [{ jobs: 1, prompt_tokens: job.usage.prompt_tokens, completion_tokens: job.usage.completion_tokens }]
    })

    const stream = await asked(key, "/v1/chat/completions", {
      model: "minillama",
      messages,
      max_tokens: 400,
      stream: true
    })
    assert.strictEqual(stream.status, 200)
    const revoked = performance.now()
    const revoking = await on.fetch(`${on.queenUrl}/keys/ben`, { method: "DELETE" })
    expect(await revoking.json()).toEqual({ name: "ben", ended: 1 })
    assert.include(await stream.text(), "key ben was revoked while this ran")
    assert.isBelow(performance.now() - revoked, 1000)
    assert.strictEqual((await chat(key, 1)).status, 401)
    // what it looked at is cut as well
    const watcher = await keyFor("eve", "--scope", "infer,observe")
    const events = await asked(watcher, "/events")
    assert.strictEqual(events.status, 200)
    const cut = performance.now()
    assert.strictEqual((await on.fetch(`${on.queenUrl}/keys/eve`, { method: "DELETE" })).status, 200)
    await events.text().catch(() => "")
    assert.isBelow(performance.now() - cut, 2000)
    assert.strictEqual((await on.rbee(["keys", "revoke", "ben"])).code, 1)
    const audit = await on.rbee(["audit"])
    for (const word of ["addKey", "ben", "revokeKey"]) assert.include(audit.stdout, word)
  }, 90_000)
})
