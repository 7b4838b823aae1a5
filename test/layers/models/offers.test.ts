/** What the hub is asked for before anything is fetched: repositories by words, and what one of them has. */
import { readFileSync } from "node:fs"
import * as Either from "effect/Either"
import { afterEach, assert, describe, it } from "vitest"
import { offerOf, searchHub } from "../../../src/layers/models/hugging-face/offers.ts"
import { hubSettings } from "../../../src/layers/models/hugging-face/settings.ts"
import type { RbeeError } from "../../../src/machines/errors.ts"
import { parseModelRef } from "../../../src/machines/formats/model-ref.ts"
import { invalid, splitModel, tiny, TINY } from "../../support/gguf.ts"
import { type Fault, status, testHub, type TestHub } from "../../support/hub.ts"

const hubs: Array<TestHub> = []
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.close()
})
const hubWith = async (files: Readonly<Record<string, string>> = {}): Promise<TestHub> => {
  const bytes = Object.entries(files).map(([path, file]) => [path, readFileSync(file)] as const)
  const hub = await testHub(Object.fromEntries(bytes))
  hubs.push(hub)
  return hub
}

const { signal } = new AbortController()
const search = ({ url }: { readonly url: string }, words: string, env = {}) =>
  searchHub(hubSettings({ HF_ENDPOINT: url, ...env }), words, 10, signal)
const offer = ({ url }: TestHub, text: string) => {
  const ref = Either.getOrThrow(parseModelRef(text))
  if (ref._tag !== "Hub") throw new Error(`${text} is no reference to a hub`)
  return offerOf(hubSettings({ HF_ENDPOINT: url }), ref, signal)
}
const refused = (work: Promise<unknown>): Promise<RbeeError> =>
  work.then(
    () => assert.fail("it was not refused"),
    (error: RbeeError) => error
  )

/** Answers searches as the hub of Hugging Face does. */
const finding =
  (...hits: ReadonlyArray<unknown>): Fault =>
  (request, response) => {
    if (!(request.url ?? "").startsWith("/api/models?")) return false
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(hits))
    return true
  }

describe("a search of the hub", () => {
  it("finds repositories by all of the words, with their models, sizes and how they are asked for", async () => {
    const file = await tiny()
    const hub = await hubWith({
      "acme/Poet-7B-GGUF/poet-Q4_K_M.gguf": file,
      "acme/Poet-7B-GGUF/poet-Q8_0.gguf": file,
      "acme/Poet-7B-GGUF/mmproj-F16.gguf": file,
      "acme/Poet-13B-GGUF/poet.gguf": file
    })
    const [found, ...others] = await search(hub, "7b poet")
    assert.deepStrictEqual(others, [])
    assert.strictEqual(found?.repo, "acme/Poet-7B-GGUF")
    const bytes = readFileSync(file).length
    const of = (quantization: string) => ({
      ref: `HF:acme/Poet-7B-GGUF:${quantization}`,
      quantization,
      file: `poet-${quantization}.gguf`,
      files: 1,
      bytes
    })
    assert.deepStrictEqual(found?.models, [of("Q4_K_M"), of("Q8_0")])
    assert.deepStrictEqual(await search(hub, "nothing like it"), [])
  })

  it("asks for repositories with GGUF files, the most downloaded first, and tells what the hub says of them", async () => {
    const hub = await hubWith()
    hub.always = finding(
      { id: "acme/tiny", downloads: 1234, likes: 5, gated: "manual", tags: ["gguf"] },
      { id: "acme/gone", downloads: -1, likes: "many", gated: false },
      { id: "no-reference" },
      "of another form"
    )
    const found = await search(hub, "tiny & more")
    const { searchParams } = new URL(hub.seen[0]?.path ?? "", hub.url)
    assert.deepInclude(Object.fromEntries(searchParams), { search: "tiny & more", filter: "gguf", sort: "downloads" })
    assert.deepStrictEqual(
      found.map(({ models, ...rest }) => [rest, models.length]),
      [
        [{ repo: "acme/tiny", downloads: 1234, likes: 5, gated: true }, 1],
        [{ repo: "acme/gone", gated: false, problem: `there is no acme/gone on ${new URL(hub.url).host}` }, 0],
        [{ repo: "no-reference", problem: "its name is no reference" }, 0]
      ]
    )
  })

  it("a hub that is off, in trouble or has no search is said to be so", async () => {
    const hub = await hubWith()
    const off = await refused(search(hub, "x", { HF_HUB_OFFLINE: "1" }))
    assert.include(off.message, "HF_HUB_OFFLINE forbids it")
    assert.lengthOf(hub.seen, 0)
    hub.always = status(503)
    assert.include((await refused(search(hub, "x"))).message, "is in trouble (503)")
    hub.always = status(404)
    assert.include((await refused(search(hub, "x"))).message, "has no search")
    hub.always = (_, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<html>log in to this network</html>")
      return true
    }
    assert.include((await refused(search(hub, "x"))).message, "did not answer with a listing")
    const nobody = await refused(search({ url: "http://127.0.0.1:1" }, "x"))
    assert.match(
      nobody.message,
      /127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED\)\. Check the network and HF_ENDPOINT/
    )
  })
})

describe("what a repository offers", () => {
  it("is all of its models, best first, with the facts of a header that is read from afar", async () => {
    const file = await tiny({ context: 4096 })
    const hub = await hubWith({
      "acme/poet/poet-Q8_0.gguf": file,
      "acme/poet/poet-Q4_K_M.gguf": file,
      "acme/poet/UD/poet-UD-Q4_K_M.gguf": file
    })
    const { facts, models } = await offer(hub, "HF:acme/poet")
    assert.strictEqual(facts.trainedContext, 4096)
    assert.deepStrictEqual(
      models.map(({ ref }) => ref),
      ["HF:acme/poet:Q4_K_M", "HF:acme/poet:UD/poet-UD-Q4_K_M.gguf", "HF:acme/poet:Q8_0"]
    )
    assert.isBelow(hub.sent(), 600_000)
    assert.deepStrictEqual(
      (await offer(hub, "HF:acme/poet:q8_0")).models.map(({ ref }) => ref),
      ["HF:acme/poet:Q8_0"]
    )
  })

  it("of a split model is one, with the size of all its files", async () => {
    const first = await splitModel({ ...TINY, layers: 2 }, 2)
    const second = first.replace("-00001-of-", "-00002-of-")
    const hub = await hubWith({
      "acme/poet/poet-Q8_0-00001-of-00002.gguf": first,
      "acme/poet/poet-Q8_0-00002-of-00002.gguf": second
    })
    const { models } = await offer(hub, "HF:acme/poet")
    const bytes = readFileSync(first).length + readFileSync(second).length
    assert.deepStrictEqual(
      models.map((model) => [model.ref, model.files, model.bytes]),
      [["HF:acme/poet:Q8_0", 2, bytes]]
    )
  })

  it("is refused with the reason where it is nothing, or no model", async () => {
    const hub = await hubWith({ "acme/text/poet-Q8_0.gguf": await invalid("not-gguf") })
    assert.include((await refused(offer(hub, "HF:acme/text"))).message, "it is not a GGUF file")
    assert.strictEqual((await refused(offer(hub, "HF:acme/nowhere"))).code, "MODEL_NOT_FOUND")
    assert.include((await refused(offer(hub, "HF:acme/tiny:Q2_K"))).message, "there is no Q2_K in acme/tiny")
  })
})
