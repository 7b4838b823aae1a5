/** Who may speak to the daemons (ACCEPTANCE G), on real processes. */
import { chmodSync, readFileSync, readdirSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const token = "0123456789abcdef-token"

/** The status of a raw call: `fetch` would tidy the path and the headers. */
const status = (port: number, path: string, headers: Record<string, string> = {}, method = "GET") =>
  new Promise<number>((resolve, reject) => {
    const call = request({ host: "127.0.0.1", port, path, method, headers }, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    call.once("error", reject)
    call.end()
  })

describe("the daemons", () => {
  it("answer nothing but /health without the token, and everything with it", async () => {
    const on = await machine({ env: { RBEE_TOKEN: token, RBEE_QUEEN_HOST: "0.0.0.0" } })
    const run = await on.rbee(["infer", "hello"])
    assert.strictEqual(run.code, 0, run.stderr)
    const workers = JSON.parse((await on.rbee(["workers", "ls", "--json"])).stdout) as Array<{ port: number }>
    const ports = [on.ports.queen, on.ports.hive, workers[0]?.port ?? 0]
    for (const port of ports) {
      assert.strictEqual(await status(port, "/health"), 200)
      for (const path of ["/jobs", "/workers", "/models", "/v1/models", "/metrics", "/ready"]) {
        assert.strictEqual(await status(port, path), 401, `${port}${path}`)
        assert.strictEqual(await status(port, path, { authorization: "Bearer wrong-wrong-wrong-wrong" }), 401)
      }
    }
    assert.strictEqual(await status(on.ports.queen, "/jobs", { authorization: `Bearer ${token}` }), 200)
    const logs = join(on.home, "logs")
    for (const file of readdirSync(logs)) assert.notInclude(readFileSync(join(logs, file), "utf8"), token, file)
  })

  it("refuse a token file that others can read", async () => {
    const on = await machine()
    const file = join(on.home, "token")
    writeFileSync(file, token)
    chmodSync(file, 0o644)
    const run = await on.rbee(["queen", "start"], { env: { RBEE_TOKEN_FILE: file } })
    assert.strictEqual(run.code, 1)
    assert.include(run.stderr, "chmod 600")
    assert.deepEqual(on.processes(), [])
  })

  it("refuse ids that would leave their folder, other hosts' names and other sites' pages", async () => {
    const on = await machine()
    assert.strictEqual((await on.rbee(["up"])).code, 0)
    const { queen } = on.ports
    for (const path of ["/jobs/..%2f..%2fetc", "/jobs/%2e%2e", "/hives/..%2f", "/workers/a%00b/shutdown"]) {
      const method = path.endsWith("shutdown") ? "POST" : "GET"
      assert.include([400, 404, 405], await status(queen, path, {}, method), path)
    }
    assert.strictEqual(await status(queen, "/jobs", { host: "evil.example" }), 403)
    assert.strictEqual(await status(queen, "/shutdown", { origin: "http://evil.example" }, "POST"), 403)
    assert.strictEqual(await status(queen, "/health"), 200)
  })
})
