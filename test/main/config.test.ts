import { chmodSync, mkdtempSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { environmentOf, loadSettings, type Sources } from "../../src/main/config.ts"
import { defaultOf, type Knob, knobs, nameOf, textOf, type Value, variableOf } from "../../src/main/config/knobs.ts"
import { requiresToken } from "../../src/layers/keys/own-token.ts"
import type { Settings } from "../../src/layers/settings/index.ts"
import { lineOfKey } from "../../src/layers/settings/toml.ts"
import { gpuDevice } from "../../src/machines/vocabulary/ids.ts"

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "rbee config ")) // a path with a space
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const load = (sources: Partial<Sources> = {}) =>
  Effect.runPromise(loadSettings({ ...sources, env: { RBEE_HOME: home, ...sources.env } }))
const refusal = async (sources: Partial<Sources> = {}): Promise<string> => {
  const result = await Effect.runPromise(
    Effect.either(loadSettings({ ...sources, env: { RBEE_HOME: home, ...sources.env } }))
  )
  if (Either.isRight(result)) throw new Error("it was accepted")
  expect(result.left.code).toBe("INVALID_REQUEST")
  return result.left.message
}
const file = (text: string) => writeFileSync(join(home, "config.toml"), text)
const valueOf = (settings: Settings, knob: Knob) =>
  (settings[knob.section] as Readonly<Record<string, Value | undefined>>)[knob.field]

const gpus = (n: number): Value => [{ id: gpuDevice(n), name: "RTX 3090", backend: "cuda", vram_mb: 24_000 }]

/** three good values, each another than the one before, and a bad one, whatever the kind */
const samples = (knob: Knob): { readonly good: readonly [Value, Value, Value]; readonly bad: Value } =>
  typeof defaultOf(knob) === "string"
    ? knob.key === "host"
      ? { good: ["127.0.0.2", "127.0.0.3", "127.0.0.4"], bad: "a b" }
      : knob.key === "kv_type"
        ? { good: ["q8_0", "f16", "q8_0"], bad: "q2" }
        : knob.key === "vulkan"
          ? { good: ["on", "off", "auto"], bad: "sometimes" }
          : knob.key === "exact"
            ? { good: ["always", "off", "auto"], bad: "mostly" }
            : { good: ["one", "two", "three"], bad: "../x" }
    : knob.key === "queen"
      ? { good: ["http://10.0.0.7:8500", "http://box:1", "http://[::1]:8500"], bad: "10.0.0.7" }
      : ["ssh_config", "tls_cert", "tls_key"].includes(knob.key)
        ? { good: ["/one", "/two", "/three"], bad: "not/absolute" }
        : knob.key === "require_token" || knob.key === "share_prefix"
          ? { good: [true, false, true], bad: "perhaps" }
          : knob.key === "gpus"
            ? { good: [gpus(1), gpus(2), gpus(3)], bad: "[[" }
            : knob.key === "origins" || knob.key === "hosts"
              ? { good: [["null"], ["null", "null"], []], bad: "a*b" }
              : knob.key === "suspend_command"
                ? { good: [["one"], ["two", "-x"], ["three"]], bad: "[]" }
                : { good: [101, 102, 103], bad: "many" }

describe("engines of the configuration", () => {
  it("are a program each, with its arguments or without", async () => {
    file('[engines.llama-server]\ncommand = ["/opt/llama-server", "-fa", "on"]\n')
    expect((await load()).engines).toEqual({ "llama-server": { command: ["/opt/llama-server", "-fa", "on"] } })
    file('[engines.llama-server]\ncommand = "llama-server"\n')
    expect((await load()).engines).toEqual({ "llama-server": { command: ["llama-server"] } })
    file("")
    expect((await load()).engines).toBeUndefined()
  })

  it("are refused with their line where they are not understood", async () => {
    file('[engines.vllm]\ncommand = "vllm"\n')
    expect(await refusal()).toContain("line 1: engines.vllm: unknown. Known: llama-server.")
    file('[engines.llama-server]\ncomand = "a"\n')
    expect(await refusal()).toContain("line 2: engines.llama-server.comand: unknown. Known: command.")
    file("[engines.llama-server]\ncommand = 7\n")
    expect(await refusal()).toContain("line 2: engines.llama-server.command")
    file("engines = 7\n")
    expect(await refusal()).toContain("line 1: engines: is no table")
  })
})

describe("settings", () => {
  it("of what sleeps when it is idle may say `never`, and say so to daemons too", async () => {
    file('[queen]\nidle_ms = "never"\n')
    const settings = await load({ env: { RBEE_HIVE_IDLE_MS: "never" } })
    expect([settings.queen.idleMs, settings.hive.idleMs]).toEqual([Infinity, Infinity])
    expect(environmentOf(settings)).toMatchObject({ RBEE_QUEEN_IDLE_MS: "never", RBEE_HIVE_IDLE_MS: "never" })
    expect(await refusal({ env: { RBEE_WORKER_IDLE_MS: "never" } })).toContain("a whole number from 1 to 2147483647")
  })

  it("take the certificate and its key as a table of their own, too", async () => {
    file('[queen.tls]\ncert = "/one"\nkey = "/two"\n')
    expect((await load()).queen).toMatchObject({ tlsCert: "/one", tlsKey: "/two" })
    file('[queen.tls]\ncrt = "/one"\n')
    expect(await refusal()).toContain("queen.tls_crt")
  })

  it("are the defaults where nothing is said, under RBEE_HOME", async () => {
    const settings = await load()
    expect(settings.queen.port).toBe(8500)
    expect(settings.hive.port).toBe(8600)
    expect(settings.worker.maxTokensPerS).toBeUndefined()
    expect(settings.home).toEqual({ state: home, logs: join(home, "logs"), config: join(home, "config.toml") })
    expect(settings.version).toMatch(/^\d+\.\d+\.\d+/)
  })

  it("cover every field of Settings with a knob", async () => {
    const settings = await load()
    for (const section of ["queen", "hive", "worker", "shutdown"] as const)
      expect(
        knobs
          .filter((knob) => knob.section === section)
          .map((knob) => knob.field)
          .sort()
      ).toEqual(Object.keys(settings[section]).sort())
  })

  for (const knob of knobs) {
    const { good, bad } = samples(knob)
    const flags = (value: Value) => ({ [nameOf(knob)]: value })
    const env = (value: Value) => ({ [variableOf(knob)]: textOf(value) })
    const toml = (value: Value) =>
      `[${knob.section}]\n${knob.key} = ${JSON.stringify(value).replaceAll(/"(\w+)":/g, "$1 = ")}\n`

    it(`take ${nameOf(knob)} from flag, then ${variableOf(knob)}, then the file, then the default`, async () => {
      expect(valueOf(await load(), knob)).toEqual(defaultOf(knob))
      file(toml(good[0]))
      expect(valueOf(await load(), knob)).toEqual(good[0])
      expect(valueOf(await load({ env: env(good[1]) }), knob)).toEqual(good[1])
      expect(valueOf(await load({ env: env(good[1]), flags: flags(good[2]) }), knob)).toEqual(good[2])
    })

    it(`refuse a bad ${nameOf(knob)} from each source, naming the source and what is accepted`, async () => {
      expect(await refusal({ flags: flags(bad) })).toContain(`--${nameOf(knob).replace(/[._]/g, "-")}`)
      expect(await refusal({ env: env(bad) })).toContain(variableOf(knob))
      file(toml(bad))
      const message = await refusal()
      expect(message).toContain(`${join(home, "config.toml")}, line 2: ${nameOf(knob)}`)
      expect(message).toContain(knob.kind.accepts)
    })
  }

  it("take devices as tables, and refuse one that is declared twice or has a field that nobody knows", async () => {
    file('[[hive.gpus]]\nid = "gpu0"\nvram_mb = 12000\n\n[[hive.gpus]]\nid = "gpu1"\nleave_mb = 4000\n')
    expect((await load()).hive.gpus).toEqual([
      { id: "gpu0", vram_mb: 12_000 },
      { id: "gpu1", leave_mb: 4000 }
    ])
    file('[[hive.gpus]]\nid = "gpu0"\n\n[[hive.gpus]]\nid = "gpu0"\n')
    expect(await refusal()).toContain("hive.gpus")
    file('[[hive.gpus]]\nid = "gpu0"\nvram = 12000\n')
    expect(await refusal()).toContain(`${join(home, "config.toml")}, line 1: hive.gpus`)
  })

  it("reach a child daemon whole through its environment", async () => {
    file("[queen]\nport = 1\n")
    const settings = await load({ flags: { "queen.port": 9001, "worker.max_tokens_per_s": 12.5 } })
    const child = await Effect.runPromise(loadSettings({ env: environmentOf(settings) }))
    expect(child).toEqual(settings)
  })
})

describe("a broken config file", () => {
  it("that is no TOML names file, line and field", async () => {
    file("[queen]\nport = = 3\n")
    expect(await refusal()).toContain(`${join(home, "config.toml")}, line 2: port: `)
  })
  it("with an unknown key names it and the known ones", async () => {
    file('# a comment\n[hive]\nid = "a"\n\nprot = 8600\n')
    expect(await refusal()).toMatch(/line 5: hive\.prot: unknown.*Known in \[hive\]: id, host, port/)
  })
  it("with an unknown section names it", async () => {
    file("[queen]\nport = 1\n[quen]\nport = 8500\n")
    expect(await refusal()).toMatch(/line 3: quen: unknown/)
  })
  it("with a quoted number says that it must not be quoted", async () => {
    file('[queen]\nport = "8500"\n')
    expect(await refusal()).toMatch(/line 2: queen\.port: .*unquoted/)
  })
  it("that cannot be read is an error, one that is missing is none", async () => {
    mkdirSync(join(home, "config.toml"))
    expect(await refusal()).toContain("config.toml cannot be read (EISDIR)")
  })
  it("is located also with dotted keys and inline tables", () => {
    expect(lineOfKey("a = 1\nqueen.port = 2\n", "queen", "port")).toBe(2)
    expect(lineOfKey("a = 1\nqueen = { port = 2 }\n", "queen", "port")).toBe(2)
    expect(lineOfKey("[hive]\nport = 1\n[queen]\nport = 2", "queen", "port")).toBe(4)
  })
})

describe("the token", () => {
  const token = "0123456789abcdef"
  const tokenFile = (name: string, mode: number, text = `${token}\n`) => {
    writeFileSync(join(home, name), text)
    chmodSync(join(home, name), mode)
  }
  it("comes from RBEE_TOKEN, or a file of mode 0600 beside the config file, or one that is named", async () => {
    expect((await load()).token).toBeUndefined()
    expect((await load({ env: { RBEE_TOKEN: token } })).token).toBe(token)
    tokenFile("token", 0o600)
    expect((await load()).token).toBe(token)
    tokenFile("other", 0o400, "another-token-0123456789")
    expect((await load({ env: { RBEE_TOKEN_FILE: "other" }, cwd: home })).token).toBe("another-token-0123456789")
    file('token_file = "other"\n')
    expect((await load()).token).toBe("another-token-0123456789")
  })
  it("is made for a daemon where nobody chose one: once, of this user alone, and found by whoever comes later", async () => {
    const env = { RBEE_HOME: home }
    const makeToken = true
    const both = await Promise.all([1, 2, 3, 4].map(() => Effect.runPromise(loadSettings({ env, makeToken }))))
    const [made] = both
    expect(new Set(both.map((settings) => settings.token)).size).toBe(1)
    expect(made?.token).toMatch(/^rbee_[0-9a-f]{64}$/)
    expect(statSync(join(home, "token")).mode & 0o777).toBe(0o600)
    expect(readdirSync(home).filter((name) => name.startsWith("token"))).toEqual(["token"])
    expect((await Effect.runPromise(loadSettings({ env }))).token).toBe(made?.token)
    // with it models are asked without, and with a chosen one not, unless the setting says otherwise
    expect(made === undefined ? undefined : requiresToken(made)).toBe(false)
    expect(requiresToken(await load({ env: { ...env, RBEE_TOKEN: token } }))).toBe(true)
    const eased = { ...env, RBEE_TOKEN: token, RBEE_QUEEN_REQUIRE_TOKEN: "false" }
    expect(requiresToken(await load({ env: eased }))).toBe(false)
    // it opens no bind that others can reach
    expect(await refusal({ env: { ...env, RBEE_QUEEN_HOST: "0.0.0.0" } })).toContain("no token of yours")
  })
  it("is refused from a file that others can read, naming chmod, and is not in the message", async () => {
    tokenFile("token", 0o644)
    const message = await refusal()
    expect(message).toContain(`chmod 600 '${join(home, "token")}'`)
    expect(message).not.toContain(token)
  })
  it("is refused when it is short, without being shown", async () => {
    const message = await refusal({ env: { RBEE_TOKEN: "shortsecret" } })
    expect(message).toContain("fewer than 16")
    expect(message).not.toContain("shortsecret")
  })
  it("is required before anything but loopback is listened on", async () => {
    for (const name of ["RBEE_QUEEN_HOST", "RBEE_HIVE_HOST"]) {
      expect(await refusal({ env: { [name]: "0.0.0.0" } })).toMatch(
        /there is no token of yours\. Put at least 16 characters/
      )
      await load({ env: { [name]: "0.0.0.0", RBEE_TOKEN: token } })
      await load({ env: { [name]: "localhost" } })
    }
  })
})

describe("the home folder", () => {
  const homeOf = async (env: Record<string, string>, cwd = "/") => {
    const notes: Array<string> = []
    const settings = await Effect.runPromise(loadSettings({ env, cwd, onNote: (note) => notes.push(note) }))
    return { ...settings.home, notes }
  }
  it("is RBEE_HOME, also when it is relative", async () => {
    expect((await homeOf({ RBEE_HOME: "state" }, home)).state).toBe(join(home, "state"))
  })
  it("follows XDG, ignoring relative paths there", async () => {
    expect(await homeOf({ HOME: home, XDG_STATE_HOME: join(home, "s"), XDG_CONFIG_HOME: "c" })).toEqual({
      state: join(home, "s", "rbee"),
      logs: join(home, "s", "rbee", "logs"),
      config: join(home, ".config", "rbee", "config.toml"),
      notes: []
    })
  })
  it("is found with HOME empty or unset", async () => {
    for (const env of [{}, { HOME: "" }]) expect((await homeOf(env)).state).toMatch(/^\/.+rbee/)
  })
})
