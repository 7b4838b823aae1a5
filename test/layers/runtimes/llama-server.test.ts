/** llama.cpp's own server on a machine: which one is meant, and what it says of itself. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { builtAt, findServer } from "../../../src/layers/runtimes/llama-server/places.ts"
import { serverRuntimes } from "../../../src/layers/runtimes/llama-server/runtimes.ts"

const folders: Array<string> = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const folderOf = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-llama-server-"))
  folders.push(folder)
  return folder
}

/** A program that says this of itself. */
const saying = (file: string, version: string, devices = ""): string => {
  mkdirSync(dirname(file), { recursive: true })
  const says = `if [ "$1" = --version ]; then echo '${version}' >&2; else printf 'Available devices:\\n${devices}'; fi`
  writeFileSync(file, `#!/bin/sh\n${says}\n`)
  chmodSync(file, 0o755)
  return file
}

const version = "version: 0.4.0 (build 1, commit 80fb11a)"

describe("The llama-server of a machine", () => {
  it("is the one that is named, else the one that was built here, else the one of the path", () => {
    const folder = folderOf()
    const path = saying(join(folder, "bin/llama-server"), version)
    const places = { folder, env: { PATH: `relative:${dirname(path)}` } }
    expect(findServer(places)).toEqual({ program: path, args: [], origin: "path" })
    const built = saying(join(builtAt(places), "llama-server"), version)
    expect(findServer(places)).toEqual({ program: built, args: [], origin: "installed" })
    expect(findServer({ ...places, named: ["/opt/llama-server", "-fa", "on"] })).toEqual({
      program: "/opt/llama-server",
      args: ["-fa", "on"],
      origin: "configuration"
    })
    expect(findServer({ ...places, named: ["llama-server"] })?.program).toBe(path)
    expect(findServer({ folder: folderOf(), env: {} })).toBeUndefined()
  })

  it.effect("serves the devices that it was built for", () =>
    Effect.gen(function* () {
      const folder = folderOf()
      const program = saying(join(folder, "llama-server"), version, "  CUDA0: RTX 3090 (24000 MiB, 23000 MiB free)\\n")
      const { find, install } = serverRuntimes({ folder, env: {}, named: [program] })
      const place = { version: "llama-server 0.4.0 (build 1, commit 80fb11a)", folder: program, args: [] }
      expect(yield* find("cpu")).toEqual(place)
      expect(yield* find("cuda")).toEqual(place)
      expect(yield* find("vulkan")).toBeUndefined()
      const error = yield* Effect.flip(install("vulkan", () => undefined))
      expect(error.what).toBe("llama-server cannot serve here: it is built for cpu, cuda, and the device needs vulkan")
    })
  )

  it.effect("that does not run is of no use, and says why", () =>
    Effect.gen(function* () {
      const folder = folderOf()
      const program = join(folder, "llama-server")
      writeFileSync(program, "#!/bin/sh\necho 'error while loading shared libraries: libfoo.so' >&2\nexit 127\n")
      chmodSync(program, 0o755)
      const { find, install } = serverRuntimes({ folder, env: {}, named: [program] })
      expect(yield* find("cpu")).toBeUndefined()
      const error = yield* Effect.flip(install("cpu", () => undefined))
      expect(error.what).toContain("error while loading shared libraries: libfoo.so (exit code 127)")
    })
  )

  it.effect("that is replaced is asked anew", () =>
    Effect.gen(function* () {
      const folder = folderOf()
      const program = saying(join(folder, "llama-server"), version)
      const { find } = serverRuntimes({ folder, env: {}, named: [program] })
      expect((yield* find("cpu"))?.version).toContain("0.4.0")
      saying(program, "version: 0.5.0-with-more-words")
      expect((yield* find("cpu"))?.version).toBe("llama-server 0.5.0-with-more-words")
    })
  )

  it.effect("that is nowhere is not installed for a job: that takes half an hour", () =>
    Effect.gen(function* () {
      const { install } = serverRuntimes({ folder: folderOf(), env: {} })
      const error = yield* Effect.flip(install("cpu", () => undefined))
      expect(error.message).toContain("rbee engines install llama-server")
    })
  )
})
