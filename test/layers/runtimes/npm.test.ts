import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { describe } from "vitest"
import { layerRandom } from "../../../src/layers/ids/random.ts"
import { type ChildOptions, Processes } from "../../../src/layers/process/index.ts"
import { layerNode } from "../../../src/layers/process/node.ts"
import { hasCuda } from "../../../src/layers/runtimes/llama/cuda.ts"
import type { KindRuntimes } from "../../../src/layers/runtimes/index.ts"
import { shippedHashes } from "../../../src/layers/runtimes/llama/hashes.ts"
import { npmRuntimes } from "../../../src/layers/runtimes/llama/npm.ts"
import { runtimeVersion } from "../../../src/layers/runtimes/llama/places.ts"
import { startRegistry } from "../../support/registry.ts"

interface Place {
  readonly folder: string
  /** where rbee would be installed, without a runtime */
  readonly bare: string
  readonly runtimes: () => ReadonlyArray<string>
}

const withFolder = <A, E>(use: (place: Place) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "rbee-runtimes-"))
      const bare = join(folder, "bare")
      mkdirSync(bare)
      const home = join(folder, "runtimes")
      return { folder, bare, runtimes: () => (existsSync(home) ? readdirSync(home) : []) }
    }),
    use,
    ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
const withRuntimes = <A, E>(
  { folder, bare }: Place,
  use: (runtimes: KindRuntimes) => Effect.Effect<A, E>,
  env: Record<string, string> = {},
  from: string | undefined = bare,
  onSpawn: (options: ChildOptions) => ChildOptions | void = () => {},
  hashes?: Readonly<Record<string, string>>
) => {
  const processes = Layer.map(layerNode, (context) => {
    const own = Context.get(context, Processes)
    const spawn: typeof own.spawn = (options) => Effect.suspend(() => own.spawn(onSpawn(options) ?? options))
    return Context.make(Processes, { ...own, spawn })
  })
  return Effect.provide(
    Effect.flatMap(
      npmRuntimes({ folder, env: { ...process.env, ...env }, from, ...(hashes === undefined ? {} : { hashes }) }),
      use
    ),
    Layer.merge(processes, layerRandom)
  )
}
const cpu = { backend: "cpu", uuid: undefined } as const
const isCudaHere = await hasCuda(process.env)
const closedRegistry = { npm_config_registry: "http://127.0.0.1:9/", npm_config_cache: "" }

describe("Worker runtimes", () => {
  it("are of the version in package.json, which the engine was written against", () => {
    const manifest: unknown = JSON.parse(
      readFileSync(fileURLToPath(new URL("../../../package.json", import.meta.url)), "utf8")
    )
    expect(manifest).toMatchObject({ optionalDependencies: { "@node-llama-cpp/linux-x64": runtimeVersion } })
  })

  it.effect("that came with rbee are found where it is installed", () =>
    withFolder((place) =>
      withRuntimes(
        place,
        (runtimes) =>
          Effect.map(runtimes.find("cpu"), (found) =>
            expect(found).toEqual({ version: runtimeVersion, folder: undefined })
          ),
        {},
        fileURLToPath(new URL(".", import.meta.url))
      )
    )
  )

  it.live(
    "that are missing are installed, proven to load, and found from then on",
    () =>
      withFolder((place) =>
        withRuntimes(place, (runtimes) =>
          Effect.gen(function* () {
            expect(yield* runtimes.find("cpu")).toBeUndefined()
            const seen: Array<number> = []
            const installed = yield* runtimes.install("cpu", (received) => void seen.push(received))
            const folder = join(place.folder, "runtimes", `cpu-llm-worker-rbee-${runtimeVersion}`)
            expect(installed).toEqual({ version: runtimeVersion, folder })
            expect(yield* runtimes.find("cpu")).toEqual(installed)
            expect(seen.at(-1)).toBeGreaterThan(1e6)
            expect(place.runtimes()).toEqual([`cpu-llm-worker-rbee-${runtimeVersion}`])
          })
        )
      ),
    120_000
  )

  it.live(
    "that cannot be fetched leave nothing, and the error names what failed and the way out",
    () =>
      withFolder((place) =>
        withRuntimes(
          place,
          (runtimes) =>
            Effect.gen(function* () {
              const error = yield* Effect.flip(runtimes.install("cpu", () => {}))
              expect(error).toMatchObject({
                code: "BACKEND_UNAVAILABLE",
                what: expect.stringMatching(/cpu-llm-worker-rbee.*npm install ended with exit code/),
                todo: expect.stringContaining("npm install -g @node-llama-cpp/linux-x64@")
              })
              expect(place.runtimes()).toEqual([])
            }),
          { ...closedRegistry, npm_config_cache: join(place.folder, "cache") }
        )
      ),
    60_000
  )

  it.live("whose installation is interrupted leave nothing", () =>
    withFolder((place) =>
      withRuntimes(
        place,
        (runtimes) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.fork(runtimes.install("cpu", () => {}))
            yield* Effect.repeat(Effect.sleep("10 millis"), { until: () => place.runtimes().length > 0 })
            yield* Fiber.interrupt(fiber)
            expect(place.runtimes()).toEqual([])
          }),
        { ...closedRegistry, npm_config_cache: join(place.folder, "cache") }
      )
    )
  )

  it.live.runIf(process.platform === "linux" && process.arch === "x64")(
    "that turn out not to work here are not fetched again while the machine is as it was",
    () =>
      withFolder((place) =>
        Effect.gen(function* () {
          const files = { "dist/index.js": "", "bins/linux-x64-cuda/llama-addon.node": "no addon" }
          const spawned: Array<ChildOptions> = []
          const registry = yield* Effect.promise(() =>
            startRegistry(
              ["linux-x64-cuda", "linux-x64-cuda-ext"].map((name) => ({
                name: `@node-llama-cpp/${name}`,
                version: runtimeVersion,
                files
              }))
            )
          )
          const libraries = (version: number) => {
            for (const name of ["libcudart", "libcublas"])
              writeFileSync(join(place.folder, `${name}.so.${version}`), "")
          }
          const env = {
            LD_LIBRARY_PATH: place.folder,
            npm_config_registry: registry.url,
            npm_config_cache: join(place.folder, "cache"),
            HF_TOKEN: "SECRET"
          }
          yield* Effect.addFinalizer(() => Effect.sync(registry.close))
          yield* withRuntimes(
            place,
            (runtimes) =>
              Effect.gen(function* () {
                const install = Effect.flip(runtimes.install("cuda", () => {}))
                libraries(13)
                const { todo, what } = yield* install
                expect(todo).toContain("Update NVIDIA's driver")
                expect(what).toMatch(/its trial ended with exit code 3: .*llama-addon/)
                expect(registry.fetched.length).toBe(2)
                expect((yield* install).what).toBe(what)
                expect(registry.fetched.length).toBe(2)
                expect(place.runtimes()).toEqual([`cuda-llm-worker-rbee-${runtimeVersion}.unfit`])
                // another CUDA may do
                libraries(12)
                rmSync(join(place.folder, "cache"), { recursive: true })
                yield* install
                expect(registry.fetched.length).toBe(4)
                // npm and the trial have what each needs
                const [npm, trial] = spawned.map(({ confined, env }) => ({ ...env, confined }))
                expect(npm).toMatchObject({ npm_config_registry: registry.url, confined: undefined })
                expect(trial).toMatchObject({ LD_LIBRARY_PATH: place.folder, confined: true })
                expect(trial).not.toHaveProperty("npm_config_registry")
                expect(JSON.stringify(spawned)).not.toContain("SECRET")
              }),
            env,
            undefined,
            (options) => void spawned.push(options),
            registry.hashes
          )
        }).pipe(Effect.scoped)
      ),
    60_000
  )

  it("have the hashes of package-lock.json", () => {
    const file = fileURLToPath(new URL("../../../package-lock.json", import.meta.url))
    const { packages } = JSON.parse(readFileSync(file, "utf8")) as {
      readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>
    }
    for (const [name, hash] of Object.entries(shippedHashes)) {
      const locked = packages[`node_modules/${name}`]
      if (locked?.integrity === undefined) continue
      expect([name, locked.version, locked.integrity]).toEqual([name, runtimeVersion, hash])
    }
    expect(Object.keys(shippedHashes)).toContain("@node-llama-cpp/linux-x64-cuda-ext")
  })

  it.live.runIf(process.platform === "linux" && process.arch === "x64")(
    "that are not the packages of this version are refused before anything of them is used, and leave nothing",
    () =>
      withFolder((place) =>
        Effect.gen(function* () {
          const addon = "require('node:fs').writeFileSync(process.env.RBEE_HOME + '/ran', '')"
          const files = { "dist/index.js": addon, "bins/linux-x64-vulkan/llama-addon.node": addon }
          const registry = yield* Effect.promise(() =>
            startRegistry([{ name: "@node-llama-cpp/linux-x64-vulkan", version: runtimeVersion, files }])
          )
          yield* Effect.addFinalizer(() => Effect.sync(registry.close))
          const spawned: Array<ChildOptions> = []
          const env = { npm_config_registry: registry.url, npm_config_cache: join(place.folder, "cache") }
          yield* withRuntimes(
            place,
            (runtimes) =>
              Effect.gen(function* () {
                const { code, what } = yield* Effect.flip(runtimes.install("vulkan", () => {}))
                expect(code).toBe("BACKEND_UNAVAILABLE")
                expect(what).toMatch(/EINTEGRITY|integrity|hash differs/)
                expect(place.runtimes()).toEqual([])
                // npm alone: no trial
                expect(spawned.length).toBe(1)
              }),
            { ...env, RBEE_HOME: place.folder },
            undefined,
            (options) => void spawned.push(options)
          )
        }).pipe(Effect.scoped)
      ),
    60_000
  )

  it.live.skipIf(isCudaHere)("for CUDA are not fetched where CUDA's own libraries are missing", () =>
    withFolder((place) =>
      withRuntimes(place, (runtimes) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(runtimes.install("cuda", () => {}))
          expect(error).toMatchObject({
            code: "BACKEND_UNAVAILABLE",
            what: expect.stringContaining("libcudart and libcublas"),
            todo: expect.stringContaining("CUDA toolkit")
          })
          expect(place.runtimes()).toEqual([])
        })
      )
    )
  )

  it.live("are proven anew on their device with the bundled model; where none is there nothing is said", () =>
    withFolder((place) =>
      Effect.gen(function* () {
        const here = fileURLToPath(new URL(".", import.meta.url))
        expect(yield* withRuntimes(place, (runtimes) => runtimes.prove(cpu), {}, here)).toBe("works")
        expect(yield* withRuntimes(place, (runtimes) => runtimes.prove(cpu))).toBe("unclear")
      })
    )
  )

  describe.runIf(process.platform === "linux")("that are proven anew on their device", () => {
    const here = fileURLToPath(new URL(".", import.meta.url))
    /** The trial is a child of this shell, or what the shell does instead. */
    const inShell =
      (script: string) =>
      (options: ChildOptions): ChildOptions => ({
        ...options,
        command: "/bin/sh",
        args: ["-c", script, options.command, ...options.args]
      })

    it.live("fail where the trial cannot load them", () =>
      withFolder((place) =>
        Effect.gen(function* () {
          const name = `linux-${process.arch}`
          const root = join(place.bare, "node_modules", "@node-llama-cpp", name)
          const files = { "dist/index.js": "", [`bins/${name}/llama-addon.node`]: "no addon" }
          for (const [path, text] of Object.entries(files)) {
            mkdirSync(join(root, path, ".."), { recursive: true })
            writeFileSync(join(root, path), text)
          }
          writeFileSync(join(root, "package.json"), JSON.stringify({ main: "dist/index.js" }))
          expect(yield* withRuntimes(place, (runtimes) => runtimes.prove(cpu))).toBe("fails")
        })
      )
    )

    it.live.each([
      ["fail where it is ended by a crash", "kill -ABRT $$", "fails"],
      ["are unclear where it has no memory", 'ulimit -v 600000; exec "$0" "$@"', "unclear"],
      ["are unclear where it says that it has no memory", "echo 'CUDA error: out of memory' >&2; exit 1", "unclear"],
      ["work where nothing is wrong", 'exec "$0" "$@"', "works"]
    ] as const)("%s", ([, script, proof]) =>
      withFolder((place) =>
        Effect.gen(function* () {
          const proven = withRuntimes(place, (runtimes) => runtimes.prove(cpu), {}, here, inShell(script))
          expect(yield* proven).toBe(proof)
        })
      )
    )

    it.effect("are unclear where it takes more than a minute", () =>
      withFolder((place) =>
        Effect.gen(function* () {
          let isBegun = false
          const stuck = (options: ChildOptions): ChildOptions => {
            isBegun = true
            return inShell("exec sleep 1000")(options)
          }
          const proof = yield* Effect.fork(withRuntimes(place, (runtimes) => runtimes.prove(cpu), {}, here, stuck))
          yield* Effect.promise(() => expect.poll(() => isBegun).toBe(true))
          yield* TestClock.adjust("59 seconds")
          expect(Option.isNone(yield* Fiber.poll(proof))).toBe(true)
          yield* TestClock.adjust("1 second")
          expect(yield* Fiber.join(proof)).toBe("unclear")
        })
      )
    )
  })

  it.live("that no package has for this machine are refused", () =>
    withFolder((place) =>
      withRuntimes(place, (runtimes) =>
        Effect.map(
          Effect.flip(runtimes.install(process.platform === "darwin" ? "cuda" : "metal", () => {})),
          ({ code }) => expect(code).toBe("BACKEND_UNAVAILABLE")
        )
      )
    )
  )

  it.live("that somebody began and never finished are swept", () =>
    withFolder((place) =>
      withRuntimes(place, (runtimes) =>
        Effect.gen(function* () {
          const left = join(place.folder, "runtimes", ".installing-0123")
          mkdirSync(left, { recursive: true })
          writeFileSync(join(left, "half"), "x")
          yield* runtimes.sweep
          expect(place.runtimes()).toEqual([])
        })
      )
    )
  )
})
