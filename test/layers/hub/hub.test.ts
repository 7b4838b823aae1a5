/** `rbee hub` as other tools see it: routes, headers, ranges; and as a command. */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { bundledFolder } from "../../../src/layers/models/sources.ts"
import { testHub, type TestHub } from "../../support/hub.ts"

const original = readFileSync(join(bundledFolder() ?? "", "minillama-q8_0.gguf"))
const sha256 = createHash("sha256").update(original).digest("hex")
const hubs: Array<TestHub> = []
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.close()
})
const start = async (files: Readonly<Record<string, Uint8Array>> = {}) => {
  const hub = await testHub(files)
  hubs.push(hub)
  return hub
}
const file = (hub: TestHub) => `${hub.url}/acme/tiny/resolve/main/tiny-Q8_0.gguf`

describe("The hub", () => {
  it("lists a repository with sizes and hashes, at one commit", async () => {
    const hub = await start({ "notes.txt": Buffer.from("no model") })
    const listing = await fetch(`${hub.url}/api/models/acme/tiny/tree/main?recursive=true`)
    expect(await listing.json()).toEqual([
      expect.objectContaining({
        type: "file",
        path: "tiny-Q8_0.gguf",
        size: original.length,
        lfs: { oid: sha256, size: original.length, pointerSize: 134 }
      })
    ])
    const info = await fetch(`${hub.url}/api/models/acme/tiny`)
    expect(await info.json()).toMatchObject({ id: "acme/tiny", sha: listing.headers.get("x-repo-commit") })
  })

  it("tells by HEAD what a file is, and gives parts of it", async () => {
    const hub = await start()
    const head = await fetch(file(hub), { method: "HEAD" })
    expect(head.headers.get("x-linked-etag")).toBe(`"${sha256}"`)
    expect(head.headers.get("x-linked-size")).toBe(String(original.length))
    expect(head.headers.get("x-repo-commit")).toMatch(/^[0-9a-f]{40}$/)
    for (const [range, start, end] of [
      ["bytes=10-19", 10, 20],
      ["bytes=3297560-", 3_297_560, original.length],
      ["bytes=-8", original.length - 8, original.length],
      ["bytes=3297560-99999999", 3_297_560, original.length]
    ] as const) {
      const part = await fetch(file(hub), { headers: { range } })
      expect(part.status).toBe(206)
      expect(part.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/${original.length}`)
      expect(Buffer.from(await part.arrayBuffer()).equals(original.subarray(start, end))).toBe(true)
    }
    expect((await fetch(file(hub), { headers: { range: "bytes=3297568-" } })).status).toBe(416)
    const whole = await fetch(file(hub), { headers: { range: "lines=1-2" } })
    expect(whole.status).toBe(200)
    expect(Buffer.from(await whole.arrayBuffer()).equals(original)).toBe(true)
  })

  it("calls files that lie flat, or one folder deep, by names that references can have", async () => {
    const hub = await start({ "my models/a b.gguf": Buffer.from("GGUF"), "flat.gguf": Buffer.from("GGUF") })
    expect((await fetch(`${hub.url}/local/my-models/resolve/main/a%20b.gguf`)).status).toBe(200)
    const name = hub.folder.split("/").at(-1) ?? ""
    expect((await fetch(`${hub.url}/local/${name}/resolve/main/flat.gguf`)).status).toBe(200)
  })

  it.each([
    ["/acme/nobody/resolve/main/x.gguf", "RepoNotFound"],
    ["/acme/tiny/resolve/v2/tiny-Q8_0.gguf", "RevisionNotFound"],
    ["/acme/tiny/resolve/main/x.gguf", "EntryNotFound"],
    ["/acme/tiny/resolve/main/..%2F..%2F..%2Fetc%2Fpasswd", "EntryNotFound"],
    ["/api/models/acme/nobody/tree/main", "RepoNotFound"]
  ])("has no %s: %s", async (path, code) => {
    const hub = await start()
    const answer = await fetch(`${hub.url}${path}`)
    expect([answer.status, answer.headers.get("x-error-code")]).toEqual([404, code])
  })

  it("lives on after requests that are none", async () => {
    const hub = await start()
    expect((await fetch(`${hub.url}/%E0%A4%A`)).status).toBe(400)
    expect((await fetch(`${hub.url}/acme/tiny/resolve/main/%E0%A4%A`)).status).toBeGreaterThanOrEqual(400)
    expect((await fetch(file(hub), { method: "POST", body: "x" })).status).toBe(405)
    expect((await fetch(file(hub), { method: "HEAD" })).status).toBe(200)
  })
})
