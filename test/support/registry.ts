/** A registry of npm's on loopback, with the packages that a test gives it. */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

export interface Package {
  readonly name: string
  readonly version: string
  /** by path; package.json is made */
  readonly files: Readonly<Record<string, string>>
}

export interface Registry {
  readonly url: string
  /** of the packages as they are, by name */
  readonly hashes: Readonly<Record<string, string>>
  /** names of the packages that were fetched, in order */
  readonly fetched: ReadonlyArray<string>
  readonly close: () => void
}

const packed = ({ files, name, version }: Package): Buffer => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-pack-"))
  try {
    const manifest = JSON.stringify({ name, version, main: "dist/index.js" })
    for (const [path, text] of Object.entries({ ...files, "package.json": manifest })) {
      mkdirSync(dirname(join(folder, "package", path)), { recursive: true })
      writeFileSync(join(folder, "package", path), text)
    }
    execFileSync("tar", ["-czf", join(folder, "it.tgz"), "-C", folder, "package"])
    return readFileSync(join(folder, "it.tgz"))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export const startRegistry = async (packages: ReadonlyArray<Package>): Promise<Registry> => {
  const fetched: Array<string> = []
  const tarballs = new Map(packages.map((each) => [each.name, { ...each, bytes: packed(each) }]))
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "").slice(1)
    const found = tarballs.get(path.replace(/\.tgz$/, ""))
    if (found === undefined) return void response.writeHead(404).end("{}")
    const { bytes, name, version } = found
    if (path.endsWith(".tgz")) {
      fetched.push(name)
      return void response.end(bytes)
    }
    const dist = { tarball: `${url}${name}.tgz`, integrity: integrity(bytes) }
    response.setHeader("content-type", "application/json")
    response.end(
      JSON.stringify({ name, "dist-tags": { latest: version }, versions: { [version]: { name, version, dist } } })
    )
  })
  const integrity = (bytes: Buffer): string => `sha512-${createHash("sha512").update(bytes).digest("base64")}`
  const hashes = Object.fromEntries([...tarballs].map(([name, { bytes }]) => [name, integrity(bytes)]))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return { url, hashes, fetched, close: () => void server.close() }
}
