/** CUDA's own libraries, looked for in a folder that stands in for the file system's root. Real ones: test/e2e/cuda.test.ts. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { hasCuda, withCuda } from "../../../src/layers/runtimes/llama/cuda.ts"
import { hasNvidiaVulkan } from "../../../src/layers/devices/vulkan.ts"

const folders: Array<string> = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})
const rootWith = (...files: ReadonlyArray<string>): string => {
  const root = mkdtempSync(join(tmpdir(), "rbee-cuda-"))
  folders.push(root)
  for (const file of files) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), "")
  }
  return root
}
/** whose loader knows these */
const listing = (root: string, ...files: ReadonlyArray<string>): string => {
  const lines = files.map((file) => `\t${file.split("/").at(-1)} (libc6,x86-64) => ${join(root, file)}`)
  mkdirSync(join(root, "sbin"))
  writeFileSync(join(root, "sbin/ldconfig"), `#!/bin/sh\ncat <<'END'\n2 libs found\n${lines.join("\n")}\nEND\n`)
  chmodSync(join(root, "sbin/ldconfig"), 0o755)
  return root
}
const inFolder = (folder: string, version: number) =>
  [`libcudart.so.${version}`, `libcublas.so.${version}`].map((file) => join(folder, file))

describe.runIf(process.platform === "linux")("CUDA's libraries", () => {
  it("are there where the loader knows both, of one version", async () => {
    const both = inFolder("usr/lib", 12)
    expect(await hasCuda({}, listing(rootWith(...both), ...both))).toBe(true)
    const mixed = ["usr/lib/libcudart.so.12", "usr/lib/libcublas.so.13"]
    expect(await hasCuda({}, listing(rootWith(...mixed), ...mixed))).toBe(false)
    const old = inFolder("usr/lib", 11)
    expect(await hasCuda({}, listing(rootWith(...old), ...old))).toBe(false)
  })

  it("are not there where the loader's list is older than their removal, or there is no list", async () => {
    expect(await hasCuda({}, listing(rootWith(), ...inFolder("usr/lib", 13)))).toBe(false)
    expect(await hasCuda({}, rootWith(...inFolder("usr/lib", 13)))).toBe(false)
  })

  it("are found in the folders that the environment names", async () => {
    const root = rootWith(...inFolder("home/me/cuda", 13))
    expect(await hasCuda({ LD_LIBRARY_PATH: `/nowhere:${join(root, "home/me/cuda")}` }, root)).toBe(true)
  })

  it("are named to the loader where an installer puts them, behind what the environment names", async () => {
    const root = rootWith(...inFolder("usr/local/cuda/lib64", 13))
    const env = withCuda({ LD_LIBRARY_PATH: "/mine" }, root)
    expect(env).toEqual({ LD_LIBRARY_PATH: `/mine:${join(root, "usr/local/cuda/lib64")}` })
    expect(await hasCuda(env, root)).toBe(true)
    expect(withCuda(env, root)).toBe(env)
    const none = { A: "1" }
    expect(withCuda(none, rootWith())).toBe(none)
  })
})

describe("an NVIDIA driver", () => {
  it("came with Vulkan where it has put its own description among Vulkan's drivers", () => {
    expect(hasNvidiaVulkan(rootWith("etc/vulkan/icd.d/nvidia_icd.json"))).toBe(true)
    expect(hasNvidiaVulkan(rootWith("usr/share/vulkan/icd.d/radeon_icd.x86_64.json"))).toBe(false)
    expect(hasNvidiaVulkan(rootWith())).toBe(false)
  })
})
