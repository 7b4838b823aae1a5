/** The source of Hugging Face against a loopback hub with faults: real bytes, real sockets, the real download chart's rules. */
import { createHash } from "node:crypto"
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { createServer, type Server } from "node:net"
import { basename, join } from "node:path"
import { scanCacheDir } from "@huggingface/hub"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { afterEach, describe, expect, it, vi } from "vitest"
import { Kinds } from "../../../src/layers/kinds/index.ts"
import { layerDisk } from "../../../src/layers/models/disk.ts"
import { hubSettings, type HubSettings } from "../../../src/layers/models/hugging-face/settings.ts"
import { huggingFace } from "../../../src/layers/models/hugging-face/source.ts"
import { Models, type PublishedModel } from "../../../src/layers/models/index.ts"
import { bundledFolder } from "../../../src/layers/models/sources.ts"
import type { RbeeError } from "../../../src/machines/errors.ts"
import { partsOf } from "../../../src/machines/formats/gguf/split.ts"
import { type ParsedRef, parseModelRef } from "../../../src/machines/formats/model-ref.ts"
import { familyFile, familyHeader } from "../../support/families/index.ts"
import type { Entries } from "../../support/gguf-container.ts"
import { parametersOf, splitModel, TINY } from "../../support/gguf.ts"
import {
  among,
  cutAt,
  flip,
  gated,
  noLength,
  onFiles,
  pages,
  rangeIgnored,
  rangeRefused,
  redirectTo,
  stallAt,
  status,
  testHub,
  type TestHub
} from "../../support/hub.ts"
import { workerKinds } from "../../../src/machines/kinds/index.ts"
import type { WorkerKinds } from "../../../src/machines/kinds/kind.ts"
import { scriptKind } from "../../support/script-kind.ts"
import { patience } from "../../support/patience.ts"

const ref = (text: string): ParsedRef => Either.getOrThrow(parseModelRef(text))
const tiny = ref("HF:acme/tiny:Q8_0")
const original = readFileSync(join(bundledFolder() ?? "", "minillama-q8_0.gguf"))
const sha256 = createHash("sha256").update(original).digest("hex")

const quiet = Logger.remove(Logger.defaultLogger)
const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(Effect.provide(effect, quiet))

const open: Array<() => Promise<void> | void> = []
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const close of open.splice(0).toReversed()) await close()
})

interface Here {
  readonly hub: TestHub
  readonly cache: string
  readonly repo: string
  readonly models: Models["Type"]
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
}

const here = async (
  env: Record<string, string> = {},
  change: Partial<HubSettings> = {},
  files: Readonly<Record<string, Uint8Array>> = {}
): Promise<Here> => {
  const hub = await testHub(files)
  const home = mkdtempSync(join(tmpdir(), "rbee-hf-"))
  open.push(() => rmSync(home, { recursive: true, force: true }), hub.close)
  const settings = hubSettings({ HF_ENDPOINT: hub.url, HF_HOME: join(home, "hf"), ...env })
  const layer = layerDisk({ folder: join(home, "hive"), sources: [huggingFace({ ...settings, ...change })] })
  const models = await run(Effect.provide(Models, layer))
  const cache = join(home, "hf", "hub")
  return { hub, cache, repo: join(cache, "models--acme--tiny"), models, run }
}

/** One try: resolve, transfer, publish. */
const bring = (models: Models["Type"], model = tiny, progress: (received: number) => void = () => {}) =>
  Effect.gen(function* () {
    const resolved = yield* models.resolve(model)
    yield* models.transfer(resolved, progress)
    return yield* models.publish(resolved)
  })
const fails = (models: Models["Type"], model = tiny): Promise<RbeeError> => run(Effect.flip(bring(models, model)))

const blobs = (at: Here) => (existsSync(join(at.repo, "blobs")) ? readdirSync(join(at.repo, "blobs")) : [])
const isWhole = ({ file }: PublishedModel) => expect(readFileSync(file).equals(original)).toBe(true)

describe("Hugging Face", () => {
  it("fetches a file into the shared cache's layout: blob, relative link of the snapshot, ref", async () => {
    const at = await here()
    const published = await at.run(bring(at.models))
    isWhole(published)
    expect(published).toMatchObject({ sha256, facts: { quantization: "Q8_0" } })
    const commit = readFileSync(join(at.repo, "refs", "main"), "utf8")
    expect(commit).toMatch(/^[0-9a-f]{40}$/)
    expect(published.file).toBe(join(at.repo, "snapshots", commit, "tiny-Q8_0.gguf"))
    expect(lstatSync(published.file).isSymbolicLink()).toBe(true)
    expect(readlinkSync(published.file)).toBe(join("..", "..", "blobs", sha256))
    expect(blobs(at)).toEqual([sha256])
    expect(readdirSync(join(at.cache, ".locks", "models--acme--tiny"))).toEqual([])
  })

  it("leaves a cache that Hugging Face's own tools read", async () => {
    const at = await here()
    const { file } = await at.run(bring(at.models))
    const { repos, warnings } = await scanCacheDir(at.cache)
    expect(warnings).toEqual([])
    expect(repos).toMatchObject([{ id: { name: "acme/tiny", type: "model" }, size: original.length, filesCount: 1 }])
    expect(repos[0]?.revisions).toMatchObject([
      { refs: ["main"], files: [{ path: file, blob: { path: join(at.repo, "blobs", sha256), size: original.length } }] }
    ])
  })

  it("uses what is in the cache, whoever brought it, and fetches no byte", async () => {
    const at = await here()
    const { file } = await at.run(bring(at.models))
    rmSync(file)
    const again = await at.run(at.models.resolve(ref("HF:acme/tiny:tiny-Q8_0.gguf")))
    expect(again.inPlace).toBe(file)
    isWhole(await at.run(bring(at.models)))
    expect(at.hub.fetches()).toHaveLength(1)
  })

  it("does not use what is damaged in the cache, and does not touch it either", async () => {
    const at = await here()
    await at.run(bring(at.models))
    const blob = join(at.repo, "blobs", sha256)
    const damaged = Buffer.from(original)
    damaged[900_000] = (damaged[900_000] ?? 0) ^ 1
    writeFileSync(blob, damaged)
    expect(await fails(at.models)).toMatchObject({
      code: "CHECKSUM_MISMATCH",
      todo: expect.stringContaining("Delete it")
    })
    expect(readFileSync(blob).equals(damaged)).toBe(true)
  })

  it("fetches the files of whichever kinds there are, and of no others", async () => {
    const script = new TextEncoder().encode("script: hello")
    const files = { "acme/plays/hamlet.script": script, "acme/plays/notes.txt": script }
    const kinds: WorkerKinds = [...workerKinds, scriptKind]
    const hub = await testHub(files, kinds)
    const home = mkdtempSync(join(tmpdir(), "rbee-hf-"))
    open.push(() => rmSync(home, { recursive: true, force: true }), hub.close)
    const settings = hubSettings({ HF_ENDPOINT: hub.url, HF_HOME: join(home, "hf") })
    const modelsOf = (those: WorkerKinds) =>
      run(
        Effect.provide(
          Models,
          Layer.provide(
            layerDisk({ folder: join(home, "hive"), sources: [huggingFace({ ...settings, kinds: those })] }),
            Layer.succeed(Kinds, those)
          )
        )
      )
    const published = await run(bring(await modelsOf(kinds), ref("HF:acme/plays")))
    expect(basename(published.file)).toBe("hamlet.script")
    expect(published.facts.architecture).toBe("script")
    expect(await run(Effect.flip(bring(await modelsOf(workerKinds), ref("HF:acme/plays"))))).toMatchObject({
      code: "MODEL_NOT_FOUND"
    })
  })

  it("needs nobody where it is offline, and says what is missing then", async () => {
    const at = await here()
    await at.run(bring(at.models))
    const settings = hubSettings({ HF_ENDPOINT: "http://127.0.0.1:9", HF_HUB_CACHE: at.cache, HF_HUB_OFFLINE: "1" })
    const source = huggingFace(settings)
    const found = await run(source.locate(tiny) ?? Effect.die("not a reference of it"))
    expect(readFileSync(found.files[0].inPlace ?? "").equals(original)).toBe(true)
    const missing = source.locate(ref("HF:acme/tiny:Q4_0")) ?? Effect.die("not a reference of it")
    expect(await run(Effect.flip(missing))).toMatchObject({
      code: "MODEL_NOT_FOUND",
      todo: expect.stringContaining("HF_HUB_OFFLINE")
    })
    // the same, where the hub cannot be reached though it may
    const alone = huggingFace({ ...settings, offline: false })
    expect(await run(alone.locate(tiny) ?? Effect.die("no"))).toMatchObject({
      files: [{ inPlace: found.files[0].inPlace }]
    })
    expect(await run(Effect.flip(alone.locate(ref("HF:acme/other")) ?? Effect.die("no")))).toMatchObject({
      code: "DOWNLOAD_FAILED",
      what: expect.stringContaining("ECONNREFUSED")
    })
  })

  it("goes on by Range after a cut, without fetching a byte twice", async () => {
    const at = await here()
    const part = Math.floor(original.length * 0.4)
    at.hub.faults.push(cutAt(part))
    expect(await fails(at.models)).toMatchObject({ code: "DOWNLOAD_FAILED" })
    expect(blobs(at)).toEqual([`${sha256}.rbee.incomplete`])
    expect((await at.run(at.models.resolve(tiny))).partial).toBe(part)
    isWhole(await at.run(bring(at.models)))
    expect(at.hub.fetches().map(({ range }) => range)).toEqual([undefined, `bytes=${part}-`])
  })

  it("hashes what an earlier process left before it adds to it: damage is found", async () => {
    const at = await here()
    mkdirSync(join(at.repo, "blobs"), { recursive: true })
    const damaged = Buffer.from(original.subarray(0, 1_000_000))
    damaged[5000] = (damaged[5000] ?? 0) ^ 1
    writeFileSync(join(at.repo, "blobs", `${sha256}.rbee.incomplete`), damaged)
    expect(await fails(at.models)).toMatchObject({ code: "CHECKSUM_MISMATCH", details: { expected: sha256 } })
    expect(at.hub.fetches().map(({ range }) => range)).toEqual(["bytes=1000000-"])
    expect(blobs(at)).toEqual([])
    isWhole(await at.run(bring(at.models)))
  })

  it("publishes nothing whose hash is wrong", async () => {
    const at = await here()
    at.hub.always = flip
    expect(await fails(at.models)).toMatchObject({ code: "CHECKSUM_MISMATCH" })
    expect(existsSync(join(at.repo, "snapshots"))).toBe(false)
    expect(blobs(at)).toEqual([])
  })

  it.each([
    ["Range is ignored", rangeIgnored],
    ["Range is refused with 416", rangeRefused],
    ["no length is told", noLength]
  ] as const)("brings the right bytes where %s", async (_, fault) => {
    const at = await here()
    at.hub.faults.push(cutAt(700_000))
    await fails(at.models)
    at.hub.always = fault
    isWhole(await at.run(bring(at.models)))
  })

  it("notices a cut also where no length is told", async () => {
    const at = await here()
    at.hub.faults.push((request, response) => {
      noLength(request, response)
      return cutAt(500_000)(request, response)
    })
    expect(await fails(at.models)).toMatchObject({ code: "DOWNLOAD_FAILED" })
    isWhole(await at.run(bring(at.models)))
  })

  it.each(["two words.gguf", "[x] (y) {z}.gguf", "100% a+b #1 ?.gguf", "é ü 模型@v1;2.gguf", "a&b='c',~!.gguf"])(
    "fetches a file that is called %s",
    async (name) => {
      const at = await here({}, {}, { [`acme/odd/${name}`]: original })
      const { file } = await at.run(bring(at.models, ref(`HF:acme/odd:${name}`)))
      expect(basename(file)).toBe(name)
      expect(readFileSync(file).equals(original)).toBe(true)
    }
  )

  it("asks the mirror that was named for the next page of a listing, whichever hub its link names", async () => {
    const at = await here({ HF_TOKEN: "hf_secret" })
    const elsewhere = await testHub()
    open.push(elsewhere.close)
    at.hub.always = pages(elsewhere.url)
    isWhole(await at.run(bring(at.models)))
    expect(elsewhere.seen).toEqual([])
    expect(at.hub.seen.filter(({ path }) => path.includes("cursor=2"))).toHaveLength(1)
  })

  it("takes a listing that leads back to itself for what it is", async () => {
    const at = await here()
    at.hub.always = pages("", 1)
    expect(await fails(at.models)).toMatchObject({ code: "DOWNLOAD_FAILED", what: expect.stringContaining("no end") })
  })

  it("follows a repository that has another name now", async () => {
    const at = await here()
    at.hub.always = (request, response) =>
      (request.url ?? "").includes("acme/old")
        ? status(307, { location: (request.url ?? "").replace("acme/old", "acme/tiny") })(request, response)
        : false
    isWhole(await at.run(bring(at.models, ref("HF:acme/old:Q8_0"))))
  })

  it("lists a repository of 200 000 files in seconds", async () => {
    const at = await here()
    at.hub.always = among(200_000)
    expect((await at.run(at.models.resolve(tiny))).bytes).toBe(original.length)
  }, 60_000)

  it("says which hub does not answer", async () => {
    const at = await here({}, { answerMs: 150 })
    at.hub.always = () => true
    expect(await fails(at.models)).toMatchObject({
      code: "DOWNLOAD_STALLED",
      what: expect.stringMatching(/^127\.0\.0\.1:\d+ does not answer/)
    })
  })

  it("waits for a hub that is at work and says so", async () => {
    const at = await here({}, { answerMs: 400 })
    let busy = true
    at.hub.always = (request, response) => {
      if (!busy) return false
      busy = false
      const alive = setInterval(() => response.writeContinue(), 100)
      setTimeout(() => {
        clearInterval(alive)
        status(307, { location: request.url ?? "" })(request, response)
      }, 1500)
      return true
    }
    isWhole(await at.run(bring(at.models)))
  })

  it("blames a proxy that is dead, refuses, or is of a kind that it cannot use, and not the hub behind it", async () => {
    const refusing = createServer((socket) => {
      socket.on("error", () => {})
      socket.once("data", () => socket.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"))
    })
    const mute = createServer((socket) => socket.on("error", () => {}))
    const portOf = async (server: Server) => {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      open.push(() => void server.close())
      const address = server.address()
      return typeof address === "object" ? (address?.port ?? 0) : 0
    }
    const [refuses, silent] = [await portOf(refusing), await portOf(mute)]
    const at = await here({}, { answerMs: 200, endpoint: "http://hub.invalid" })
    for (const [proxy, says] of [
      ["http://me:secret@127.0.0.1:9", "the proxy 127.0.0.1:9 cannot be reached (ECONNREFUSED)"],
      [`http://127.0.0.1:${refuses}`, `the proxy 127.0.0.1:${refuses} wants a user and a password (407)`],
      [`http://127.0.0.1:${silent}`, `the proxy 127.0.0.1:${silent} does not answer`],
      ["socks5://127.0.0.1:9", "the proxy 127.0.0.1:9 is no http or https proxy"]
    ] as const) {
      vi.stubEnv("HTTP_PROXY", proxy)
      vi.stubEnv("NO_PROXY", "")
      const { message, what } = await fails(at.models)
      expect(what).toContain(says)
      expect(message).toContain("HTTP_PROXY")
      expect(message).not.toContain("secret")
    }
  })

  // sysfs takes no folder from anybody, root included
  it.skipIf(process.platform !== "linux")("says which cache cannot be written to", async () => {
    const at = await here({ HF_HUB_CACHE: "/sys/rbee" })
    expect(await fails(at.models)).toMatchObject({
      code: "DOWNLOAD_FAILED",
      what: expect.stringMatching(/^\/sys\/rbee.* cannot be written to/),
      details: { permanent: true }
    })
  })

  it("gives up a server that sends nothing more, and keeps what came", async () => {
    const at = await here({}, { stallMs: 150 })
    at.hub.faults.push(stallAt(600_000))
    expect(await fails(at.models)).toMatchObject({ code: "DOWNLOAD_STALLED" })
    expect((await at.run(at.models.resolve(tiny))).partial).toBe(600_000)
    isWhole(await at.run(bring(at.models)))
  })

  it("ends at once when it is interrupted, also while nothing comes, and keeps what came", async () => {
    const at = await here()
    at.hub.faults.push(stallAt(600_000))
    const began = Date.now()
    const resolved = await at.run(at.models.resolve(tiny))
    let reached: () => void = () => {}
    const halfway = new Promise<void>((resolve) => (reached = resolve))
    const fiber = Effect.runFork(at.models.transfer(resolved, (received) => received === 600_000 && reached()))
    await halfway
    expect(Exit.isInterrupted(await at.run(Fiber.interrupt(fiber)))).toBe(true)
    expect(Date.now() - began).toBeLessThan(patience(5000))
    expect((await at.run(at.models.resolve(tiny))).partial).toBe(600_000)
    isWhole(await at.run(bring(at.models)))
  })

  it.each([
    [404, {}, "MODEL_NOT_FOUND", "HF_TOKEN"],
    [401, {}, "MODEL_ACCESS_DENIED", "HF_TOKEN"],
    [401, { "x-error-code": "RepoNotFound" }, "MODEL_NOT_FOUND", "HF_TOKEN"],
    [403, { "x-error-code": "GatedRepo" }, "MODEL_ACCESS_DENIED", "HF_TOKEN"],
    [418, {}, "DOWNLOAD_FAILED", "HF_ENDPOINT"]
  ] as const)("tells what to do about %i %o", async (code, headers, expected, todo) => {
    const at = await here()
    at.hub.always = status(code, headers)
    expect(await fails(at.models)).toMatchObject({ code: expected, todo: expect.stringContaining(todo) })
  })

  it("knows before the first byte that a file needs permission", async () => {
    const at = await here()
    at.hub.always = (request, response) =>
      (request.url ?? "").includes("/resolve/") && status(403, { "x-error-code": "GatedRepo" })(request, response)
    const error = await at.run(Effect.flip(at.models.resolve(tiny)))
    expect(error).toMatchObject({ code: "MODEL_ACCESS_DENIED", todo: expect.stringContaining("HF_TOKEN") })
    at.hub.always = gated
    expect(await fails(at.models)).toMatchObject({ code: "MODEL_ACCESS_DENIED" })
  })

  it.each([
    [429, "3", 3000],
    [503, "2", 2000],
    [500, undefined, undefined]
  ] as const)("calls %i a passing failure, with the wait that was asked for", async (code, after, ms) => {
    const at = await here()
    at.hub.always = onFiles(status(code, after === undefined ? {} : { "retry-after": after }))
    const error = await fails(at.models)
    expect(error.code).toBe("DOWNLOAD_FAILED")
    expect(error.details["permanent"]).toBeUndefined()
    expect(error.details["retry_after_ms"]).toBe(ms)
  })

  it("follows to another origin without the token, and asks the hub again once that link has expired", async () => {
    const at = await here({ HF_TOKEN: "hf_secret" })
    const elsewhere = await testHub()
    open.push(elsewhere.close)
    at.hub.always = redirectTo(elsewhere.url)
    elsewhere.faults.push(cutAt(400_000), status(403))
    expect(await fails(at.models)).toMatchObject({ code: "DOWNLOAD_FAILED" })
    expect(await fails(at.models)).toMatchObject({ code: "DOWNLOAD_FAILED" })
    isWhole(await at.run(bring(at.models)))
    expect(new Set(at.hub.seen.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer hf_secret"]))
    expect(elsewhere.seen.length).toBeGreaterThan(2)
    expect(elsewhere.seen.every(({ authorization }) => authorization === undefined)).toBe(true)
    expect(elsewhere.fetches().at(-1)?.range).toBe("bytes=400000-")
  })

  it("does not mix two versions: a file that changed upstream starts anew, under its own name", async () => {
    const at = await here()
    at.hub.faults.push(cutAt(400_000))
    await fails(at.models)
    const changed = Buffer.from(original)
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
    writeFileSync(join(at.hub.folder, "acme/tiny/tiny-Q8_0.gguf"), changed)
    const published = await at.run(bring(at.models))
    expect(readFileSync(published.file).equals(changed)).toBe(true)
    expect(at.hub.fetches().at(-1)?.range).toBeUndefined()
  })

  it("fetches once where two hives share a cache", async () => {
    const at = await here()
    const other = layerDisk({
      folder: join(at.cache, "..", "other"),
      sources: [huggingFace(hubSettings({ HF_ENDPOINT: at.hub.url, HF_HUB_CACHE: at.cache }))]
    })
    const theirs = await run(Effect.provide(Models, other))
    for (const published of await Promise.all([at.run(bring(at.models)), at.run(bring(theirs))])) isWhole(published)
    expect(at.hub.sent()).toBe(original.length)
  })

  it("takes a lock over whose holder is dead", async () => {
    const at = await here()
    const locks = join(at.cache, ".locks", "models--acme--tiny")
    mkdirSync(locks, { recursive: true })
    writeFileSync(join(locks, `${sha256}.rbee.lock`), "999999\nlong ago\n")
    isWhole(await at.run(bring(at.models)))
  })

  it("brings all parts of a split model, only the wrong one twice, and removes them together", async () => {
    const at = await here()
    const first = await splitModel(TINY, 3)
    mkdirSync(join(at.hub.folder, "acme", "big"))
    const names = partsOf("big-F32-00001-of-00003.gguf")
    const parts = partsOf(first).map((path) => readFileSync(path))
    for (const [i, name] of names.entries()) writeFileSync(join(at.hub.folder, "acme", "big", name), parts[i] ?? "")
    const big = ref("HF:acme/big:F32")
    const bytes = parts.reduce((sum, part) => sum + part.length, 0)
    expect(await at.run(at.models.preview(big))).toMatchObject({ fileBytes: bytes, parameters: parametersOf(TINY) })
    const before = at.hub.fetches().length
    at.hub.faults.push(undefined, flip)
    const progress: Array<number> = []
    expect(await at.run(Effect.flip(bring(at.models, big, (now) => progress.push(now))))).toMatchObject({
      code: "CHECKSUM_MISMATCH",
      what: expect.stringContaining("00002-of-00003")
    })
    expect(progress.at(-1)).toBe(bytes)
    const { file } = await at.run(bring(at.models, big))
    expect(file).toMatch(/big-F32-00001-of-00003\.gguf$/)
    expect(at.hub.fetches().slice(before)).toHaveLength(4)
    expect(partsOf(file).map((path) => readFileSync(path))).toEqual(parts)
    expect(await at.run(at.models.isThere(file, bytes))).toBe(true)
    expect(await at.run(at.models.inspect(file))).toMatchObject({ fileBytes: bytes, parameters: parametersOf(TINY) })
    const third = partsOf(file)[2] ?? ""
    await at.run(at.models.remove(file))
    expect(existsSync(third)).toBe(false)
    expect(readdirSync(join(at.cache, "models--acme--big", "blobs"))).toEqual([])
    expect(await at.run(at.models.isThere(file, bytes))).toBe(false)
  })

  it("takes the first quantisation in the order of preference that fits, by one header, and says why", async () => {
    const at = await here()
    mkdirSync(join(at.hub.folder, "acme", "many"))
    for (const [quant, noise] of [
      ["Q8_0", 900_000],
      ["Q4_K_M", 500_000],
      ["Q2_K", 0]
    ] as const) {
      const model = Buffer.concat([original, Buffer.alloc(noise)])
      writeFileSync(join(at.hub.folder, "acme", "many", `many-${quant}.gguf`), model)
    }
    const many = ref("HF:acme/many")
    const smallest = original.length
    const chosen = (room: number) => at.run(at.models.preview(many, ({ fileBytes }) => fileBytes <= room))
    expect(await chosen(10 * smallest)).toMatchObject({ fileBytes: smallest + 500_000 })
    expect(await chosen(smallest)).toMatchObject({ fileBytes: smallest })
    const resolved = await at.run(at.models.resolve(many, ({ fileBytes }) => fileBytes <= smallest))
    expect(resolved).toMatchObject({
      bytes: smallest,
      why: "Q2_K: the first in the order of preference that fits; too large: Q4_K_M, Q8_0"
    })
  })

  it("previews a model by the first bytes of it", async () => {
    const at = await here()
    expect(await at.run(at.models.preview(tiny))).toMatchObject({ parameters: 3_049_920, fileBytes: original.length })
    expect(blobs(at)).toEqual([])
    expect(at.hub.sent()).toBe(256 * 1024)
  })

  it("refuses what is no model that is served by the first bytes of it", async () => {
    const file = familyFile("qwen3")
    const { bytes } = familyHeader({ ...file, metadata: [...file.metadata, ["general.type", { text: "adapter" }]] })
    const content = Buffer.concat([bytes, Buffer.alloc(2 ** 21)])
    const at = await here({}, {}, { "acme/tiny/tiny-Q8_0.gguf": content })
    const error = await at.run(Effect.flip(at.models.preview(tiny)))
    expect(error).toMatchObject({ code: "MODEL_INVALID", what: expect.stringContaining("LoRA") })
    expect(at.hub.sent()).toBe(256 * 1024)
  })

  const renamed = (architecture: string) =>
    familyFile("llama").metadata.map(([name, value]): Entries[number] =>
      name === "general.architecture"
        ? [name, { text: architecture }]
        : [name.replace("llama.", `${architecture}.`), value]
    )
  const typed = (type: string): Entries => [...familyFile("llama").metadata, ["general.type", { text: type }]]
  it.each([
    ["an embedding model without pooling", "pooling_type", renamed("bert")],
    ["T5", "T5", renamed("t5")],
    ["a draft", "draft", renamed("eagle3")],
    ["a control vector", "control vector", renamed("controlvector")],
    ["a LoRA adapter", "LoRA", typed("adapter")],
    ["an importance matrix", "imatrix", typed("imatrix")],
    ["a projector", "mmproj", typed("mmproj")]
  ] as const)("gives up %s as soon as its header is here, and keeps nothing of it", async (_, says, metadata) => {
    const { bytes } = familyHeader({ metadata, tensors: familyFile("llama").tensors })
    const content = Buffer.concat([bytes, Buffer.alloc(2 ** 21)])
    const at = await here({}, {}, { "acme/tiny/tiny-Q8_0.gguf": content })
    // the rest never comes: whoever waits for it hears nothing
    at.hub.always = stallAt(300_000)
    expect(await fails(at.models)).toMatchObject({ code: "MODEL_INVALID", what: expect.stringContaining(says) })
    expect(blobs(at)).toEqual([])
    expect((await at.run(at.models.resolve(tiny))).partial).toBe(0)
  })

  it("takes a beginning that an earlier try left for what it is, and another one that is damaged anew", async () => {
    const at = await here()
    const part = join(at.repo, "blobs", `${sha256}.rbee.incomplete`)
    mkdirSync(join(at.repo, "blobs"), { recursive: true })
    writeFileSync(part, original.subarray(0, 1_000_000))
    isWhole(await at.run(bring(at.models)))
    expect(at.hub.fetches().map(({ range }) => range)).toEqual(["bytes=1000000-"])
    rmSync(at.repo, { recursive: true })
    mkdirSync(join(at.repo, "blobs"), { recursive: true })
    writeFileSync(part, Buffer.alloc(1_000_000))
    isWhole(await at.run(bring(at.models)))
    expect(at.hub.fetches().map(({ range }) => range)).toEqual(["bytes=1000000-", undefined])
  })

  it("removes the link and the blob of a model that it fetched", async () => {
    const at = await here()
    const { file } = await at.run(bring(at.models))
    await at.run(at.models.remove(file))
    expect([existsSync(file), blobs(at)]).toEqual([false, []])
  })

  it("reads the token as its own tools do: variable, file of HF_TOKEN_PATH, file of HF_HOME", () => {
    const home = mkdtempSync(join(tmpdir(), "rbee-hf-"))
    open.push(() => rmSync(home, { recursive: true, force: true }))
    writeFileSync(join(home, "token"), "of-home\n")
    writeFileSync(join(home, "other"), " of-path \n")
    const token = (env: Record<string, string>) => hubSettings({ HF_HOME: home, ...env }).token()
    expect(token({})).toBe("of-home")
    expect(token({ HF_TOKEN_PATH: join(home, "other") })).toBe("of-path")
    expect(token({ HF_TOKEN_PATH: join(home, "other"), HF_TOKEN: "of-env" })).toBe("of-env")
    expect(hubSettings({ HF_HOME: home, HF_HUB_CACHE: "~/there" }, "/home/me").cache).toBe("/home/me/there")
    expect(hubSettings({}, "/home/me")).toMatchObject({
      endpoint: "https://huggingface.co",
      cache: "/home/me/.cache/huggingface/hub"
    })
  })
})
