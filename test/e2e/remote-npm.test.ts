/** `hives install` on a machine whose npm cannot reach its registry: npm's own reason, soon; and what a login sets there. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer as createHttp } from "node:http"
import { createServer as createTls } from "node:https"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { useMachines } from "../support/machines.ts"
import { patience } from "../support/patience.ts"
import { hasSshd } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()
const open: Array<() => void> = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

const listen = async (server: Server, scheme = "http"): Promise<string> => {
  const sockets = new Set<Socket>()
  server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => {})))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  open.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), "rbee-npm-"))
  open.push(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** A registry behind a certificate that nobody trusts, as one that somebody on the way has made. */
const intercepted = (): Promise<string> => {
  const at = folder()
  const args = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -keyout key.pem -out cert.pem".split(" ")
  execFileSync("openssl", args, { cwd: at, stdio: "ignore" })
  const [key, cert] = [readFileSync(join(at, "key.pem")), readFileSync(join(at, "cert.pem"))]
  return listen(
    createTls({ key, cert }, (_, response) => void response.end()),
    "https"
  )
}

/** `hives install` where a login's profile sets this. */
const starting = async (profile: Record<string, string>) => {
  const home = folder()
  const lines = Object.entries(profile).map(([name, value]) => `export ${name}='${value}'`)
  writeFileSync(join(home, ".profile"), `echo welcome\n${lines.join("\n")}\n`)
  writeFileSync(join(home, ".bash_profile"), `echo welcome\n${lines.join("\n")}\n`)
  const there = await remote({ env: { HOME: home, npm_config_cache: join(home, "cache") } })
  const on = await machine({ env: { RBEE_QUEEN_SSH_CONFIG: there.config } })
  assert.strictEqual((await on.rbee(["hives", "add", "remote", "--hive-port", String(there.hivePort)])).code, 0)
  return on.start(["hives", "install", "remote"], { limitMs: 120_000 })
}

/** What is said, and how long it took from the moment that npm was asked, in seconds. */
const installing = async (profile: Record<string, string>) => {
  const running = await starting(profile)
  await running.until(({ stderr }) => /copying it/.test(stderr()))
  const began = performance.now()
  const { code, stderr } = await running.finished
  assert.strictEqual(code, 1, stderr)
  return { stderr, seconds: (performance.now() - began) / 1000 }
}

describe.skipIf(!hasSshd)("An installation whose npm does not reach its registry", () => {
  it.each([
    [
      "a proxy that is dead",
      async () => ({ https_proxy: "http://127.0.0.1:9", npm_config_registry: "https://registry.invalid/" }),
      /ECONNREFUSED.*127\.0\.0\.1:9/
    ],
    [
      "a certificate that is not trusted",
      async () => ({ npm_config_registry: await intercepted(), npm_config_noproxy: "127.0.0.1" }),
      /(SELF_SIGNED|self.signed).*NODE_EXTRA_CA_CERTS/s
    ],
    [
      "a registry that says nothing",
      async () => ({ npm_config_registry: await listen(createServer()), npm_config_noproxy: "127.0.0.1" }),
      /(ETIMEDOUT|timeout|no end within)/i
    ]
  ] as const)(
    "says npm's own reason within 20 s: %s",
    async (_, profile, says) => {
      const { seconds, stderr } = await installing(await profile())
      assert.match(stderr, says)
      assert.include(stderr, "DOWNLOAD_FAILED")
      assert.isBelow(seconds, patience(20))
    },
    180_000
  )

  it("says how far npm is while it works", async () => {
    // knows the one package that is asked for first, and lets everything else wait
    const server = createHttp((request, response) => {
      if (!(request.url ?? "").startsWith("/better-sqlite3")) return
      const versions = {
        "1.0.0": { name: "better-sqlite3", version: "1.0.0", dist: { tarball: "http://127.0.0.1:9/" } }
      }
      response.setHeader("content-type", "application/json")
      response.end(JSON.stringify({ name: "better-sqlite3", "dist-tags": { latest: "1.0.0" }, versions }))
    })
    const running = await starting({ npm_config_registry: await listen(server), npm_config_noproxy: "127.0.0.1" })
    await running.until(({ stderr }) => /installing packages: .*\d+ s/.test(stderr()))
    running.signal("SIGINT")
    assert.strictEqual((await running.finished).code, 130)
  }, 120_000)
})
