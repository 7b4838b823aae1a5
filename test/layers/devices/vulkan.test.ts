/** What is looked for before Vulkan is asked; and, in a folder, what a child says. Real devices: test/e2e/vulkan.test.ts. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { askLlama } from "../../../src/layers/runtimes/llama/gpus.ts"
import { hasOwnMemory, hasVulkan } from "../../../src/layers/devices/vulkan.ts"

const folders: Array<string> = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})
const folderWith = (files: Readonly<Record<string, string>>): string => {
  const root = mkdtempSync(join(tmpdir(), "rbee-vulkan-"))
  folders.push(root)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}
const driver = { "usr/share/vulkan/icd.d/radeon_icd.x86_64.json": "{}" }
const node = { "dev/dri/renderD128": "" }
const memory = (bytes: number) => ({ "sys/class/drm/renderD128/device/mem_info_vram_total": `${bytes}\n` })

/** An addon that knows these devices and chooses among them as ggml does. */
const addon = (devices: ReadonlyArray<{ readonly name: string; readonly total: number; readonly cpu?: boolean }>) =>
  join(
    folderWith({
      "addon.cjs": `
const all = ${JSON.stringify(devices)}
const chosen = process.env.GGML_VK_VISIBLE_DEVICES
const seen = chosen === undefined ? all.filter(({ cpu }) => !cpu) : chosen.split(",").flatMap((i) => all[i] ?? [])
module.exports = {
  markLoaded() {}, setLogger() {}, loadBackends() {}, getGpuType: () => "vulkan",
  getGpuDeviceInfo: () => ({ deviceNames: seen.map(({ name }) => name) }),
  getGpuVramInfo: () => ({ total: seen.reduce((sum, { total }) => sum + total, 0), used: 0, unifiedSize: 0 })
}`
    }),
    "addon.cjs"
  )

describe.runIf(process.platform === "linux")("Vulkan", () => {
  it("is asked in a child that has none of our secrets and can gain no rights", async () => {
    const folder = folderWith({
      "addon.cjs": `
const { readFileSync, writeFileSync } = require("node:fs")
writeFileSync(__dirname + "/told", ["environ", "status"].map((file) => readFileSync("/proc/self/" + file)).join(""))
module.exports = { markLoaded() {}, setLogger() {}, loadBackends() {}, getGpuType() {} }`
    })
    const env = { PATH: process.env["PATH"], HF_TOKEN: "SECRET", VK_LOADER_DEBUG: "warn" }
    await askLlama(join(folder, "addon.cjs"), "vulkan", env)
    const told = readFileSync(join(folder, "told"), "utf8")
    expect(told).toContain("VK_LOADER_DEBUG=warn")
    expect(told).not.toContain("SECRET")
    if (existsSync("/usr/bin/setpriv")) expect(told).toMatch(/NoNewPrivs:\s+1/)
  })

  it("is asked where there is a driver and a graphics device, or a user who names one", () => {
    expect(hasVulkan(false, folderWith({ ...driver, ...node }))).toBe(true)
    expect(hasVulkan(false, folderWith(driver))).toBe(false)
    expect(hasVulkan(false, folderWith(node))).toBe(false)
    expect(hasVulkan(true, folderWith(driver))).toBe(true)
  })

  it("is worth its runtime by itself where a card tells of 2 GB and more of its own", () => {
    expect(hasOwnMemory(folderWith({ ...node, ...memory(8e9) }))).toBe(true)
    expect(hasOwnMemory(folderWith({ ...node, ...memory(5e8) }))).toBe(false)
    expect(hasOwnMemory(folderWith(node))).toBe(false)
  })

  it("tells of a single GPU, which needs no binding", async () => {
    const file = addon([
      { name: "llvmpipe (LLVM 15.0.6, 256 bits)", total: 2e9, cpu: true },
      { name: "Radeon RX 7600 (RADV NAVI33)", total: 8e9 }
    ])
    expect(await askLlama(file, "vulkan", process.env)).toEqual([
      { id: "gpu0", name: "Radeon RX 7600", backend: "vulkan", vram_mb: 8000, vram_free_mb: 8000 }
    ])
  })

  it("tells of several GPUs with the number of each among all devices, twins and a CPU between them too", async () => {
    const file = addon([
      { name: "Radeon RX 7600", total: 8e9 },
      { name: "llvmpipe", total: 2e9, cpu: true },
      { name: "Radeon RX 7600", total: 8e9 },
      { name: "Arc A770", total: 16e9 }
    ])
    const gpus = await askLlama(file, "vulkan", process.env)
    expect(gpus.map(({ id, name, uuid, vram_mb }) => [id, name, uuid, vram_mb])).toEqual([
      ["gpu0", "Radeon RX 7600", "0", 8000],
      ["gpu1", "Radeon RX 7600", "2", 8000],
      ["gpu2", "Arc A770", "3", 16_000]
    ])
  })

  it.each(["process.abort()", "module.exports = {}", "for (;;) {}", "process.stdout.write('{}')"])(
    "that crashes, hangs or talks nonsense has no GPU: %s",
    async (text) => {
      const file = join(folderWith({ "addon.cjs": text }), "addon.cjs")
      expect(await askLlama(file, "vulkan", process.env)).toEqual([])
    }
  )
})
