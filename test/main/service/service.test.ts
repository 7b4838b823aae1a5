/** `rbee service`: what systemd and launchd are told, and what the told command lines do when they are run. */
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { plistOf } from "../../../src/main/service/launchd.ts"
import type { Service } from "../../../src/main/service/service.ts"
import { listenStream, socketOf, unitOf } from "../../../src/main/service/systemd.ts"
import { eventually } from "../../support/machine.ts"
import { useMachines } from "../../support/machines.ts"

const machine = useMachines()
const scratch = mkdtempSync(join(tmpdir(), "rbee service-"))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const queen: Service = {
  role: "queen",
  scope: "user",
  node: "/opt/my node/bin/node",
  program: "/home/ann/100% $mine/dist/queen.js",
  cli: "/home/ann/100% $mine/dist/rbee.js",
  environment: { RBEE_QUEEN_IDLE_MS: "never", RBEE_HOME: '/home/ann/a "quoted" \\ 5% $HOME <place> & more' },
  leftOut: [],
  account: undefined,
  isLocal: false,
  log: "/home/ann/my logs/queen.log",
  listens: []
}
const woken: Service = { ...queen, listens: ["127.0.0.1:8500", "127.0.0.1:11434"] }
const hive: Service = {
  ...queen,
  role: "hive",
  scope: "system",
  program: "/usr/lib/node_modules/rbee/dist/hive.js",
  environment: { RBEE_HOME: "/var/lib/rbee" },
  account: "root",
  isLocal: true
}

const runs = (program: string, ...args: ReadonlyArray<string>) => spawnSync(program, args).error === undefined

/** What systemd says of a unit: its programs are there, as files of this test's. */
const verified = (name: string, text: string): ReadonlyArray<string> => {
  const file = join(scratch, name)
  writeFileSync(file, text)
  const { stderr, status } = spawnSync("systemd-analyze", ["verify", "--man=no", file], { encoding: "utf8" })
  const said = stderr.split("\n").filter((line) => line.includes(name))
  return status === 0 || said.length > 0 ? said : [stderr]
}

describe("a service", () => {
  it("is a unit of the user's for a queen, whose hive outlives a crash of hers and ends with `down`", () => {
    expect(unitOf(queen)).toMatchInlineSnapshot(`
      "[Unit]
      Description=rbee queen

      [Service]
      Type=exec
      Environment="RBEE_QUEEN_IDLE_MS=never"
      Environment="RBEE_HOME=/home/ann/a \\"quoted\\" \\\\ 5%% $HOME <place> & more"
      ExecStart="/opt/my node/bin/node" "/home/ann/100%% $$mine/dist/queen.js"
      ExecStop="/opt/my node/bin/node" "/home/ann/100%% $$mine/dist/rbee.js" "down"
      KillMode=process
      TimeoutStopSec=45
      Restart=on-failure
      RestartSec=1
      RestartPreventExitStatus=75
      NoNewPrivileges=yes
      LockPersonality=yes
      RestrictSUIDSGID=yes
      SystemCallArchitectures=native
      UMask=0077

      [Install]
      WantedBy=default.target
      "
    `)
  })

  it("has a socket for a queen, which starts before her and stays when she ends", () => {
    expect(socketOf(woken)).toMatchInlineSnapshot(`
      "[Unit]
      Description=rbee queen, whom the first connection wakes

      [Socket]
      ListenStream=127.0.0.1:8500
      ListenStream=127.0.0.1:11434

      [Install]
      WantedBy=sockets.target
      "
    `)
    expect(unitOf(woken).split("[Service]")[0]).toMatchInlineSnapshot(`
      "[Unit]
      Description=rbee queen
      Wants=rbee-queen.socket
      After=rbee-queen.socket

      "
    `)
  })

  it("listens at addresses alone: systemd looks up no names", () => {
    const hosts = ["127.0.0.1", "::1", "[::1]", "0.0.0.0", "localhost", "box.lan"]
    expect(hosts.map((host) => listenStream(host, 8500))).toEqual([
      "127.0.0.1:8500",
      "[::1]:8500",
      "[::1]:8500",
      "0.0.0.0:8500",
      "127.0.0.1:8500",
      undefined
    ])
  })

  it("is a unit of the machine for a hive that reaches this machine alone", () => {
    expect(unitOf(hive)).toMatchInlineSnapshot(`
      "[Unit]
      Description=rbee hive
      After=network.target

      [Service]
      Type=exec
      User=root
      StateDirectory=rbee
      StateDirectoryMode=0700
      Environment="RBEE_HOME=/var/lib/rbee"
      ExecStart="/opt/my node/bin/node" "/usr/lib/node_modules/rbee/dist/hive.js"
      KillMode=mixed
      TimeoutStopSec=45
      Restart=on-failure
      RestartSec=1
      RestartPreventExitStatus=75
      NoNewPrivileges=yes
      LockPersonality=yes
      RestrictSUIDSGID=yes
      SystemCallArchitectures=native
      UMask=0077
      ProtectSystem=full
      IPAddressDeny=any
      IPAddressAllow=localhost

      [Install]
      WantedBy=multi-user.target
      "
    `)
  })

  it("is a property list for launchd", () => {
    expect(plistOf({ ...queen, account: "ann" })).toMatchInlineSnapshot(`
      "<?xml version="1.0" encoding="UTF-8"?>
      <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
      <plist version="1.0">
      <dict>
        <key>Label</key>
        <string>rbee.queen</string>
        <key>UserName</key>
        <string>ann</string>
        <key>ProgramArguments</key>
        <array>
          <string>/opt/my node/bin/node</string>
          <string>/home/ann/100% $mine/dist/queen.js</string>
        </array>
        <key>EnvironmentVariables</key>
        <dict>
          <key>RBEE_QUEEN_IDLE_MS</key>
          <string>never</string>
          <key>RBEE_HOME</key>
          <string>/home/ann/a "quoted" \\ 5% $HOME &lt;place&gt; &amp; more</string>
        </dict>
        <key>RunAtLoad</key>
        <true/>
        <key>KeepAlive</key>
        <dict>
          <key>SuccessfulExit</key>
          <false/>
        </dict>
        <key>AbandonProcessGroup</key>
        <true/>
        <key>ExitTimeOut</key>
        <integer>45</integer>
        <key>Umask</key>
        <integer>63</integer>
        <key>StandardOutPath</key>
        <string>/home/ann/my logs/queen.log</string>
        <key>StandardErrorPath</key>
        <string>/home/ann/my logs/queen.log</string>
      </dict>
      </plist>
      "
    `)
  })

  it.skipIf(!runs("systemd-analyze", "--version"))(
    "has no line that systemd does not understand, whatever names it has",
    () => {
      const node = join(scratch, "my 100% $node")
      if (!existsSync(node)) symlinkSync(process.execPath, node)
      expect(verified("rbee-queen.service", unitOf({ ...queen, node }))).toEqual([])
      expect(verified("rbee-hive.service", unitOf({ ...hive, node }))).toEqual([])
      // the one of the other: they stand side by side
      writeFileSync(join(scratch, "rbee-queen.socket"), socketOf(woken))
      expect(verified("rbee-queen.service", unitOf({ ...woken, node }))).toEqual([])
      expect(verified("rbee-queen.socket", socketOf(woken))).toEqual([])
    }
  )

  // Debian: libplist-utils
  it.skipIf(!runs("plistutil", "-v"))("is a property list that plistutil reads, whatever names it has", () => {
    const file = join(scratch, "rbee.queen.plist")
    writeFileSync(file, plistOf(queen))
    // there and back: as it was understood
    expect(spawnSync("plistutil", ["-i", file, "-f", "bin", "-o", `${file}.bin`]).status).toBe(0)
    const { stdout } = spawnSync("plistutil", ["-i", `${file}.bin`, "-f", "xml"], { encoding: "utf8" })
    const read = [...stdout.matchAll(/<string>([^<]*)<\/string>/g)].map(([, text = ""]) =>
      text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&")
    )
    expect(read).toEqual(
      expect.arrayContaining([queen.node, queen.program, queen.log, ...Object.values(queen.environment)])
    )
  })
})

/** The words of one of its lines, as systemd.syntax(7) and systemd.service(5) read them. */
const wordsOf = (line: string): ReadonlyArray<string> =>
  [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, quoted = ""]) =>
    quoted.replace(/\\(.)/g, "$1").replaceAll("%%", "%").replaceAll("$$", "$")
  )
const valuesOf = (unit: string, key: string) =>
  unit.split("\n").flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []))

describe("rbee service", () => {
  it("writes a unit to stdout that runs as written: killed and started again it goes on, and its stop ends everything", async () => {
    const on = await machine()
    const { code, stdout } = await on.rbee(["service", "install", "--print"])
    expect(code).toBe(0)
    const env = Object.fromEntries(
      valuesOf(stdout, "Environment").map((line) => {
        const [pair = ""] = wordsOf(line)
        return [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]
      })
    )
    expect(env).toMatchObject({
      RBEE_HOME: on.home,
      RBEE_QUEEN_PORT: String(on.ports.queen)
    })
    expect(valuesOf(stdout, "ListenStream")).toEqual([`127.0.0.1:${on.ports.queen}`])
    // she may sleep: the next connection wakes her
    expect(env).not.toHaveProperty("RBEE_QUEEN_IDLE_MS")
    const line = (key: string) => wordsOf(valuesOf(stdout, key)[0] ?? "")
    const begin = () => {
      const [program = "", ...args] = line("ExecStart")
      const child = spawn(program, args, { env, stdio: "ignore" })
      return { child, ended: new Promise<number | null>((resolve) => child.once("exit", resolve)) }
    }
    const first = begin()
    await eventually(async () => (await on.rbee(["queen", "status"])).code === 0, "she is up")
    expect((await on.rbee(["infer", "hello"])).code).toBe(0)
    const hives = on.processes().filter(({ role }) => role === "hive")
    first.child.kill("SIGKILL")
    await first.ended
    const second = begin()
    expect((await on.rbee(["infer", "hello"])).code).toBe(0)
    expect(on.processes().filter(({ role }) => role === "hive")).toEqual(hives)
    const [stop = "", ...args] = line("ExecStop")
    expect(spawnSync(stop, args, { env }).status).toBe(0)
    // she led, or waited for her turn where the hive, or the command, was faster to wake the next one
    second.child.kill("SIGTERM")
    await second.ended
    expect(on.processes()).toEqual([])
  })

  it("reaches the hub as whoever installed it does, and writes no password down", async () => {
    const on = await machine()
    const env = {
      HF_ENDPOINT: "http://127.0.0.1:1",
      HTTPS_PROXY: "http://ann:secret@proxy:3128",
      NO_PROXY: "localhost",
      OLLAMA_MODELS: "/srv/ollama",
      HF_TOKEN: "hf_secret"
    }
    const { stderr, stdout } = await on.rbee(["service", "install", "--print"], { env })
    const carried = valuesOf(stdout, "Environment").flatMap((line) => wordsOf(line))
    expect(carried).toEqual(
      expect.arrayContaining(["HF_ENDPOINT=http://127.0.0.1:1", "NO_PROXY=localhost", "OLLAMA_MODELS=/srv/ollama"])
    )
    expect(stdout).not.toContain("secret")
    expect(stderr).toContain("left out, for there is a password in it")
    expect(stderr).toContain(": HTTPS_PROXY.")
    expect(stderr).not.toContain("secret")
  })

  it("refuses a token in its environment, a service that there is none of, and a queen who has the address", async () => {
    const on = await machine()
    const token = await on.rbee(["service", "install"], { env: { RBEE_TOKEN: "a".repeat(40) } })
    expect([token.code, token.stderr]).toEqual([1, expect.stringContaining("RBEE_TOKEN_FILE")])
    expect((await on.rbee(["service", "install", "worker"])).code).toBe(2)
    const XDG_CONFIG_HOME = join(scratch, "config")
    await on.rbee(["queen", "start"])
    const taken = await on.rbee(["service", "install"], { env: { XDG_CONFIG_HOME } })
    expect([taken.code, taken.stderr]).toEqual([1, expect.stringContaining("a queen runs on port")])
    await on.rbee(["down"])
    expect(existsSync(XDG_CONFIG_HOME)).toBe(false)
    const status = await on.rbee(["service", "status"], { env: { XDG_CONFIG_HOME } })
    expect([status.code, status.stderr]).toEqual([3, expect.stringContaining("the queen is no service")])
    expect((await on.rbee(["service", "uninstall"], { env: { XDG_CONFIG_HOME } })).stdout).toContain("is no service")
  })

  it("leaves nothing behind where systemd cannot be told", async () => {
    const on = await machine()
    const XDG_CONFIG_HOME = join(scratch, "config of nobody")
    // no bus of this user
    const env = { XDG_CONFIG_HOME, XDG_RUNTIME_DIR: scratch, DBUS_SESSION_BUS_ADDRESS: "unix:path=/nowhere" }
    const told = await on.rbee(["service", "install"], { env })
    expect([told.code, told.stderr]).toEqual([1, expect.stringContaining("BACKEND_UNAVAILABLE")])
    expect(readdirSync(join(XDG_CONFIG_HOME, "systemd", "user"))).toEqual([])
    // and where there is no systemd at all
    const bare = join(scratch, "bin")
    mkdirSync(bare)
    const none = await on.rbee(["service", "install"], { env: { ...env, PATH: bare } })
    expect(none.stderr).toContain("systemctl is not on this machine")
    expect(readdirSync(join(XDG_CONFIG_HOME, "systemd", "user"))).toEqual([])
  })
})
