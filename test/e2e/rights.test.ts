/** What another account of the queen's machine may do, and what her own user and a browser of theirs (real daemons). */
import { statSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { callAt } from "../support/hostile-hive.ts"
import type { Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()

const chat = (prompt: string) => ({
  model: "minillama",
  max_tokens: 4,
  messages: [{ role: "user", content: prompt }]
})

/** Anybody of this machine, with nothing in hand. */
const anybody = (on: Machine, method: string, path: string, body?: unknown, headers = {}) =>
  callAt(on.ports.queen, { method, path, headers, ...(body === undefined ? {} : { body }) })

const jobsIn = (text: string): ReadonlyArray<string> =>
  (JSON.parse(text) as ReadonlyArray<{ job_id: string }>).map(({ job_id }) => job_id)

describe("on loopback, without a token", () => {
  it("models are asked and one's own jobs looked at; others' are not there, and nothing else is answered", async () => {
    const on = await machine()
    assert.strictEqual((await on.rbee(["infer", "--quiet", "my own secret"])).code, 0)
    assert.strictEqual(statSync(join(on.home, "token")).mode & 0o777, 0o600)
    const mine = jobsIn(await (await on.fetch(`${on.queenUrl}/jobs`)).text())
    assert.lengthOf(mine, 1)

    assert.strictEqual((await anybody(on, "POST", "/v1/chat/completions", chat("hello"))).status, 200)
    const key = { "idempotency-key": "one" }
    const made = await anybody(on, "POST", "/jobs", { model: "minillama", prompt: "hello", max_tokens: 2 }, key)
    assert.strictEqual(made.status, 201)
    const id = (JSON.parse(made.text) as { job_id: string }).job_id
    const seen = jobsIn((await anybody(on, "GET", "/jobs")).text)
    assert.include(seen, id)
    assert.notInclude(seen, mine[0])
    assert.strictEqual((await anybody(on, "GET", `/jobs/${id}`)).status, 200)
    const [other] = mine
    for (const [method, path] of [
      ["GET", `/jobs/${other}`],
      ["GET", `/jobs/${other}/events`],
      ["DELETE", `/jobs/${other}`]
    ] as const) {
      const answer = await anybody(on, method, path)
      assert.strictEqual(answer.status, 404, `${method} ${path}`)
      assert.strictEqual(
        answer.text.replaceAll(String(other), "X").replace(/"correlation_id":"[^"]*"/, ""),
        (await anybody(on, method, path.replace(String(other), "job-nothere"))).text
          .replaceAll("job-nothere", "X")
          .replace(/"correlation_id":"[^"]*"/, ""),
        "as if it had never been"
      )
    }
    // the key of an idempotent call is the caller's own, too
    const again = await on.fetch(`${on.queenUrl}/jobs`, {
      method: "POST",
      headers: { "content-type": "application/json", ...key },
      body: JSON.stringify({ model: "minillama", prompt: "hello", max_tokens: 2 })
    })
    assert.notStrictEqual(((await again.json()) as { job_id: string }).job_id, id)

    for (const [method, path] of [
      ["GET", "/hives"],
      ["GET", "/catalog/models"],
      ["GET", "/workers"],
      ["GET", "/metrics"],
      ["GET", "/events"],
      ["GET", "/inspect/events?contents=true"],
      ["POST", "/inspect/tickets"],
      ["POST", "/heartbeats"],
      ["GET", "/hub/api/models/a/b"],
      ["POST", "/shutdown?cascade=true"]
    ] as const)
      assert.strictEqual((await anybody(on, method, path)).status, 401, path)
    const session = { id: "s", teardown: "cold", woke_queen: true }
    const ends = await anybody(on, "POST", "/jobs", { model: "minillama", prompt: "x", session })
    assert.strictEqual(ends.status, 403, "a session may end the queen")
    for (const port of [on.ports.hive, on.ports.worker]) {
      assert.strictEqual((await callAt(port, { path: "/health" })).status, 200)
      for (const path of ["/ready", "/workers", "/devices", "/nowhere"])
        assert.strictEqual((await callAt(port, { path })).status, 401, `${port}${path}`)
      assert.strictEqual((await callAt(port, { method: "POST", path: "/shutdown" })).status, 401)
    }
    // whose cluster it is sees all
    const all = jobsIn(await (await on.fetch(`${on.queenUrl}/jobs`)).text())
    for (const one of [id, ...mine]) assert.include(all, one)
    assert.strictEqual((await on.rbee(["down"])).code, 0)
  }, 60_000)

  it("nothing is answered where the operator wants the token for everything", async () => {
    const on = await machine({ env: { RBEE_QUEEN_REQUIRE_TOKEN: "true" } })
    assert.strictEqual((await on.rbee(["queen", "start"])).code, 0)
    for (const path of ["/v1/models", "/jobs", "/openapi.json", "/nowhere"])
      assert.strictEqual((await anybody(on, "GET", path)).status, 401, path)
    for (const path of ["/health", "/"]) assert.strictEqual((await anybody(on, "GET", path)).status, 200, path)
    assert.strictEqual((await on.fetch(`${on.queenUrl}/v1/models`)).status, 200)
  }, 60_000)
})

describe("a hive of another machine", () => {
  it("is not taken in by its address alone, on loopback neither: it would be shown the cluster's token", async () => {
    const on = await machine()
    assert.strictEqual((await on.rbee(["queen", "start"])).code, 0)
    const add = (url: string) =>
      on.fetch(`${on.queenUrl}/hives`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ id: "far", url })
      })
    for (const url of [
      "http://127.0.0.1:1",
      "http://192.0.2.1:8600",
      "http://far.example:8600",
      "http://[2001:db8::1]:8600"
    ]) {
      const answer = await add(url)
      assert.strictEqual(answer.status, 400, url)
      const text = await answer.text()
      for (const hint of ["rbee hives add far", "rbee hives invite far"]) assert.include(text, hint)
    }
  }, 60_000)
})

describe("a browser", () => {
  it("is told how to get rights, and has them by a link that works once", async () => {
    const on = await machine()
    assert.strictEqual((await on.rbee(["open", "--print"])).code, 3, "nobody is woken for it")
    assert.strictEqual((await on.rbee(["queen", "start"])).code, 0)
    const typed = await anybody(on, "GET", "/", undefined, { accept: "text/html,application/xhtml+xml,*/*;q=0.8" })
    assert.strictEqual(typed.status, 200)
    assert.include(typed.text, "<title>rbee</title>")
    assert.strictEqual((await anybody(on, "HEAD", "/")).status, 200)
    assert.strictEqual((await anybody(on, "GET", "/inspect")).status, 401)

    const link = (await on.rbee(["open", "--print"])).stdout.trim()
    assert.notInclude(link, String(on.token()))
    const { pathname, search } = new URL(link)
    const first = await anybody(on, "GET", pathname + search)
    assert.strictEqual(first.status, 303)
    assert.strictEqual(first.headers["location"], "/")
    const [set = ""] = first.headers["set-cookie"] as ReadonlyArray<string>
    const cookie = set.split(";")[0] ?? ""
    assert.match(set, /HttpOnly; SameSite=Strict/)
    assert.notStrictEqual((await anybody(on, "GET", pathname + search)).status, 303, "works once")
    assert.include((await anybody(on, "GET", "/?ticket=used", undefined, { accept: "text/html" })).text, "rbee open")
    const byScript = { cookie, "x-rbee-page": "1" }
    for (const path of ["/inspect", "/hives", "/metrics"])
      assert.strictEqual((await anybody(on, "GET", path, undefined, byScript)).status, 200, path)
    // what a form or a link of another page could make the browser ask
    assert.strictEqual((await anybody(on, "POST", "/stay", undefined, { cookie })).status, 403)
    // not to a page of somebody else's, whose requests the browser would send it with
    for (const from of [{ origin: "http://evil.example" }, { "sec-fetch-site": "cross-site" }])
      assert.strictEqual((await anybody(on, "GET", "/hives", undefined, { ...byScript, ...from })).status, 403)
  }, 60_000)
})
