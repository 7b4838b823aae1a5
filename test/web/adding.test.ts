/** A machine that is added from the page: its steps, its questions, and what it does where one of them fails. */
import { afterEach, assert, describe, it, vi } from "vitest"
import { Adding } from "../../src/web/machines/adding.ts"

type Answers = Readonly<Record<string, (body: unknown) => Response>>

const json = (body: unknown, status = 200) => Response.json(body, { status })
const refused = (code: string, message: string, details: object = {}) =>
  json({ error: { code, message, details } }, 502)
const events = (...lines: ReadonlyArray<string>) => new Response(lines.map((line) => `${line}\n\n`).join(""))

afterEach(() => {
  vi.unstubAllGlobals()
})

/** The queen, as she is called: each call with what it brought. */
const queen = (answers: Answers) => {
  const asked: Array<readonly [string, unknown]> = []
  vi.stubGlobal("fetch", (path: string, { body, headers, method }: RequestInit) => {
    const name = `${method} ${path}`
    const brought: unknown = typeof body === "string" ? JSON.parse(body) : undefined
    assert.strictEqual(new Headers(headers).get("x-rbee-page"), "1", name)
    asked.push([name, brought])
    const answer = answers[name]
    return answer === undefined ? Promise.reject(new Error(`nobody answers ${name}`)) : Promise.resolve(answer(brought))
  })
  return asked
}

const place = { host: "gpu-box", hive_port: 8600 }
const wanted = { ssh: place, power: { mac: "aa:bb:cc:dd:ee:ff" } }
const usual: Answers = {
  "POST /hives": () => json({ id: "gpu-box", state: "cold" }, 201),
  "POST /hives/gpu-box/check": () => json({ platform: "linux", arch: "x64", cores: 4, node: "v20.20.2" }),
  "GET /health": () => json({ version: "1.2.3" }),
  "POST /hives/gpu-box/install": () =>
    events('event: narration\ndata: {"human":"it is copied"}', 'event: done\ndata: {"version":"1.2.3","changed":true}'),
  "POST /hives/gpu-box/start": () => json({ id: "gpu-box", state: "healthy", devices: { cpu: { cores: 4 }, gpus: [] } })
}

const statesOf = ({ steps }: Adding) => steps.map(({ state }) => state)

describe("a machine that is added from the page", () => {
  it("is reached, looked at, set up and woken, and each step tells what it found", async () => {
    const asked = queen(usual)
    let changes = 0
    const adding = new Adding("gpu-box", wanted, () => changes++)
    await adding.run()
    assert.deepEqual(statesOf(adding), ["done", "done", "done", "done"])
    assert.isTrue(adding.isDone)
    assert.deepEqual(
      asked.map(([name]) => name),
      [
        "POST /hives",
        "POST /hives/gpu-box/check",
        "GET /health",
        "POST /hives/gpu-box/install",
        "POST /hives/gpu-box/start"
      ]
    )
    assert.deepEqual(adding.steps[2]?.lines, ["it is copied", "rbee 1.2.3 is installed"])
    assert.isAbove(changes, 8)
  })

  it("is not installed where this very version is there", async () => {
    const asked = queen({ ...usual, "POST /hives/gpu-box/check": () => json({ installed: "1.2.3" }) })
    const adding = new Adding("gpu-box", undefined, () => undefined)
    await adding.run()
    assert.isTrue(adding.isDone)
    assert.notInclude(
      asked.map(([name]) => name),
      "POST /hives/gpu-box/install"
    )
  })

  it("asks about a host key that was never seen, and goes on with the one that is right", async () => {
    const unknown = () => refused("SSH_HOST_KEY_UNKNOWN", "never seen", { fingerprint: "SHA256:abc" })
    const asked = queen({
      ...usual,
      "POST /hives": (body) =>
        typeof body === "object" && body !== null && "host_key" in body ? json({}, 201) : unknown()
    })
    const adding = new Adding("gpu-box", wanted, () => undefined)
    await adding.run()
    assert.deepEqual(statesOf(adding), ["failed", "waiting", "waiting", "waiting"])
    assert.deepEqual(adding.question, { kind: "host key", words: "never seen", fingerprint: "SHA256:abc" })
    await adding.trust("SHA256:abc")
    assert.isTrue(adding.isDone)
    assert.deepEqual(asked[1]?.[1], { id: "gpu-box", ...wanted, host_key: "SHA256:abc" })
  })

  it("asks for the passphrase of a key, and says where that does not open it", async () => {
    let isOpen = false
    queen({
      ...usual,
      "POST /hives": () =>
        isOpen ? json({}, 201) : refused("SSH_AUTH_FAILED", "the key is locked", { locked: "/home/ada/.ssh/id" }),
      "POST /ssh/unlock": (body) => {
        isOpen = JSON.stringify(body) === '{"file":"/home/ada/.ssh/id","passphrase":"right"}'
        return json({ opens: isOpen })
      }
    })
    const adding = new Adding("gpu-box", wanted, () => undefined)
    await adding.run()
    await adding.unlock("/home/ada/.ssh/id", "wrong")
    assert.strictEqual(adding.steps[0]?.problem, "this passphrase does not open /home/ada/.ssh/id")
    assert.strictEqual(adding.question?.kind, "passphrase")
    await adding.unlock("/home/ada/.ssh/id", "right")
    assert.isTrue(adding.isDone)
  })

  it("says why a step failed in the queen's words, and goes on from that step", async () => {
    let tries = 0
    const asked = queen({
      ...usual,
      "POST /hives/gpu-box/install": () =>
        tries++ === 0
          ? events('event: error\ndata: {"code":"DISK_FULL","message":"no room there. Free some","details":{}}')
          : events('event: done\ndata: {"version":"1.2.3","changed":true}')
    })
    const adding = new Adding("gpu-box", wanted, () => undefined)
    await adding.run()
    assert.deepEqual(statesOf(adding), ["done", "done", "failed", "waiting"])
    assert.strictEqual(adding.steps[2]?.problem, "no room there. Free some")
    await adding.run()
    assert.isTrue(adding.isDone)
    assert.lengthOf(
      asked.filter(([name]) => name === "POST /hives"),
      1
    )
  })

  it("takes an installation whose stream just ends for none", async () => {
    queen({ ...usual, "POST /hives/gpu-box/install": () => events('event: narration\ndata: {"human":"it begins"}') })
    const adding = new Adding("gpu-box", wanted, () => undefined)
    await adding.run()
    assert.match(adding.steps[2]?.problem ?? "", /ended before the installation/)
  })
})
