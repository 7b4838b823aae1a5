/** llama.cpp's own server, built: by tools that stand in for a compiler, and the real program where there is one. */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { installServer, removeServer } from "../../../src/layers/runtimes/llama-server/install.ts"
import { builtAt } from "../../../src/layers/runtimes/llama-server/places.ts"
import {
  lacking,
  progressIn,
  serverRelease,
  source,
  stepsOf
} from "../../../src/layers/runtimes/llama-server/recipe.ts"
import { builtServer } from "../../support/built-server.ts"

const root = new URL("../../../", import.meta.url)
const program = builtServer()

const folders: Array<string> = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const script = (file: string, text: string): void => {
  writeFileSync(file, `#!/bin/sh\n${text}\n`)
  chmodSync(file, 0o755)
}

/** A machine with these tools alone, and the archive of a package with a source that is none. */
const makeMachine = (tools: Readonly<Record<string, string>>) => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-build-"))
  folders.push(folder)
  const bin = join(folder, "bin")
  mkdirSync(bin)
  for (const [name, text] of Object.entries(tools)) script(join(bin, name), text)
  for (const name of ["sh", "tar", "gzip", "mkdir", "cp", "cat"])
    symlinkSync(execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim(), join(bin, name))
  mkdirSync(join(folder, "package/llama"), { recursive: true })
  writeFileSync(join(folder, source.bundle), "a bundle")
  const archive = join(folder, "source.tgz")
  execFileSync("tar", ["-czf", archive, "-C", folder, "package"])
  const integrity = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`
  const steps: Array<string> = []
  const heard: Array<readonly [number, number]> = []
  const options = {
    folder: join(folder, "hive"),
    env: { PATH: bin },
    archive,
    integrity,
    onStep: (what: string) => void steps.push(what),
    onProgress: (done: number, of: number) => void heard.push([done, of])
  }
  return { options, steps, heard }
}

const fine = {
  git: 'mkdir -p "$4"',
  cmake: "exit 0",
  "g++": "exit 0",
  ninja: `echo '[1/2] one'; echo '[2/2] two'; mkdir -p "$2/bin"; cp '${program}' "$2/bin/llama-server"`
}

describe("The recipe", () => {
  it("is of the source that this version's engine is made of", () => {
    const lock = JSON.parse(readFileSync(new URL("package-lock.json", root), "utf8"))
    const { integrity, version } = lock.packages["node_modules/node-llama-cpp"]
    expect({ package: `node-llama-cpp@${version}`, integrity }).toEqual({
      package: source.package,
      integrity: source.integrity
    })
    const installed = new URL("node_modules/node-llama-cpp/llama/", root)
    const { release } = JSON.parse(readFileSync(new URL("binariesGithubRelease.json", installed), "utf8"))
    expect(release).toBe(serverRelease)
    expect(existsSync(new URL("gitRelease.bundle", installed))).toBe(true)
  })

  it("names what a machine has to have, any one of what does the same", () => {
    expect(lacking(() => false)).toEqual(["git", "cmake", "g++", "ninja-build"])
    expect(lacking((name) => ["git", "cmake", "clang++", "make"].includes(name))).toEqual([])
  })

  it("builds with what there is", () => {
    const build = { bundle: "/b", folder: "/f", jobs: 3 }
    expect(stepsOf({ ...build, hasNinja: true }).at(-1)?.args).toEqual(["-C", "/f/build", "-j", "3", "llama-server"])
    expect(stepsOf({ ...build, hasNinja: false }).at(-1)?.args).toEqual(["-C", "/f/build", "-j3", "llama-server"])
  })

  it("knows how far a builder is", () => {
    expect(progressIn("[12/348] Building CXX object a.o")).toEqual({ done: 12, of: 348 })
    expect(progressIn("[ 47%] Building CXX object a.o")).toEqual({ done: 47, of: 100 })
    expect(progressIn("warning: [1/2] in it")).toBeUndefined()
  })
})

describe("Building llama-server", () => {
  it.effect("is refused by the names of what is missing, before anything is fetched", () =>
    Effect.gen(function* () {
      const { options, steps } = makeMachine({ git: "exit 0" })
      const error = yield* Effect.flip(installServer(options))
      expect(error.message).toContain("it takes cmake, g++, ninja-build to build it")
      expect(steps).toEqual([])
    })
  )

  it.effect("takes no other source than the one that it was made with", () =>
    Effect.gen(function* () {
      const { options } = makeMachine(fine)
      const error = yield* Effect.flip(installServer({ ...options, integrity: source.integrity }))
      expect(error.message).toContain("source.tgz is not the package that this version was made with")
      expect(existsSync(join(`${builtAt(options)}.building`, "source"))).toBe(false)
    })
  )

  it.effect("says what a compiler said, and goes on where it was", () =>
    Effect.gen(function* () {
      const { options, steps } = makeMachine({ ...fine, ninja: "echo 'a.cpp:1: error: no such thing' >&2; exit 1" })
      const error = yield* Effect.flip(installServer(options))
      expect(error.message).toContain("building ended with exit code 1: a.cpp:1: error: no such thing")
      steps.length = 0
      yield* Effect.flip(installServer(options))
      expect(steps).toEqual(["configuring", "building"])
    })
  )

  it.effect("is no use where what was built gives no answer", () =>
    Effect.gen(function* () {
      const ninja = `mkdir -p "$2/bin"; echo '#!/bin/sh' > "$2/bin/llama-server"; chmod +x "$2/bin/llama-server"`
      const { options } = makeMachine({ ...fine, ninja })
      symlinkSync("/bin/chmod", join(options.env.PATH, "chmod"))
      const error = yield* Effect.flip(installServer(options))
      expect(error.message).toContain("it was built, and gives no answer")
      expect(existsSync(builtAt(options))).toBe(false)
    })
  )

  it.live.runIf(program !== undefined)("tells how far it is, proves what it built, and leaves nothing else", () =>
    Effect.gen(function* () {
      const { heard, options, steps } = makeMachine(fine)
      const built = yield* installServer(options)
      expect(built).toBe(join(builtAt(options), "llama-server"))
      expect(steps).toEqual(["reading source.tgz", "unpacking the source", "configuring", "building", "asking it"])
      expect(heard).toEqual([
        [1, 2],
        [2, 2]
      ])
      expect(existsSync(`${builtAt(options)}.building`)).toBe(false)
      expect(yield* removeServer(options)).toBe(true)
      expect(yield* removeServer(options)).toBe(false)
    })
  )
})
