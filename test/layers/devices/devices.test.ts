import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { totalmem, tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describe } from "vitest"
import { DeviceProbe, type Machine } from "../../../src/layers/devices/index.ts"
import { groupLimit, readRam } from "../../../src/layers/devices/memory.ts"
import { parse } from "../../../src/layers/devices/nvidia.ts"
import { layerProbe } from "../../../src/layers/devices/probe.ts"
import { runtimeVersion } from "../../../src/layers/runtimes/llama/places.ts"
import { llamaGpus } from "../../../src/layers/runtimes/llama/gpus.ts"
import { noteUnfit } from "../../../src/layers/runtimes/llama/unfit.ts"

const lines = [
  "0, GPU-11111111-2222-3333-4444-555555555555, NVIDIA GeForce RTX 3060, 12288, 11900, 550.54.15",
  "1, GPU-66666666-7777-8888-9999-000000000000, NVIDIA GeForce RTX 3090, 24576, [N/A], 550.54.15",
  ""
].join("\n")

const withTool = <A, E>(script: string, use: (path: string) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "rbee-smi-"))
      writeFileSync(join(folder, "nvidia-smi"), `#!/bin/sh\n${script}\n`)
      chmodSync(join(folder, "nvidia-smi"), 0o755)
      return folder
    }),
    use,
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
const look = (path: string) =>
  Effect.provide(
    Effect.flatMap(DeviceProbe, ({ look }) => look),
    layerProbe({ env: { PATH: path }, vulkan: "auto", teller: llamaGpus({ folder: "/nowhere" }, { PATH: path }) })
  )

describe("Devices", () => {
  it("reads nvidia-smi: MiB become MB, short names, and an amount that is not told counts as all of it", () => {
    expect(parse(lines)).toEqual({
      driver: "550.54.15",
      gpus: [
        {
          id: "gpu0",
          name: "RTX 3060",
          backend: "cuda",
          uuid: "GPU-11111111-2222-3333-4444-555555555555",
          vram_mb: 12_884,
          vram_free_mb: 12_478
        },
        {
          id: "gpu1",
          name: "RTX 3090",
          backend: "cuda",
          uuid: "GPU-66666666-7777-8888-9999-000000000000",
          vram_mb: 25_769,
          vram_free_mb: 25_769
        }
      ]
    })
  })

  it.each(["", "No devices were found", "0, GPU-x, name", "Failed to initialize NVML: Driver mismatch\n"])(
    "finds no GPU in what is no table: %j",
    (text) => expect(parse(text).gpus).toEqual([])
  )

  it("skips a card that does not tell its memory", () => {
    expect(parse("0, GPU-a, NVIDIA GB10, [N/A], [N/A], 580.1").gpus).toEqual([])
  })

  it.effect("asks the tool that it finds in the path", () =>
    withTool(`cat <<'END'\n${lines}END`, (path) =>
      Effect.map(look(`${path}:/usr/bin:/bin`), (machine) => {
        expect(machine.gpus.map(({ id }) => id)).toEqual(["gpu0", "gpu1"])
        expect(machine.driver).toBe("550.54.15")
      })
    )
  )

  describe.runIf(process.platform === "linux" && process.arch === "x64")("on a driver without CUDA's libraries", () => {
    /** Another root, with this driver of Vulkan's, and with its runtime or without. */
    const lookIn = (icd: string, vulkan: "auto" | "off", hasRuntime: boolean) =>
      withTool(`cat <<'END'\n${lines}END`, (path) => {
        const from = join(path, "node_modules/@node-llama-cpp/linux-x64-vulkan")
        for (const folder of ["etc/vulkan/icd.d", ...(hasRuntime ? [join("bins", "linux-x64-vulkan"), "dist"] : [])]) {
          mkdirSync(join(folder.startsWith("etc") ? path : from, folder), { recursive: true })
        }
        writeFileSync(join(path, "etc/vulkan/icd.d", icd), "{}")
        if (hasRuntime) {
          writeFileSync(
            join(from, "package.json"),
            `{"name":"@node-llama-cpp/linux-x64-vulkan","main":"dist/index.js"}`
          )
          writeFileSync(join(from, "dist/index.js"), "")
          writeFileSync(join(from, "bins/linux-x64-vulkan/llama-addon.node"), "no addon")
        }
        const env = { PATH: `${path}:/usr/bin:/bin` }
        const teller = llamaGpus({ folder: "/nowhere", from: path }, env, path)
        return Effect.provide(
          Effect.flatMap(DeviceProbe, ({ look }) => look),
          layerProbe({ env, vulkan, root: path, teller })
        )
      })
    const backends = ({ gpus }: Machine) => gpus.map(({ backend }) => backend)

    it.effect("lacks Vulkan's runtime, which can serve them", () =>
      Effect.map(lookIn("nvidia_icd.json", "auto", false), (machine) =>
        expect(machine).toMatchObject({ gpus: [], lacks: { backend: "vulkan" }, driver: "550.54.15" })
      )
    )
    it.effect("lacks it too where CUDA's libraries are, and llama.cpp's build for it does not work with them", () =>
      withTool(`cat <<'END'\n${lines}END`, (path) =>
        Effect.gen(function* () {
          mkdirSync(join(path, "etc/vulkan/icd.d"), { recursive: true })
          mkdirSync(join(path, "runtimes"))
          for (const file of ["etc/vulkan/icd.d/nvidia_icd.json", "libcudart.so.13", "libcublas.so.13"]) {
            writeFileSync(join(path, file), "")
          }
          const env = { PATH: `${path}:/usr/bin:/bin`, LD_LIBRARY_PATH: path }
          const look = Effect.provide(
            Effect.flatMap(DeviceProbe, (probe) => probe.look),
            layerProbe({ env, vulkan: "auto", root: path, teller: llamaGpus({ folder: path, from: path }, env, path) })
          )
          expect(backends(yield* look)).toEqual(["cuda", "cuda"])
          yield* Effect.promise(() => noteUnfit({ folder: path }, "cuda", env, "PTX", path))
          expect(yield* look).toMatchObject({ gpus: [], lacks: { backend: "vulkan" } })
          // nor Vulkan's: then they stay, so that whoever asks for one hears why
          yield* Effect.promise(() => noteUnfit({ folder: path }, "vulkan", env, "no such device answers", path))
          expect(backends(yield* look)).toEqual(["cuda", "cuda"])
          rmSync(join(path, `runtimes/vulkan-llm-worker-rbee-${runtimeVersion}.unfit`))
          // another CUDA may do
          for (const file of ["libcudart.so.12", "libcublas.so.12"]) writeFileSync(join(path, file), "")
          expect(backends(yield* look)).toEqual(["cuda", "cuda"])
        })
      )
    )
    it.effect("are CUDA's where Vulkan finds none of them, is not NVIDIA's, or is not wanted", () =>
      Effect.gen(function* () {
        for (const machine of [
          yield* lookIn("nvidia_icd.json", "auto", true),
          yield* lookIn("radeon_icd.json", "auto", false),
          yield* lookIn("nvidia_icd.json", "off", false)
        ])
          expect(backends(machine)).toEqual(["cuda", "cuda"])
      })
    )
  })

  it.effect("has no GPUs where the tool fails", () =>
    withTool("echo broken; exit 9", (path) =>
      Effect.map(look(path), (machine) => expect(machine).toMatchObject({ gpus: [], driver: undefined }))
    )
  )

  it("knows RAM and cores, and stays within its control group", () => {
    const whole = readRam(undefined)
    expect(whole.cores).toBeGreaterThan(0)
    expect(whole.ramBytes).toBeLessThanOrEqual(totalmem())
    expect(whole.ramFreeBytes).toBeLessThanOrEqual(whole.ramBytes)
    const bound = readRam({ limit: 1e9, used: 400e6 })
    expect(bound).toMatchObject({ ramBytes: 1e9 })
    expect(bound.ramFreeBytes).toBeLessThanOrEqual(600e6)
  })

  it.each<readonly [version: string, base: string, self: string, limit: string, used: string, prefix: string]>([
    ["2", "", "0::/a/b\n", "memory.max", "memory.current", ""],
    ["1", "memory", "4:cpu,memory:/a/b\n", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"]
  ])("is bound by the tightest control group above it, version %s; pages of files count as free", (...found) => {
    const [, base, self, limit, used, prefix] = found
    const root = mkdtempSync(join(tmpdir(), "rbee-cgroup-"))
    const write = (folder: string, limitBytes: string, usedBytes: number, cache: number) => {
      mkdirSync(join(root, base, folder), { recursive: true })
      writeFileSync(join(root, base, folder, limit), `${limitBytes}\n`)
      writeFileSync(join(root, base, folder, used), `${usedBytes}\n`)
      const stat = `anon 5\n${prefix}inactive_file ${cache}\n${prefix}active_file ${cache}\n`
      writeFileSync(join(root, base, folder, "memory.stat"), stat)
    }
    try {
      write("a/b", "max", 1, 0)
      write("a", "4000000000", 3_000_000_000, 500_000_000)
      write(".", "9000000000", 5_000_000_000, 0)
      expect(groupLimit(root, self)).toEqual({ limit: 4e9, used: 2e9 })
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  })
})
