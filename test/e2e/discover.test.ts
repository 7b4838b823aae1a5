/** `rbee hives discover` through the real program, in a network whose other machine answers with real packets of mDNS. */
import { spawn } from "node:child_process"
import { createHmac } from "node:crypto"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, it } from "vitest"
import { eventually } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { hasNamespaces, makeNamespace } from "../support/namespace.ts"

const machine = useMachines()
const responder = fileURLToPath(new URL("../support/mdns-responder.cjs", import.meta.url))

const key = "AAAAC3NzaC1lZDI1NTE5AAAAIE0000000000000000000000000000000000000000000"
const hashed = (name: string): string => {
  const salt = Buffer.from("a salt of twenty byt").toString("base64")
  return `|1|${salt}|${createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64")}`
}

const homeWithSsh = (address: string): string => {
  const home = mkdtempSync(join(tmpdir(), "rbee-discover-"))
  mkdirSync(join(home, ".ssh", "config.d"), { recursive: true })
  writeFileSync(join(home, ".ssh", "config"), `Include ${home}/.ssh/config.d/*\nHost *.example !no\n  User me\n`)
  writeFileSync(
    join(home, ".ssh", "config.d", "mine"),
    `Host gpu\n  HostName ${address}\n  Port 2222\nHost behind\n  ProxyCommand nc %h %p\n`
  )
  const known = ["attic,10.9.8.7", "[attic]:2200", hashed("secret"), "github.com", "*.lab"]
  writeFileSync(join(home, ".ssh", "known_hosts"), known.map((names) => `${names} ssh-ed25519 ${key}\n`).join(""))
  return home
}

it.skipIf(!hasNamespaces)(
  "shows the machines of ssh's configuration, of known hosts and of the network, and adds and wakes none",
  async () => {
    const link = makeNamespace()
    const home = homeWithSsh(link.address)
    const [command = "", ...args] = [...link.prefix, process.execPath, responder, link.address]
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] })
    try {
      let said = ""
      child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text))
      await eventually(() => said.includes("ready"), "the other machine listens")
      const on = await machine({ env: { HOME: home, RBEE_QUEEN_SSH_CONFIG: join(home, ".ssh", "config") } })
      const told = await on.rbee(["hives", "discover", "--json"])
      assert.strictEqual(told.code, 0, told.stderr)
      const found = JSON.parse(told.stdout)
      const of = (name: string) => found.machines.find((one: { readonly name: string }) => one.name === name)
      assert.deepEqual(of("gpu"), {
        name: "gpu",
        address: link.address,
        port: 2222,
        found_in: ["ssh configuration", "LAN"],
        add: "rbee hives add gpu"
      })
      assert.deepEqual(of("old-pc"), {
        name: "old-pc",
        address: "10.1.2.3",
        mac: "aa:bb:cc:dd:ee:ff",
        found_in: ["LAN"],
        add: "rbee hives add old-pc --host 10.1.2.3"
      })
      assert.deepInclude(of("behind"), { found_in: ["ssh configuration"] })
      assert.include(of("behind").problem, "ProxyCommand")
      assert.deepEqual(
        found.machines.filter(({ name }: { readonly name: string }) => name === "attic"),
        [
          { name: "attic", address: "10.9.8.7", found_in: ["known hosts"], add: "rbee hives add attic" },
          { name: "attic", port: 2200, found_in: ["known hosts"], add: "rbee hives add attic --port 2200" }
        ]
      )
      assert.strictEqual(found.hashed, 1)
      assert.notInclude(told.stdout, "github.com")
      const shown = await on.rbee(["hives", "discover"])
      assert.match(shown.stdout, /^NAME +ADDRESS +FOUND IN +HIVE\n/)
      assert.match(shown.stdout, /\ngpu +[\d.]+ port 2222 +ssh configuration, LAN +-\n/)
      assert.include(shown.stdout, "1 more is in known hosts by a hash")
      assert.include(shown.stdout, "  rbee hives add old-pc --host 10.1.2.3\n")
      assert.strictEqual((await on.rbee(["status"])).code, 3)
    } finally {
      child.kill()
      link.remove()
      rmSync(home, { recursive: true, force: true })
    }
  }
)
