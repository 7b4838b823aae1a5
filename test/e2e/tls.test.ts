/** TLS of the queen's own, and Caddy in front of her, as docs/sharing.md has it (real daemons, a real proxy). */
import { spawn, spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { request as requestPlain } from "node:http"
import { request as requestTls } from "node:https"
import { networkInterfaces } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { certificate } from "../support/certificate.ts"
import { eventually, freeRange, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const children: Array<ReturnType<typeof spawn>> = []
afterAll(() => children.forEach((child) => child.kill("SIGKILL")))

const has = (program: string): boolean => spawnSync(program, ["version"]).error === undefined
/** an address of this machine that is not loopback */
const elsewhere = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address

interface Answer {
  readonly status: number
  readonly text: string
  /** when each piece of it came */
  readonly times: ReadonlyArray<number>
}

const call = (url: string, options: { readonly ca?: string; readonly key?: string; readonly body?: unknown } = {}) =>
  new Promise<Answer>((resolve, reject) => {
    const { body, ca, key } = options
    const headers = {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" })
    }
    const made = (url.startsWith("https:") ? requestTls : requestPlain)(
      url,
      {
        method: body === undefined ? "GET" : "POST",
        headers,
        agent: false,
        ...(ca === undefined ? {} : { ca, checkServerIdentity: () => undefined })
      },
      (response) => {
        const times: Array<number> = []
        let text = ""
        response.setEncoding("utf8").on("data", (piece: string) => {
          text += piece
          times.push(performance.now())
        })
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text, times }))
      }
    )
    made.on("error", reject).end(body === undefined ? undefined : JSON.stringify(body))
  })

const keyOf = async (on: Machine, name: string): Promise<string> => (await on.rbee(["keys", "add", name])).stdout.trim()
const chat = { model: "minillama", max_tokens: 12, stream: true, messages: [{ role: "user", content: "hello" }] }

describe("TLS", () => {
  it.skipIf(!has("openssl") || elsewhere === undefined)(
    "is what who comes from elsewhere speaks; on this machine everything goes on as before",
    async () => {
      const first = await machine()
      const { cert, key } = certificate(first.home, "one")
      const on = await machine({
        env: {
          // beyond loopback the operator chooses one
          RBEE_TOKEN: "a-token-of-this-test-alone",
          RBEE_QUEEN_HOST: "0.0.0.0",
          RBEE_QUEEN_TLS_CERT: cert,
          RBEE_QUEEN_TLS_KEY: key,
          RBEE_WORKER_MAX_TOKENS_PER_S: "20"
        }
      })
      const own = await keyOf(on, "ada")
      const ca = readFileSync(cert, "utf8")
      const far = `https://${elsewhere}:${on.ports.queen}`
      assert.strictEqual((await call(`${far}/v1/models`, { ca })).status, 401)
      const answer = await call(`${far}/v1/chat/completions`, { ca, key: own, body: chat })
      assert.strictEqual(answer.status, 200)
      assert.include(answer.text, "[DONE]")
      assert.isAbove((answer.times.at(-1) ?? 0) - (answer.times[0] ?? 0), 200, "it streams")
      const plain = await call(`http://${elsewhere}:${on.ports.queen}/v1/models`, { key: own })
      assert.deepStrictEqual([plain.status, plain.text.includes("https://")], [400, true])
      assert.strictEqual((await call(`https://127.0.0.1:${on.ports.queen}/v1/models`, { ca, key: own })).status, 200)
      assert.strictEqual((await on.rbee(["status"])).code, 0)
      assert.strictEqual((await on.rbee(["down"])).code, 0)
    },
    60_000
  )

  it("is refused at the start where its files are no pair, or one of them is missing", async () => {
    const on = await machine()
    const file = join(on.home, "no.pem")
    writeFileSync(file, "no certificate")
    for (const env of [{ RBEE_QUEEN_TLS_CERT: file, RBEE_QUEEN_TLS_KEY: file }, { RBEE_QUEEN_TLS_CERT: file }]) {
      const started = await on.rbee(["queen", "start"], { env })
      assert.strictEqual(started.code, 1)
      assert.include(started.stderr, "TLS")
    }
  }, 60_000)

  it.skipIf(!has("caddy"))(
    "of Caddy in front of her streams, and who comes through it is nobody without a key",
    async () => {
      const on = await machine({ env: { RBEE_WORKER_MAX_TOKENS_PER_S: "20" } })
      const own = await keyOf(on, "ada")
      const port = await freeRange()
      const home = { ...process.env, HOME: on.home, XDG_DATA_HOME: on.home, XDG_CONFIG_HOME: on.home }
      const to = ["--to", `127.0.0.1:${on.ports.queen}`]
      // as in docs/sharing.md, with a name and a certificate of its own
      children.push(
        spawn("caddy", ["reverse-proxy", "--from", `https://localhost:${port}`, "--internal-certs", ...to], {
          env: home,
          stdio: "ignore"
        })
      )
      const root = join(on.home, "caddy", "pki", "authorities", "local", "root.crt")
      const url = `https://localhost:${port}`
      const asked = (path: string, options: { readonly key?: string; readonly body?: unknown } = {}) =>
        call(`${url}${path}`, { ca: readFileSync(root, "utf8"), ...options })
      await eventually(async () => {
        try {
          return (await asked("/health")).status === 200
        } catch {
          return false
        }
      }, "Caddy")
      assert.strictEqual((await asked("/v1/models")).status, 401)
      assert.strictEqual((await asked("/v1/models", { key: "sk-anything" })).status, 401)
      const answer = await asked("/v1/chat/completions", { key: own, body: chat })
      assert.strictEqual(answer.status, 200)
      assert.include(answer.text, "[DONE]")
      assert.isAbove((answer.times.at(-1) ?? 0) - (answer.times[0] ?? 0), 200, "it streams")
    },
    60_000
  )
})
