/** Models that the queen's machine has reach another machine from there: both disks, her server and a hub are real. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { afterEach, describe, expect, it } from "vitest"
import { serveHttp } from "../../../src/layers/transport/http/server/server.ts"
import { cachedRepos } from "../../../src/layers/hub/cached.ts"
import { hubRoutes } from "../../../src/layers/hub/routes.ts"
import { layerDisk } from "../../../src/layers/models/disk.ts"
import { hubPrefix, queenFirst } from "../../../src/layers/models/hugging-face/queen.ts"
import { hubSettings } from "../../../src/layers/models/hugging-face/settings.ts"
import { huggingFace } from "../../../src/layers/models/hugging-face/source.ts"
import { type Fits, Models, type QueenHub } from "../../../src/layers/models/index.ts"
import { partsOf } from "../../../src/machines/formats/gguf/split.ts"
import { type ParsedRef, parseModelRef } from "../../../src/machines/formats/model-ref.ts"
import { splitModel, TINY, tiny as tinyModel } from "../../support/gguf.ts"
import { testHub, type TestHub } from "../../support/hub.ts"

const ref = (text: string): ParsedRef => Either.getOrThrow(parseModelRef(text))
const tiny = ref("HF:acme/tiny:Q8_0")
const token = "a token of the cluster".replaceAll(" ", "-")
const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, Logger.remove(Logger.defaultLogger)))

const open: Array<() => Promise<void> | void> = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

const bring = (models: Models["Type"], model = tiny, fits?: Fits) =>
  Effect.gen(function* () {
    const found = yield* models.resolve(model, fits)
    yield* models.transfer(found, () => {})
    const published = yield* models.publish(found)
    return { ...published, fromQueen: found.fromQueen === true, why: found.why }
  })

/** A machine's models, in folders of its own. */
const disk = async (hub: TestHub, queen: () => QueenHub | undefined) => {
  const home = mkdtempSync(join(tmpdir(), "rbee-hf-"))
  open.push(() => rmSync(home, { recursive: true, force: true }))
  const settings = hubSettings({ HF_ENDPOINT: hub.url, HF_HOME: join(home, "hf") })
  const folder = join(home, "hive")
  const models = await run(
    Effect.provide(Models, layerDisk({ folder, sources: [queenFirst(settings, queen, huggingFace(settings))] }))
  )
  return { folder, models }
}

const cluster = async (files: Readonly<Record<string, Uint8Array>> = {}) => {
  const hub = await testHub(files)
  open.push(hub.close)
  const near = await disk(hub, () => undefined)
  const scope = await run(Scope.make())
  open.push(() => run(Scope.close(scope, Exit.void)))
  const beside = { prefix: hubPrefix, scope: "peer" as const, answer: hubRoutes(() => cachedRepos(near.folder)) }
  const { url } = await run(
    Scope.extend(serveHttp({ apis: [], host: "127.0.0.1", port: 0, role: "queen", token, beside }), scope)
  )
  const offer = { url, token }
  const far = await disk(hub, () => offer)
  /** as a hive does it when a model is in its catalog */
  const have = async (model: ParsedRef) => {
    const { file, sha256 } = await run(bring(near.models, model))
    const note = { ref: model.ref, file, sha256, owned: true, pinned: false, why: undefined }
    await run(near.models.note({ ...note, addedAt: 1, lastUsedAt: undefined }))
    return file
  }
  return { hub, near, far: far.models, have, offer, url }
}

describe("A model that the queen's machine has", () => {
  it("comes from there, to the same commit, while no hub answers", async () => {
    const { far, have, hub } = await cluster()
    const file = await have(tiny)
    await hub.close()
    const got = await run(bring(far))
    expect(got).toMatchObject({ fromQueen: true })
    expect(readFileSync(got.file).equals(readFileSync(file))).toBe(true)
    const inRepo = (path: string) => path.slice(path.indexOf("models--"))
    expect(inRepo(got.file)).toBe(inRepo(file))
  })

  it("comes from there whole where it is split, and by a name that leaves the quantisation open", async () => {
    const parts = partsOf(await splitModel(TINY, 3)).map((part) => readFileSync(part))
    const names = partsOf("acme/big/big-F32-00001-of-00003.gguf")
    const { far, have, hub } = await cluster(
      Object.fromEntries(names.map((name, i) => [name, parts[i] ?? Buffer.of()]))
    )
    await have(ref("HF:acme/big:F32"))
    await hub.close()
    const got = await run(bring(far, ref("HF:acme/big")))
    expect(got).toMatchObject({ fromQueen: true })
    expect(got.file).toMatch(/-00001-of-00003\.gguf$/)
  })

  it("is told ahead from there", async () => {
    const { far, have, hub } = await cluster()
    await have(tiny)
    await hub.close()
    expect(await run(far.preview(tiny))).toMatchObject({ architecture: "llama" })
  })

  it("that is damaged there is not published here", async () => {
    const { far, have } = await cluster()
    const file = await have(tiny)
    const other = readFileSync(file)
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 1
    writeFileSync(file, other)
    expect(await run(Effect.flip(bring(far)))).toMatchObject({ code: "CHECKSUM_MISMATCH" })
  })

  it("that does not fit here leaves the choice to the hub", async () => {
    const small = readFileSync(await tinyModel())
    const { far, have, hub } = await cluster({ "acme/tiny/tiny-Q2_K.gguf": small })
    await have(tiny)
    const fits: Fits = ({ fileBytes }) => fileBytes <= small.length
    const got = await run(bring(far, ref("HF:acme/tiny"), fits))
    expect(got).toMatchObject({ fromQueen: false })
    expect(got.file).toContain("Q2_K")
    expect(hub.fetches().some(({ path }) => path.endsWith("tiny-Q2_K.gguf"))).toBe(true)
  })
})

describe("A model that the queen's machine has not", () => {
  it("comes from the hub; so does one where she does not answer, or does not take the token", async () => {
    const { far } = await cluster()
    expect(await run(bring(far))).toMatchObject({ fromQueen: false })
    for (const change of [{ token: `${token}-wrong` }, { url: "http://127.0.0.1:9" }]) {
      const { far: other, have: has, offer: theirs } = await cluster()
      await has(tiny)
      Object.assign(theirs, change)
      expect(await run(bring(other))).toMatchObject({ fromQueen: false })
    }
  })

  it("is not told of to somebody without the token", async () => {
    const { have, url } = await cluster()
    await have(tiny)
    const path = `${url}${hubPrefix}/api/models/acme/tiny/tree/main`
    expect((await fetch(path)).status).toBe(401)
    expect((await fetch(path, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
    const escape = `${url}${hubPrefix}/acme/tiny/resolve/main/..%2F..%2F..%2F..%2Fnotes`
    expect((await fetch(escape, { headers: { authorization: `Bearer ${token}` } })).status).toBe(404)
  })
})
