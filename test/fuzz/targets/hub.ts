/** A hub that answers anything: listings, identities, bytes. */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Either from "effect/Either"
import { makeApi } from "../../../src/layers/models/hugging-face/api.ts"
import { SeededRandom } from "../../../src/simulator/world/kernel/random.ts"
import { RbeeError } from "../../../src/machines/errors.ts"
import { candidatesOf, choose } from "../../../src/machines/formats/hub-files.ts"
import { workerKinds } from "../../../src/machines/kinds/index.ts"
import { parseModelRef } from "../../../src/machines/formats/model-ref.ts"
import { anything, mutated, mutatedText, text } from "../mutate.ts"
import { Finding, ownPeakMb, type Target, within } from "../target.ts"

const hex = (digits: number) => "a".repeat(digits)
const entry = (path: string) => ({
  type: "file",
  oid: hex(40),
  size: 1000,
  path,
  lfs: { oid: hex(64), size: 1000, pointerSize: 134 }
})
const listing = [
  "README.md",
  "Model-Q4_K_M.gguf",
  "Model-Q8_0.gguf",
  "mmproj-Model-F16.gguf",
  "imatrix.dat",
  "UD-Q4_K_XL/Model-UD-Q4_K_XL.gguf",
  "Q6_K/Model-Q6_K-00001-of-00002.gguf",
  "Q6_K/Model-Q6_K-00002-of-00002.gguf",
  "draft/Model-Q4_K_M.gguf"
].map(entry)

/** What the hub says next is drawn from the seed that stands in the path. */
const answer = (path: string, origin: string, response: ServerResponse): void => {
  const random = new SeededRandom(Number(/\/s(\d+)/.exec(path)?.[1] ?? 0) + path.length)
  const status = random.chance(0.7)
    ? 200
    : random.pick([204, 206, 301, 302, 307, 400, 401, 403, 404, 416, 429, 500, 503])
  const headers: Record<string, string> = {}
  const put = (name: string, value: string) => {
    // what no server can send cannot be received either
    if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) headers[name] = value
  }
  const nearly = (value: string) => (random.chance(0.7) ? value : mutatedText(value, random))
  put("x-repo-commit", nearly(hex(40)))
  put("x-linked-etag", nearly(`"${hex(64)}"`))
  put("x-linked-size", nearly("1000"))
  if (random.chance(0.3)) put("link", nearly(`<${origin}${path}&cursor=${random.int(0, 9)}>; rel="next"`))
  if (status >= 300 && status < 400) put("location", nearly(`${origin}${path}x`))
  if (random.chance(0.2)) put("content-range", nearly("bytes 0-9/1000"))
  if (random.chance(0.2)) put("retry-after", text(random))
  const body = path.includes("/tree/")
    ? random.chance(0.8)
      ? JSON.stringify(random.chance(0.3) ? listing : mutated(listing, random))
      : mutatedText(JSON.stringify(listing), random)
    : JSON.stringify(anything(random))
  response.writeHead(status, headers)
  if (random.chance(0.05)) response.destroy()
  else response.end(body)
}

const refs = ["HF:a/b", "HF:a/b:Q4_K_M", "HF:a/b:Q4", "HF:a/b@main", "HF:a/b:Model-Q8_0.gguf"]

export const hub: Target = {
  name: "hub",
  parallel: 8,
  open: async () => {
    const server = createServer((request, response) => answer(request.url ?? "", origin, response))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    // a server that listens on a port
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const one = async (random: SeededRandom): Promise<number> => {
      const spelt = random.chance(0.7) ? random.pick(refs) : mutatedText(random.pick(refs), random)
      const ref = parseModelRef(spelt)
      if (Either.isLeft(ref) || ref.right._tag !== "Hub") return 1
      const hubRef = ref.right
      const endpoint = `${origin}/s${random.int(0, 2 ** 31)}`
      const settings = {
        endpoint,
        cache: "/nowhere",
        token: () => undefined,
        offline: false,
        stallMs: 2000,
        answerMs: 2000,
        kinds: workerKinds
      }
      const work = async () => {
        const api = makeApi(settings)
        const candidates = candidatesOf(hubRef, await api.list(hubRef))
        if (Either.isLeft(candidates)) return
        const { model } = choose(candidates.right, () => random.chance(0.5))
        const [file] = model.files
        const pinned = await api.pin(hubRef, file)
        for await (const _ of api.read(hubRef, file.path, pinned, { offset: random.pick([0, 5]), length: undefined }))
          break
      }
      await within(10_000, () => `${spelt} at ${endpoint}`, work()).catch((error: unknown) => {
        if (error instanceof Finding) throw error
        if (!(error instanceof RbeeError) || error.code === "INTERNAL")
          throw new Finding(
            "untyped",
            `${spelt} at ${endpoint}: ${error instanceof Error ? error.stack : String(error)}`
          )
      })
      return 1
    }
    return {
      one,
      check: async () => undefined,
      peakMb: ownPeakMb,
      close: async () => {
        server.closeAllConnections()
        server.close()
      }
    }
  }
}
