/** Who may speak to the daemons, on real processes. */
import { chmodSync, readFileSync, readdirSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import type { Api } from "../../src/protocol/endpoint.ts"
import { hiveApi } from "../../src/protocol/hive.ts"
import { queenApi } from "../../src/protocol/queen/index.ts"
import { workerApi } from "../../src/protocol/worker.ts"
import type { Machine } from "../support/machine.ts"
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

const roles = (on: Machine) =>
  on
    .processes()
    .map(({ role }) => role)
    .toSorted()

describe("the daemons", () => {
  it("answer nothing but /health without the token, and everything with it", async () => {
    const on = await machine({ env: { RBEE_TOKEN: token, RBEE_QUEEN_HOST: "0.0.0.0" } })
    const run = await on.rbee(["infer", "hello"])
    assert.strictEqual(run.code, 0, run.stderr)
    const workers = JSON.parse((await on.rbee(["workers", "ls", "--json"])).stdout) as Array<{ port: number }>
    const daemons: ReadonlyArray<readonly [number, Api]> = [
      [on.ports.queen, queenApi],
      [on.ports.hive, hiveApi],
      [workers[0]?.port ?? 0, workerApi]
    ]
    for (const [port, api] of daemons) {
      assert.strictEqual(await status(port, "/health"), 200)
      for (const { method, path, scope } of Object.values(api)) {
        if (scope === "open") continue
        const at = path.replaceAll(/:\w+/g, "x")
        for (const authorization of [
          undefined,
          `Bearer ${token}x`,
          `Bearer ${token.slice(1)}`,
          `Basic ${token}`,
          token
        ])
          assert.strictEqual(
            await status(port, at, authorization === undefined ? {} : { authorization }, method),
            401,
            `${method} ${port}${at} ${authorization ?? ""}`
          )
      }
      assert.strictEqual(await status(port, "/nowhere"), 401, "not even what there is")
    }
    // nothing of that did anything
    assert.deepEqual(roles(on), ["hive", "queen", "worker"])
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
    const authorization = `Bearer ${on.token()}`
    const ids = ["..%2f..%2fetc", "%2e%2e%2fx", "a%00b", "a%2fb", "-a", `a${"b".repeat(64)}`, "..%5cx"]
    const withIds = (api: Api) => Object.values(api).filter(({ path }) => path.includes("/:id"))
    for (const [port, api] of [
      [queen, queenApi],
      [on.ports.hive, hiveApi]
    ] as const)
      for (const { method, path } of withIds(api))
        for (const id of ids) {
          const at = path.replaceAll(/:\w+/g, id)
          // to OpenAI's clients a response that nobody has is not there, whatever its name
          const refused = at.startsWith("/v1/responses/") ? 404 : 400
          assert.strictEqual(await status(port, at, { authorization }, method), refused, `${method} ${at}`)
        }
    // a dot-dot that is none to us is a path like any other, and there is nothing
    for (const path of ["/jobs/%2e%2e", "/jobs/../../etc/passwd"])
      assert.include([400, 404, 405], await status(queen, path, { authorization }), path)
    assert.deepEqual(roles(on), ["hive", "queen"])
    assert.strictEqual(await status(queen, "/jobs", { host: "evil.example" }), 403)
    assert.strictEqual(await status(queen, "/shutdown", { origin: "http://evil.example" }, "POST"), 403)
    assert.strictEqual(await status(queen, "/health"), 200)
  })
})
