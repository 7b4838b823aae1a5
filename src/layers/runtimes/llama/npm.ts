/**
 * Runtimes as packages of the npm registry: `@node-llama-cpp/{platform}`, of exactly the version that the engine was
 * written against. npm is started by path and with arguments, never through a shell.
 */
import { existsSync } from "node:fs"
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { rbeeError } from "../../../machines/errors.ts"
import { boundTo, runtimeName } from "../../../machines/kinds/kind.ts"
import { llama } from "../../../machines/kinds/llama/llama.ts"
import type { Backend } from "../../../machines/vocabulary/device.ts"
import { Ids } from "../../ids/index.ts"
import { nativeEnvironment, npmEnvironment } from "../../process/environment.ts"
import { Processes } from "../../process/index.ts"
import type { KindRuntimes } from "../index.ts"
import { type Hashes, lockOf, mismatched, shippedHashes } from "./hashes.ts"
import { learnFile } from "./learn.ts"
import { hasCuda } from "./cuda.ts"
import { folderBytes } from "./folder-bytes.ts"
import { findBinary, foldersIn, packages, type Places, placeOf, runtimeVersion } from "./places.ts"
import { prove, proveAgain } from "./proof.ts"
import { run } from "./run.ts"
import { noteUnfit, whyUnfit } from "./unfit.ts"
import { Vocabularies } from "./vocabularies.ts"

export interface NpmOptions extends Places {
  readonly env: Readonly<Record<string, string | undefined>>
  /** what the packages must be; absent: what ships with this version */
  readonly hashes?: Hashes
}

const installing = ".installing-"
const installTimeout = Duration.minutes(15)
const progressEvery = Duration.millis(500)

const installArgs = [
  "install",
  "--no-audit",
  "--no-fund",
  "--no-save",
  "--package-lock",
  "--no-update-notifier",
  "--ignore-scripts",
  "--include=optional",
  "--loglevel=error",
  "--fetch-retries=2",
  "--fetch-retry-mintimeout=500",
  "--fetch-retry-maxtimeout=5000"
]

/** npm's own program beside this Node, else the first `npm` of the path. */
export const npmCommand = (
  path: string
): { readonly command: string; readonly args: ReadonlyArray<string> } | undefined => {
  const own = join(dirname(process.execPath), "..", "lib", "node_modules", "npm", "bin", "npm-cli.js")
  if (existsSync(own)) return { command: process.execPath, args: [own] }
  const found = path.split(delimiter).find((folder) => folder !== "" && existsSync(join(folder, "npm")))
  return found === undefined ? undefined : { command: join(found, "npm"), args: [] }
}

const wayOut = (backend: Backend): string => {
  const wanted = packages(backend).map((name) => `${name}@${runtimeVersion}`)
  return wanted.length === 0
    ? "Choose another device"
    : `Try \`npm install -g ${wanted.join(" ")}\` where rbee is installed, or choose another device`
}

/** What may help a runtime that is there and does not work. */
const cures: Readonly<Record<Backend, string>> = {
  cpu: "Install rbee anew, or use another machine",
  cuda: "Update NVIDIA's driver or install CUDA 12's libraries, or choose another device",
  vulkan: "Update the driver of the GPU, or choose another device",
  metal: "Choose another device"
}

// long: the calls of one port over one folder, each of them short
export const npmRuntimes = (options: NpmOptions): Effect.Effect<KindRuntimes, never, Processes | Ids> =>
  Effect.gen(function* () {
    const processes = yield* Processes
    const ids = yield* Ids
    const home = join(options.folder, "runtimes")
    const hashes = options.hashes ?? shippedHashes

    const unavailable = (backend: Backend, reason: string, todo = wayOut(backend)) =>
      rbeeError("BACKEND_UNAVAILABLE", `worker ${runtimeName(llama, backend)} could not be prepared: ${reason}`, todo, {
        backend
      })

    const env = npmEnvironment(options.env)

    /** The CPU has nothing in its place, and memory that others took may be free tomorrow. */
    const note = (backend: Backend, reason: string) =>
      backend === "cpu" || /memory/i.test(reason)
        ? Effect.void
        : attempt(() => noteUnfit(options, backend, options.env, reason))

    const install = (backend: Backend, onProgress: (received: number) => void) =>
      Effect.gen(function* () {
        const wanted = packages(backend)
        const [name] = wanted
        if (name === undefined) {
          return yield* Effect.fail(
            `there is no ${backend} runtime for ${process.platform} ${process.arch} in this version`
          )
        }
        const unknown = wanted.find((each) => hashes[each] === undefined)
        if (unknown !== undefined) return yield* Effect.fail(`this version knows no hash of ${unknown}`)
        const npm = npmCommand(options.env["PATH"] ?? "")
        if (npm === undefined) return yield* Effect.fail("npm was not found")
        const folder = join(home, yield* ids.make(installing.slice(0, -1)))
        yield* Effect.acquireRelease(
          attempt(async () => void (await mkdir(folder, { recursive: true, mode: 0o700 }))),
          () => Effect.promise(() => rm(folder, { recursive: true, force: true }))
        )
        const dependencies = Object.fromEntries(wanted.map((each) => [each, runtimeVersion]))
        yield* attempt(() => writeFile(join(folder, "package.json"), JSON.stringify({ private: true, dependencies })))
        yield* attempt(() => writeFile(join(folder, "package-lock.json"), lockOf(wanted, runtimeVersion, hashes)))
        const watching = Effect.repeat(
          Effect.flatMap(
            Effect.promise(() => folderBytes(folder)),
            (bytes) => Effect.sync(() => onProgress(bytes))
          ),
          Schedule.spaced(progressEvery)
        )
        const args = [...npm.args, ...installArgs, "--prefix", folder]
        yield* Effect.raceFirst(
          run(processes, { what: "npm install", command: npm.command, args, cwd: folder, env, within: installTimeout }),
          Effect.zipRight(watching, Effect.never)
        )
        const [strange] = yield* Effect.try({
          try: () => mismatched(folder, wanted, hashes),
          catch: () => "npm did not say what it installed"
        })
        if (strange !== undefined)
          return yield* Effect.fail(`${strange} is not the package that this version was made with (its hash differs)`)
        const folders = foldersIn(folder, backend)
        if (folders.length === 0) return yield* Effect.fail(`npm installed no ${name} for this machine`)
        yield* prove(processes, { backend, folders, cwd: folder, env: nativeEnvironment(options.env) }).pipe(
          Effect.tapError((reason) => note(backend, reason)),
          Effect.mapError((reason) => unavailable(backend, reason, cures[backend]))
        )
        const final = placeOf(options, backend)
        yield* attempt(async () => {
          await rm(final, { recursive: true, force: true })
          await rename(folder, final)
        })
        onProgress(yield* Effect.promise(() => folderBytes(final)))
        return { version: runtimeVersion, folder: final }
      }).pipe(
        Effect.scoped,
        Effect.mapError((error) => (typeof error === "string" ? unavailable(backend, error) : error))
      )

    const vocabularies = new Vocabularies()
    return {
      find: (backend) =>
        Effect.sync(() => {
          const found = findBinary(options, backend)
          return found === undefined ? undefined : { version: runtimeVersion, folder: found.folder }
        }),
      install: (backend, onProgress) =>
        Effect.gen(function* () {
          // known before hundreds of megabytes are fetched in vain
          if (backend === "cuda" && !(yield* Effect.promise(() => hasCuda(options.env)))) {
            const reason = "CUDA's libraries (libcudart and libcublas, version 12 or 13) are not on this machine"
            return yield* Effect.fail(
              unavailable(backend, reason, "Install NVIDIA's CUDA toolkit 12 or 13, or choose another device")
            )
          }
          const reason = yield* Effect.promise(() => whyUnfit(options, backend, options.env))
          if (reason !== undefined) return yield* Effect.fail(unavailable(backend, reason, cures[backend]))
          return yield* install(backend, onProgress)
        }),
      prove: ({ backend, uuid }) =>
        Effect.suspend(() => {
          const found = findBinary(options, backend)
          const root = found?.folder ?? options.from ?? dirname(fileURLToPath(import.meta.url))
          const bound = boundTo(llama, backend, uuid)
          return proveAgain(processes, {
            backend,
            folders: foldersIn(root, backend),
            cwd: options.folder,
            env: { ...nativeEnvironment(options.env), ...bound }
          })
        }),
      learn: (file) =>
        Effect.suspend(() => {
          const found = findBinary(options, "cpu")
          return learnFile(file, { gpu: "cpu", ...(found?.folder === undefined ? {} : { runtime: found.folder }) })
        }),
      read: (file, question) =>
        Effect.suspend(() => {
          const found = findBinary(options, "cpu")
          return vocabularies.read(file, question, {
            gpu: "cpu",
            ...(found?.folder === undefined ? {} : { runtime: found.folder })
          })
        }),
      sweep: Effect.promise(async () => {
        for (const name of await readdir(home).catch(() => [])) {
          if (name.startsWith(installing)) await rm(join(home, name), { recursive: true, force: true })
        }
      })
    }
  })

const attempt = (work: () => Promise<void>): Effect.Effect<void, string> =>
  Effect.tryPromise({
    try: work,
    catch: (error) =>
      `the runtime folder cannot be written (${error instanceof Error && "code" in error ? String(error.code) : "unknown reason"})`
  })
