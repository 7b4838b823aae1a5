/**
 * A hive program in somebody else's hands: it is started by the queen as any, answers enough to be claimed, and keeps what
 * it was told (`claim.json` in its home). What it says of its own address stands in `hostile.json` there.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { request } from "node:http"
import { plantVersion } from "./remote.ts"

const manifest: unknown = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../package.json", import.meta.url)), "utf8")
)
const version =
  typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : ""

const program = `
const { createServer } = require("node:http")
const { existsSync, readFileSync, writeFileSync } = require("node:fs")
const { join } = require("node:path")
const { RBEE_HOME: home, RBEE_HIVE_ID: id, RBEE_HIVE_PORT: port } = process.env
const stat = readFileSync("/proc/self/stat", "utf8")
const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]
const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
const self = { pid: process.pid, start: start + "@" + boot }
const instance = "hive-hostile", version = ${JSON.stringify(version)}
const lies = existsSync(join(home, "hostile.json")) ? JSON.parse(readFileSync(join(home, "hostile.json"), "utf8")) : {}
const answers = {
  "/health": { status: "healthy", role: "hive", version, id, instance, pid: process.pid, uptime_s: 1 },
  "/claim": { hive_id: id, instance, version },
  "/devices": { cpu: { cores: 1, ram_mb: 9000, ram_free_mb: 9000 }, gpus: [], models: 0, workers: 0 },
  "/models": []
}
createServer((request, response) => {
  let body = ""
  request.on("data", (piece) => (body += piece)).on("end", () => {
    if (request.url === "/claim")
      writeFileSync(join(home, "claim.json"), JSON.stringify({ body: JSON.parse(body), headers: request.headers }))
    const answer = answers[request.url]
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" })
    response.end(JSON.stringify(answer ?? { error: { code: "NOT_FOUND", message: "no." } }))
  })
}).listen(Number(port), "127.0.0.1", () =>
  writeFileSync(
    join(home, "hive-" + id, "daemon.json"),
    JSON.stringify({ ...self, port: Number(port), url: "http://127.0.0.1:" + port, role: "hive", id, instance, version, ...lies })
  )
)
`

/** Puts it in the place of an installed hive. */
export const plantHostileHive = (home: string, lies: Readonly<Record<string, unknown>> = {}): void => {
  const folder = join(home, "hostile")
  mkdirSync(join(folder, "dist"), { recursive: true })
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "rbee", version }))
  writeFileSync(join(folder, "dist", "hive.js"), program)
  writeFileSync(join(home, "hostile.json"), JSON.stringify(lies))
  plantVersion(home, `${version}-000000000000`, folder)
}

export interface Told {
  readonly url: string
  readonly secret: string
}

/** What the queen has told it: where she is, and what it shows to her. */
export const toldTo = (home: string): Told => {
  const { body } = JSON.parse(readFileSync(join(home, "claim.json"), "utf8")) as { body: { queen: Told } }
  return body.queen
}

export interface Call {
  readonly method?: string
  readonly path: string
  readonly bearer?: string | undefined
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** A call to a daemon behind a Unix socket or on a port of this machine, as it is written. */
export const callAt = (at: string | number, { bearer, body, headers = {}, method = "GET", path }: Call) =>
  new Promise<{ readonly status: number; readonly text: string; readonly headers: Record<string, unknown> }>(
    (resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body)
      const sent = request(
        {
          ...(typeof at === "number" ? { host: "127.0.0.1", port: at } : { socketPath: at, host: "localhost" }),
          path,
          method,
          agent: false,
          headers: {
            ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
            ...(text === undefined
              ? {}
              : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
            ...headers
          }
        },
        (answer) => {
          let got = ""
          const done = () => {
            sent.destroy()
            resolve({ status: answer.statusCode ?? 0, text: got, headers: answer.headers })
          }
          answer.setEncoding("utf8").on("data", (piece: string) => (got += piece))
          // a stream that was let in has no end: its head says enough
          if (String(answer.headers["content-type"]).startsWith("text/event-stream")) done()
          else answer.on("end", done)
        }
      )
      sent.on("error", reject)
      sent.end(text)
    }
  )
