/** A real hive daemon: models of a hub that cuts, lies, refuses and stalls; hives killed in mid-download. */
import { createHash } from "node:crypto"
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { afterEach, describe, expect, it } from "vitest"
import { readEvents } from "../../src/protocol/sse.ts"
import { bundledFolder } from "../../src/layers/models/sources.ts"
import { partsOf } from "../../src/machines/formats/gguf/split.ts"
import { splitModel, TINY, tiny } from "../support/gguf.ts"
import { cutAt, flip, onFiles, stallAt, status, testHub, type TestHub } from "../support/hub.ts"
import { eventsOf, lines, provision, run, startHive, startWorker } from "../support/hive.ts"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { WorkerId, ModelRef } from "../../src/machines/vocabulary/ids.ts"

const machine = useMachines()
const original = readFileSync(join(bundledFolder() ?? "", "minillama-q8_0.gguf"))
const sha256 = createHash("sha256").update(original).digest("hex")
const model = "HF:acme/tiny:Q8_0"

const hubs: Array<TestHub> = []
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.close()
})

const withHub = async (files: Readonly<Record<string, Uint8Array>> = {}) => {
  const hub = await testHub(files)
  hubs.push(hub)
  const on = await machine()
  const env = { HF_ENDPOINT: hub.url, HF_HOME: join(on.home, "hf") }
  return { hub, on, env, repo: join(on.home, "hf", "hub", "models--acme--tiny") }
}
const blobs = (repo: string) => (existsSync(join(repo, "blobs")) ? readdirSync(join(repo, "blobs")) : [])
const start = (on: Machine, env: Record<string, string>) => startHive(on, env)

describe("A hive", () => {
  it("brings a model of a hub and serves everybody who asks for it meanwhile with one download", async () => {
    const { env, hub, on } = await withHub()
    const hive = await start(on, env)
    const ids = await Promise.all(
      [1, 2, 3].map(() => run(hive.api.provisionModel({ model_ref: ModelRef.make(model) })))
    )
    const feeds = await Promise.all(ids.map(({ provision_id }) => eventsOf(hive.api.modelEvents({ id: provision_id }))))
    expect(feeds.map((events) => events.at(-1)?.event)).toEqual(["ready", "ready", "ready"])
    expect(hub.fetches()).toHaveLength(1)
    expect(await run(hive.api.getModel({ ref: model }))).toMatchObject({ sha256, quantization: "Q8_0" })
    // another name of the same file needs no byte
    expect((await provision(hive, "HF:acme/tiny:tiny-Q8_0.gguf")).at(-1)?.event).toBe("ready")
    expect(hub.fetches()).toHaveLength(1)
  })

  it("goes on after a cut at 40 % from there, says so, and fetches no byte twice", async () => {
    const { env, hub, on } = await withHub()
    const at = Math.ceil(original.length * 0.4)
    hub.faults.push(cutAt(at))
    const hive = await start(on, env)
    const events = await provision(hive, model)
    expect(events.at(-1)?.event).toBe("ready")
    // how many steps are shown on the way is the machine's speed
    const said = lines(events).filter((line) => !/^… (?!100%)/.test(line))
    expect(said).toEqual([
      "model size = 3.3 MB; starting download",
      "resuming download at 40%",
      expect.stringMatching(/^… 100% @ \d+(\.\d)? MB\/s …$/),
      expect.stringMatching(/^model downloaded in \d+\.\d seconds$/)
    ])
    expect(hub.fetches().map(({ range }) => range)).toEqual([undefined, `bytes=${at}-`])
    expect(hub.sent()).toBe(original.length)
  })

  it("tells how far a download is, gives it up where nobody reads, and the next one goes on from there", async () => {
    const { env, hub, on } = await withHub()
    hub.faults.push(stallAt(Math.ceil(original.length * 0.6)))
    const hive = await start(on, env)
    const { provision_id: id } = await run(hive.api.provisionModel({ model_ref: ModelRef.make(model) }))
    const running = () => run(hive.api.listDownloads({}))
    await eventually(async () => ((await running())[0]?.received ?? 0) > original.length / 2, "it is under way")
    expect(await running()).toMatchObject([{ id, model_ref: model, total: original.length }])
    let isRead = false
    const reader = Effect.runFork(
      Effect.flatMap(hive.api.modelEvents({ id }), (feed) => readEvents(feed, () => void (isRead = true)))
    )
    await eventually(() => isRead, "somebody reads it")
    expect(await run(Effect.flip(hive.api.endDownload({ id })))).toMatchObject({ code: "CONFLICT" })
    await run(Fiber.interrupt(reader))
    await eventually(
      async () => (await run(Effect.either(hive.api.endDownload({ id }))))._tag === "Right",
      "the reader has left"
    )
    await eventually(async () => (await running()).length === 0, "it is given up")
    expect(await run(Effect.flip(hive.api.endDownload({ id })))).toMatchObject({ code: "NOT_FOUND" })
    const events = await provision(hive, model)
    expect(events.at(-1)?.event).toBe("ready")
    expect(lines(events)).toContainEqual(expect.stringMatching(/^resuming download at [56]\d%$/))
  })

  it("throws a file with a wrong hash away, tries once more from zero, and takes no second wrong one", async () => {
    const { env, hub, on, repo } = await withHub()
    hub.always = flip
    const hive = await start(on, env)
    const events = await provision(hive, model)
    expect(events.at(-1)).toMatchObject({ event: "failed", data: { code: "CHECKSUM_MISMATCH" } })
    expect(hub.fetches().map(({ range }) => range)).toEqual([undefined, undefined])
    expect(await run(hive.api.listModels({}))).toEqual([])
    expect(existsSync(join(repo, "snapshots"))).toBe(false)
    hub.always = undefined
    expect((await provision(hive, model)).at(-1)?.event).toBe("ready")
    expect(blobs(repo)).toEqual([sha256])
  })

  it("waits as long as a busy hub asks for", async () => {
    const { env, hub, on } = await withHub()
    hub.faults.push(status(429, { "retry-after": "2" }), status(503))
    const hive = await start(on, env)
    const began = Date.now()
    expect((await provision(hive, model)).at(-1)?.event).toBe("ready")
    expect(Date.now() - began).toBeGreaterThanOrEqual(3000)
    expect(hub.fetches()).toHaveLength(3)
  })

  it("refuses what the disk has no room for before the first byte, with the amounts", async () => {
    const { env, hub, on, repo } = await withHub()
    const bytes = 8_000_000_000_000_000
    hub.always = (request, response) => {
      const path = request.url ?? ""
      if (path.includes("/tree/")) {
        const entry = { type: "file", path: "tiny-Q8_0.gguf", size: bytes, lfs: { oid: sha256, size: bytes } }
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify([entry]))
        return true
      }
      return (
        request.method === "HEAD" &&
        status(200, {
          "x-linked-etag": `"${sha256}"`,
          "x-linked-size": String(bytes),
          "x-repo-commit": "a".repeat(40)
        })(request, response)
      )
    }
    const hive = await start(on, env)
    const last = (await provision(hive, model)).at(-1)
    expect(last).toMatchObject({ event: "failed", data: { code: "DISK_FULL", details: { needed_mb: 8_000_000_000 } } })
    expect(String(last?.data["message"])).toMatch(/needs 8000000000 MB .* \d+ MB are free/)
    expect(hub.fetches()).toEqual([])
    expect(blobs(repo)).toEqual([])
  })

  it("gives the space back when the disk is full midway, and lives on", async () => {
    const { env, on, repo } = await withHub({ "acme/other/other-F32.gguf": readFileSync(await tiny()) })
    const hive = await startHive(on, env, undefined, 2 * 1024 * 1024)
    const last = (await provision(hive, model)).at(-1)
    expect(last).toMatchObject({ event: "failed", data: { code: "DISK_FULL" } })
    expect(String(last?.data["message"])).toContain("rbee models rm")
    expect(blobs(repo)).toEqual([])
    // what fits is still fetched
    expect((await provision(hive, "HF:acme/other")).at(-1)?.event).toBe("ready")
  })

  it("goes through the proxy of its environment, but for hosts that need none", async () => {
    const { env, hub, on } = await withHub()
    const asked: Array<string> = []
    const proxy = createServer().on("connect", (request, socket: Socket) => {
      asked.push(request.url ?? "")
      const to = connect(Number(new URL(hub.url).port), "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n")
        to.pipe(socket).pipe(to)
      })
      // who leaves in mid-stream leaves both
      to.on("error", () => socket.destroy())
      socket.on("error", () => to.destroy())
    })
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve))
    const address = proxy.address()
    const port = typeof address === "object" ? address?.port : undefined
    try {
      // only the proxy knows where that is
      const proxied = {
        ...env,
        HF_ENDPOINT: "http://hub.invalid",
        HTTP_PROXY: `http://127.0.0.1:${port}`,
        NO_PROXY: ""
      }
      const first = await start(on, proxied)
      expect((await provision(first, model)).at(-1)?.event).toBe("ready")
      expect(new Set(asked)).toEqual(new Set(["hub.invalid:80"]))
      await run(first.api.removeModel({ ref: model }))
      first.process.kill("SIGTERM")
      await first.exit
      const through = asked.length
      const second = await start(on, { ...proxied, HF_ENDPOINT: hub.url, NO_PROXY: "127.0.0.1" })
      expect((await provision(second, model)).at(-1)?.event).toBe("ready")
      expect(asked).toHaveLength(through)
    } finally {
      proxy.close()
    }
  })

  it("tells what a gated model needs, and lives on", async () => {
    const { env, hub, on } = await withHub()
    hub.always = onFiles(status(403, { "x-error-code": "GatedRepo" }))
    const hive = await start(on, env)
    expect((await provision(hive, model)).at(-1)).toMatchObject({
      event: "failed",
      data: { code: "MODEL_ACCESS_DENIED", message: expect.stringContaining("HF_TOKEN") }
    })
    expect((await provision(hive, "HF:acme/nobody")).at(-1)).toMatchObject({ data: { code: "MODEL_NOT_FOUND" } })
    expect((await provision(hive, "minillama")).at(-1)?.event).toBe("ready")
  })

  it("killed in mid-download at any byte leaves nothing corrupt, and the next one goes on", async () => {
    const { env, hub, on, repo } = await withHub()
    const kills = 6
    for (let i = 0; i < kills; i++) {
      const hive = await start(on, env)
      const before = hub.fetches().length
      hub.faults.push(stallAt(1 + Math.floor(Math.random() * 900_000)))
      await run(hive.api.provisionModel({ model_ref: ModelRef.make(model) }))
      await eventually(() => hub.fetches().length > before, "the hive fetches")
      // anywhere between the first byte and the stall
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 30))
      hive.process.kill("SIGKILL")
      await hive.exit
      expect(blobs(repo).filter((name) => !name.endsWith(".rbee.incomplete"))).toEqual([])
      hub.faults.splice(0)
    }
    const hive = await start(on, env)
    const events = await provision(hive, model)
    expect(events.at(-1)?.event).toBe("ready")
    const { file } = await run(hive.api.getModel({ ref: model }))
    expect(createHash("sha256").update(readFileSync(file)).digest("hex")).toBe(sha256)
    expect(blobs(repo)).toEqual([sha256])
    expect(readdirSync(join(repo, "..", ".locks", "models--acme--tiny"))).toEqual([])
    // at most what one hive holds before it writes is fetched again for each kill
    expect(hub.sent()).toBeLessThanOrEqual(original.length + kills * (1024 * 1024 + 64 * 1024))
  })

  it("still knows what it fetched, and what was wanted of it, when its catalog is damaged", async () => {
    const { env, hub, on } = await withHub()
    const first = await start(on, env)
    await provision(first, model)
    await startWorker(first, { model_ref: ModelRef.make(model) })
    await run(first.api.pinModel({ ref: model, pinned: true }))
    const before = await run(first.api.getModel({ ref: model }))
    expect(before.last_used_at).toBeGreaterThan(0)
    first.process.kill("SIGTERM")
    await first.exit
    writeFileSync(join(first.folder, "catalog.sqlite"), "no database at all ".repeat(1000))
    const second = await start(on, env)
    expect(await run(second.api.getModel({ ref: model }))).toEqual({ ...before, in_use: false })
    expect(hub.fetches()).toHaveLength(1)
    await run(second.api.removeModel({ ref: model }))
    expect(existsSync(before.file)).toBe(false)
  })

  it("fetches so many side by side as it may, and gives up one that nobody waits for any more", async () => {
    const { env, hub, on } = await withHub({ "acme/other/other-F32.gguf": readFileSync(await tiny()) })
    hub.faults.push(stallAt(1_500_000))
    const hive = await start(on, {
      ...env,
      RBEE_HIVE_DOWNLOADS: "1",
      RBEE_HIVE_LATE_MS: "100",
      RBEE_HIVE_LOST_MS: "300"
    })
    const { provision_id } = await run(hive.api.provisionModel({ model_ref: ModelRef.make(model) }))
    const reader = Effect.runFork(
      Effect.flatMap(hive.api.modelEvents({ id: provision_id }), (feed) => readEvents(feed, () => {}))
    )
    await eventually(() => hub.fetches().length === 1, "the first one is on its way")
    const next = await run(hive.api.provisionModel({ model_ref: ModelRef.make("HF:acme/other") }))
    const both = eventsOf(hive.api.modelEvents({ id: next.provision_id }))
    await eventually(() => hive.log().includes("HF:acme/other is other-F32.gguf"), "the second is resolved")
    expect(hub.fetches()).toHaveLength(1)
    await run(Fiber.interrupt(reader))
    // the first gives way to the second
    expect((await both).at(-1)?.event).toBe("ready")
    expect(hive.log()).toContain("nobody waits for it any more")
    const events = await provision(hive, model)
    expect(lines(events)).toContainEqual(expect.stringMatching(/^resuming download at 45%$/))
    expect(events.at(-1)?.event).toBe("ready")
  })

  it("fetches a split model as one, and its worker loads it from the first part", async () => {
    const parts = partsOf(await splitModel(TINY, 3))
    const files = parts.map((path, i) => [`acme/big/big-F32-0000${i + 1}-of-00003.gguf`, readFileSync(path)])
    const { env, on } = await withHub(Object.fromEntries(files))
    const hive = await start(on, env)
    const big = "HF:acme/big"
    expect((await provision(hive, big)).at(-1)?.event).toBe("ready")
    expect(await run(hive.api.getModel({ ref: big }))).toMatchObject({
      quantization: "F32",
      why: "F32: there is no choice"
    })
    const { events, id } = await startWorker(hive, { model_ref: ModelRef.make(big) })
    expect(events.at(-1)?.event).toBe("ready")
    await run(hive.api.stopWorker({ id: WorkerId.make(id) }))
    await run(hive.api.removeModel({ ref: big }))
    expect(blobs(join(on.home, "hf", "hub", "models--acme--big"))).toEqual([])
    // named by any of its files, in place
    const inPlace = `file:${parts[1]}`
    expect((await provision(hive, inPlace)).at(-1)?.data).toEqual({ file: parts[0] })
    const alone = join(on.home, "alone-00001-of-00003.gguf")
    copyFileSync(parts[0], alone)
    expect((await provision(hive, `file:${alone}`)).at(-1)).toMatchObject({ data: { code: "MODEL_NOT_FOUND" } })
  })

  it("fetches again what somebody deleted from the cache", async () => {
    const { env, hub, on, repo } = await withHub()
    const hive = await start(on, env)
    await provision(hive, model)
    rmSync(repo, { recursive: true })
    expect((await provision(hive, model)).at(-1)?.event).toBe("ready")
    expect(hub.fetches()).toHaveLength(2)
  })
})
