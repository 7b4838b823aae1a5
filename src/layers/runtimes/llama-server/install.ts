/**
 * Builds llama.cpp's server for this machine, from the source that comes with the package of rbee's own engine: fetched by
 * npm, held against the hash that ships with rbee, and taken only once it has answered.
 */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { copyFile, mkdir, readdir, readFile, rename, rm } from "node:fs/promises"
import { availableParallelism } from "node:os"
import { basename, join } from "node:path"
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { Engine } from "../../engine/index.ts"
import { layerLlamaServer } from "../../engine/llama-server.ts"
import { bundledFile } from "../../models/sources.ts"
import { confine } from "../../process/confine.ts"
import { nativeEnvironment, npmEnvironment, toolEnvironment } from "../../process/environment.ts"
import { npmCommand } from "../llama/npm.ts"
import { builtAt, onPath, type ServerPlaces } from "./places.ts"
import { builtIn, lacking, progressIn, source, type Step, stepsOf } from "./recipe.ts"

export interface Installing extends Pick<ServerPlaces, "folder" | "env"> {
  /** the package as npm packs it, which is there already; absent: npm fetches it */
  readonly archive?: string | undefined
  /** what it must be; absent: what ships with this version */
  readonly integrity?: string
  readonly onStep: (what: string) => void
  readonly onProgress: (done: number, of: number) => void
}

type Failure = RbeeError<"BACKEND_UNAVAILABLE">

const failed = (what: string, todo = "Try again"): Failure =>
  rbeeError("BACKEND_UNAVAILABLE", `llama-server was not built: ${what}`, todo)

/** The end of what it said. */
const wordsMax = 4000

interface Run extends Step {
  readonly env: Record<string, string>
  readonly cwd: string
  readonly onLine?: (line: string) => void
}

/** A tool, to its end; with us it ends, too. */
const run = ({ args, command, cwd, env, onLine, what }: Run): Effect.Effect<void, Failure> =>
  Effect.async((resume) => {
    const [program, ...rest] = confine({ command, args }, { diesWithUs: true })
    // a group of its own, so that its compilers end with it
    const child = spawn(program, rest, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] })
    let words = ""
    const hear = (text: string): void => {
      words = (words + text).slice(-wordsMax)
      for (const line of text.split("\n")) onLine?.(line)
    }
    for (const output of [child.stdout, child.stderr]) output.setEncoding("utf8").on("data", hear)
    child.once("error", (error) => resume(Effect.fail(failed(`${command} could not be started (${error.message})`))))
    child.once("close", (code, signal) => {
      const said = words
        .split("\n")
        .filter((line) => /error|fatal|not found/i.test(line))
        .slice(-3)
      const why = (said.length === 0 ? words.trim().split("\n").slice(-3) : said).join("; ").slice(-400)
      resume(
        code === 0 ? Effect.void : Effect.fail(failed(`${what} ended with ${signal ?? `exit code ${code}`}: ${why}`))
      )
    })
    return Effect.sync(() => {
      try {
        process.kill(-(child.pid ?? 0), "SIGKILL")
      } catch {
        // gone already
      }
    })
  })

const tried = <A>(what: string, work: () => Promise<A>): Effect.Effect<A, Failure> =>
  Effect.tryPromise({
    try: work,
    catch: (error) =>
      failed(`${what} (${error instanceof Error && "code" in error ? String(error.code) : String(error)})`)
  })

/** The package's archive, fetched into a folder. */
const fetched = ({ env }: Installing, folder: string): Effect.Effect<string, Failure> =>
  Effect.gen(function* () {
    const npm = npmCommand(env["PATH"] ?? "")
    if (npm === undefined) return yield* failed("npm was not found", "Install npm, or give the archive with --archive")
    const args = [...npm.args, "pack", source.package, "--pack-destination", folder, "--ignore-scripts", "--silent"]
    yield* run({ what: "npm pack", command: npm.command, args, cwd: folder, env: npmEnvironment(env) })
    const packed = (yield* tried("the folder cannot be read", () => readdir(folder))).find((name) =>
      name.endsWith(".tgz")
    )
    return packed === undefined ? yield* failed("npm packed nothing") : join(folder, packed)
  })

const checked = (archive: string, integrity: string): Effect.Effect<void, Failure> =>
  Effect.flatMap(
    tried(`${basename(archive)} cannot be read`, () => readFile(archive)),
    (bytes) =>
      integrity === `sha512-${createHash("sha512").update(bytes).digest("base64")}`
        ? Effect.void
        : failed(
            `${basename(archive)} is not the package that this version was made with (its hash differs)`,
            `It is ${source.package}, as \`npm pack\` has it`
          )
  )

/** It loads the model that ships with rbee, and answers. */
const proven = (program: string): Effect.Effect<void, Failure> => {
  const modelPath = bundledFile()
  if (modelPath === undefined) return Effect.void
  const said: Array<string> = []
  const where = {
    program,
    backend: "cpu",
    onWords: (text: string) => void said.push(text),
    onEnd: () => undefined
  } as const
  return Effect.flatMap(Engine, ({ load }) => load({ modelPath, slots: 1, onProgress: () => undefined })).pipe(
    Effect.scoped,
    Effect.provide(layerLlamaServer(where)),
    Effect.mapError(({ what }) => failed(`it was built, and gives no answer (${what})`)),
    Effect.asVoid
  )
}

const hasTool =
  (env: Installing["env"]) =>
  (name: string): boolean =>
    onPath(env, name) !== undefined

/** Where it is then. What was begun before is gone on with. */
export const installServer = (options: Installing): Effect.Effect<string, Failure> =>
  Effect.gen(function* () {
    const { env, integrity = source.integrity, onProgress, onStep } = options
    const missing = lacking(hasTool(env))
    if (missing.length > 0)
      return yield* failed(
        `it takes ${missing.join(", ")} to build it`,
        `Install them (Debian, Ubuntu: \`apt install ${missing.join(" ")}\`)`
      )
    const final = builtAt(options)
    const folder = `${final}.building`
    yield* tried("the runtime folder cannot be written", () => mkdir(folder, { recursive: true, mode: 0o700 }))
    if (!existsSync(join(folder, "source"))) {
      onStep(options.archive === undefined ? `fetching ${source.package}` : `reading ${basename(options.archive)}`)
      const archive = options.archive ?? (yield* fetched(options, folder))
      yield* checked(archive, integrity)
      const args = ["-xzf", archive, "-C", folder, source.bundle]
      yield* run({ what: "tar", command: "tar", args, cwd: folder, env: toolEnvironment(env) })
    }
    const jobs = Math.max(1, availableParallelism() - 1)
    const bundle = join(folder, source.bundle)
    for (const step of stepsOf({ bundle, folder, hasNinja: hasTool(env)("ninja"), jobs })) {
      if (step.makes !== undefined && existsSync(step.makes)) continue
      onStep(step.what)
      const onLine = (line: string): void => {
        const progress = progressIn(line)
        if (progress !== undefined) onProgress(progress.done, progress.of)
      }
      yield* run({ ...step, cwd: folder, env: buildEnvironment(env), onLine })
    }
    onStep("asking it")
    yield* proven(builtIn(folder))
    const program = join(final, "llama-server")
    yield* tried("the runtime folder cannot be written", async () => {
      await rm(final, { recursive: true, force: true })
      await mkdir(final, { recursive: true, mode: 0o700 })
      await copyFile(builtIn(folder), `${program}.part`)
      await rename(`${program}.part`, program)
      await rm(folder, { recursive: true, force: true })
    })
    return program
  })

/** Compilers are told by variables of theirs, and need nothing else of ours. */
const buildEnvironment = (env: Installing["env"]): Record<string, string> => {
  const compiler = /^(CC|CXX|AR|LD|(C|CXX|CPP|LD)FLAGS|MAKEFLAGS|PKG_CONFIG_PATH|SDKROOT|CMAKE_\w+)$/
  const own = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && compiler.test(name) ? [[name, value] as const] : []
  )
  return { ...nativeEnvironment(env), ...Object.fromEntries(own) }
}

/** True: it was there, or the beginning of it. */
export const removeServer = (places: Pick<ServerPlaces, "folder">): Effect.Effect<boolean, Failure> =>
  tried("the runtime folder cannot be written", async () => {
    const folders = [builtAt(places), `${builtAt(places)}.building`].filter((folder) => existsSync(folder))
    for (const folder of folders) await rm(folder, { recursive: true, force: true })
    return folders.length > 0
  })
