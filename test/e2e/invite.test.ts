/** Hives that are started by hand, each with a state folder of its own: they join by an invitation, and by nothing else. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, assert, describe, it } from "vitest"
import { callAt } from "../support/hostile-hive.ts"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { ownAddress } from "../support/network.ts"

const machine = useMachines()
const program = fileURLToPath(new URL("../../dist/hive.js", import.meta.url))
const started: Array<ChildProcess> = []
afterEach(() => {
  for (const one of started.splice(0)) one.kill("SIGKILL")
})

/** The hive program of another state folder, with this queen for its own. */
const startHive = (there: Machine, on: Machine, env: Record<string, string>) => {
  const child = spawn(process.execPath, [program], {
    env: { ...there.env, RBEE_HIVE_ID: "second", RBEE_HIVE_QUEEN: on.queenUrl, ...env },
    stdio: ["ignore", "ignore", "pipe"]
  })
  started.push(child)
  let said = ""
  child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()))
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve))
  return { child, exit, said: () => said }
}

const invited = async (on: Machine, name = "second", ...flags: ReadonlyArray<string>): Promise<string> => {
  const { code, stderr, stdout } = await on.rbee(["hives", "invite", name, ...flags])
  assert.strictEqual(code, 0, stderr)
  return stdout.trim()
}

const stateOf = async (on: Machine, name = "second") => {
  const hives = (await (await on.fetch(`${on.queenUrl}/hives`)).json()) as ReadonlyArray<Record<string, unknown>>
  return hives.find(({ id }) => id === name)?.["state"]
}
const healthy = (on: Machine, said: () => string) =>
  eventually(async () => (await stateOf(on)) === "healthy", said, 20_000)

describe("A hive that is started by hand", () => {
  it("joins by a token of one use, with secrets of its own, and comes back after its end and the queen's", async () => {
    const on = await machine()
    const there = await machine()
    const invite = await invited(on)
    const file = join(there.home, "invitation")
    writeFileSync(file, `${invite}\n`, { mode: 0o600 })
    const first = startHive(there, on, { RBEE_HIVE_INVITE_FILE: file })
    await healthy(on, first.said)
    const answer = await on.rbee(["infer", "--quiet", "--max-tokens", "2", "--hive", "second", "hello"])
    assert.strictEqual(answer.code, 0, answer.stderr)

    const own = join(there.home, "hive-second", "secret")
    assert.strictEqual(statSync(own).mode & 0o777, 0o600)
    const secret = readFileSync(own, "utf8").trim()
    const cluster = String(on.token())
    assert.notStrictEqual(secret, cluster)
    assert.strictEqual((await callAt(there.ports.hive, { path: "/workers", bearer: cluster })).status, 401)
    assert.strictEqual((await callAt(there.ports.hive, { path: "/workers", bearer: secret })).status, 200)
    for (const path of ["/hives", "/jobs", "/hub/api/models/a/b"])
      assert.strictEqual((await callAt(on.ports.queen, { path, bearer: secret })).status, path === "/jobs" ? 200 : 401)

    const thief = await machine()
    const other = startHive(thief, on, { RBEE_HIVE_INVITE: invite })
    assert.strictEqual(await other.exit, 1)
    assert.include(other.said(), "rbee hives invite second")
    assert.strictEqual(await stateOf(on), "healthy")

    // what it was invited with is spent, and says which hive it is
    first.child.kill("SIGKILL")
    await first.exit
    const again = startHive(there, on, { RBEE_HIVE_INVITE_FILE: file })
    await healthy(on, again.said)
    // and later starts need no invitation at all
    again.child.kill("SIGKILL")
    await again.exit
    const alone = startHive(there, on, { RBEE_HIVE_QUEEN: "" })
    await healthy(on, alone.said)
    process.kill(on.processes().find(({ role }) => role === "queen")?.pid ?? 0, "SIGKILL")
    const later = await on.rbee(["infer", "--quiet", "--max-tokens", "2", "--hive", "second", "hello"])
    assert.strictEqual(later.code, 0, later.stderr)
    for (const one of [on.home, there.home])
      for (const log of ["queen.log", "hive-second.log"])
        for (const word of [secret, invite]) assert.notInclude(logIn(one, log), word)
  }, 90_000)

  it("shows what lets it in again to its own queen alone, and only under its own name", async () => {
    const [on, other, there] = [await machine(), await machine(), await machine()]
    const first = startHive(there, on, { RBEE_HIVE_INVITE: await invited(on) })
    await healthy(on, first.said)
    const secret = readFileSync(join(there.home, "hive-second", "secret"), "utf8").trim()
    const body = { secret, port: there.ports.hive, queen: on.queenUrl }
    const asThird = await callAt(on.ports.queen, { method: "POST", path: "/hives/third/join", body })
    assert.strictEqual(asThird.status, 403, asThird.text)
    first.child.kill("SIGKILL")
    await first.exit
    const astray = startHive(there, other, {})
    assert.strictEqual(await astray.exit, 1)
    assert.include(astray.said(), `has joined the queen at ${on.queenUrl}`)
  }, 60_000)

  it("moves to another queen by her invitation, with a secret that the first one does not know", async () => {
    const [on, other, there] = [await machine(), await machine(), await machine()]
    const first = startHive(there, on, { RBEE_HIVE_INVITE: await invited(on) })
    await healthy(on, first.said)
    const file = join(there.home, "hive-second", "secret")
    const before = readFileSync(file, "utf8").trim()
    first.child.kill("SIGKILL")
    await first.exit
    const moved = startHive(there, other, { RBEE_HIVE_INVITE: await invited(other) })
    await healthy(other, moved.said)
    assert.notStrictEqual(readFileSync(file, "utf8").trim(), before)
    assert.strictEqual((await callAt(there.ports.hive, { path: "/workers", bearer: before })).status, 401)
    const answer = await other.rbee(["infer", "--quiet", "--max-tokens", "2", "--hive", "second", "hello"])
    assert.strictEqual(answer.code, 0, answer.stderr)
  }, 60_000)

  it("joins nobody where its own queen wakes it, whichever its folder joined before", async () => {
    const on = await machine()
    const folder = join(on.home, "hive-localhost")
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(join(folder, "joined"), "http://127.0.0.1:9\n", { mode: 0o600 })
    const answer = await on.rbee(["infer", "--quiet", "--max-tokens", "2", "hello"])
    assert.strictEqual(answer.code, 0, answer.stderr)
    assert.strictEqual(await stateOf(on, "localhost"), "healthy")
  })

  it("is refused with a token of another name, and with none", async () => {
    const on = await machine()
    const there = await machine()
    const invite = await invited(on, "third")
    const wrong = startHive(there, on, { RBEE_HIVE_INVITE: invite })
    assert.strictEqual(await wrong.exit, 1)
    assert.include(wrong.said(), "not for hive second")
    assert.isUndefined(await stateOf(on))
    // with the cluster's own token, as hives that were started by hand had it
    const old = startHive(there, on, { RBEE_TOKEN: String(on.token()) })
    const url = `http://127.0.0.1:${there.ports.hive}`
    await eventually(async () => (await fetch(`${url}/health`).catch(() => undefined))?.ok === true, old.said)
    const added = await on.fetch(`${on.queenUrl}/hives`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ id: "second", url })
    })
    assert.strictEqual(added.status, 400)
    assert.include(await added.text(), "rbee hives invite second")
  }, 60_000)

  it("is nobody once it is forgotten, and is reached over a network only where --direct says so", async () => {
    const on = await machine()
    const there = await machine()
    const invite = await invited(on)
    const hive = startHive(there, on, { RBEE_HIVE_INVITE: invite })
    await healthy(on, hive.said)
    assert.strictEqual((await on.rbee(["hives", "stop", "second"])).code, 0)
    await hive.exit
    assert.strictEqual((await on.rbee(["hives", "rm", "second"])).code, 0)
    const back = startHive(there, on, { RBEE_HIVE_INVITE: invite })
    assert.strictEqual(await back.exit, 1)
    assert.include(back.said(), "rbee hives invite second")
    const alone = startHive(there, on, {})
    assert.strictEqual(await alone.exit, 1)
    assert.include(alone.said(), "rbee hives invite second")

    const clear = await on.rbee(["hives", "invite", "far", "--url", "http://192.0.2.1:8600"])
    assert.notStrictEqual(clear.code, 0)
    assert.include(clear.stderr, "--direct")
    for (const url of ["http://far.example:8600", "https://192.0.2.1:8600", "192.0.2.1"])
      assert.notStrictEqual((await on.rbee(["hives", "invite", "far", "--direct", "--url", url])).code, 0, url)
    const far = await invited(on, "far", "--direct", "--url", "http://192.0.2.1:8600")
    assert.match(far, /^[0-9a-f]{64}$/)
    assert.notStrictEqual((await on.rbee(["hives", "invite", "localhost"])).code, 0)
  }, 60_000)
})

describe("An invitation", () => {
  it("lets in one of two that show it at the same moment", async () => {
    const on = await machine()
    const invite = await invited(on)
    const join = (n: number) =>
      callAt(on.ports.queen, {
        method: "POST",
        path: "/hives/second/join",
        // nobody listens there: the one that is let in is not reached
        body: { invite, secret: `the-secret-of-number-${n}`, port: 1, queen: on.queenUrl }
      })
    const answers = await Promise.all([1, 2, 3].map(join))
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((one, other) => one - other),
      [403, 403, 504],
      answers.map(({ text }) => text).join()
    )
  }, 60_000)

  it.skipIf(ownAddress === undefined)(
    "with --url and --direct is for a hive of a network, at that address and no other",
    async () => {
      const token = "a-token-of-the-operators-own-0123"
      const on = await machine({ env: { RBEE_TOKEN: token, RBEE_QUEEN_HOST: String(ownAddress) } })
      const there = await machine()
      const invite = await invited(on, "second", "--direct", "--url", `http://${ownAddress}:${there.ports.hive}`)
      const hive = startHive(there, on, {
        RBEE_HIVE_INVITE: invite,
        RBEE_HIVE_HOST: String(ownAddress),
        RBEE_HIVE_QUEEN: `http://${ownAddress}:${on.ports.queen}`
      })
      const isHealthy = async () => {
        const { stdout } = await on.rbee(["hives", "ls", "--json"])
        return stdout.includes(`http+direct://second@${ownAddress}:${there.ports.hive}`) && stdout.includes('"healthy"')
      }
      await eventually(isHealthy, hive.said, 30_000)
      const answer = await on.rbee(["infer", "--quiet", "--max-tokens", "2", "--hive", "second", "hello"])
      assert.strictEqual(answer.code, 0, answer.stderr)
    },
    60_000
  )
})

const logIn = (home: string, name: string): string => {
  try {
    return readFileSync(join(home, "logs", name), "utf8")
  } catch {
    return ""
  }
}
