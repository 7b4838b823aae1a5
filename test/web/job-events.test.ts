/** An answer is read to its end, whatever breaks on the way to the page. */
import { afterEach, assert, describe, it, vi } from "vitest"
import { showKey } from "../../src/web/kit/key.ts"
import { type JobListener, readJob } from "../../src/web/chat/job-events.ts"

afterEach(() => {
  vi.unstubAllGlobals()
  showKey(undefined)
})

type Served = ReadonlyArray<string> | "broken" | { readonly status: number; readonly message: string }

const respond = (served: Served | undefined): Response => {
  if (served === undefined || served === "broken") throw new TypeError("the connection broke")
  if ("status" in served)
    return Response.json({ error: { code: "X", message: served.message, details: {} } }, { status: served.status })
  return new Response(served.map((block) => `${block}\n\n`).join(""))
}

/** What was heard until its end, and with which headers it was asked for, where each try is served so. */
const reading = async (key: string | undefined, ...tries: ReadonlyArray<Served>) => {
  const left = [...tries]
  const asked: Array<Headers> = []
  showKey(key)
  vi.stubGlobal("fetch", async (path: string, { headers }: RequestInit) => {
    assert.strictEqual(path, "/jobs/job-1/events")
    asked.push(new Headers(headers))
    return respond(left.shift())
  })
  const heard: Array<string> = []
  await new Promise<void>((resolve) => {
    const listener: JobListener = {
      narration: (line) => heard.push(`says ${line}`),
      token: (text) => heard.push(text),
      failover: () => heard.push("failover"),
      connected: (is) => heard.push(is ? "connected" : "lost"),
      done: () => resolve(void heard.push("done")),
      ended: (how, why) => resolve(void heard.push(`${how} ${why}`))
    }
    readJob("job-1", listener, 0)
  })
  return { heard, asked }
}

const token = (id: number, text: string) => `id: ${id}\nevent: token\ndata: {"t":"${text}"}`
const done = "id: 9\nevent: done\ndata: {}"

describe("an answer that the page reads", () => {
  it("goes on after what was heard last, wherever its connection breaks", async () => {
    const { asked, heard } = await reading(undefined, [token(1, "a"), token(2, "b")], "broken", [
      token(3, "c"),
      done,
      token(4, "x")
    ])
    assert.deepEqual(heard, ["connected", "a", "b", "lost", "lost", "connected", "c", "done"])
    assert.deepEqual(
      asked.map((headers) => headers.get("last-event-id")),
      [null, "2", "2"]
    )
  })

  it("waits for a queen who is not there yet, and ends where she does not know it, or a key opens nothing any more", async () => {
    const late = await reading(undefined, { status: 503, message: "she ends" }, [done])
    assert.deepEqual(late.heard, ["lost", "connected", "done"])
    const unknown = await reading(undefined, { status: 404, message: "no such job" })
    assert.deepEqual(unknown.heard, ["failed the queen does not know this answer any more"])
    const revoked = await reading("rbk_x", { status: 401, message: "the key was revoked" })
    assert.deepEqual(revoked.heard, ["failed the key was revoked"])
    assert.strictEqual(revoked.asked[0]?.get("authorization"), "Bearer rbk_x")
  })

  it("tells how it ended", async () => {
    assert.deepEqual((await reading(undefined, ["event: cancelled\ndata: {}"])).heard, ["connected", "stopped "])
    const failed = ["event: failover\ndata: {}", 'event: error\ndata: {"message":"no device has room"}']
    assert.deepEqual((await reading(undefined, failed)).heard, ["connected", "failover", "failed no device has room"])
  })
})
