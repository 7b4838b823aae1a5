/** Whether Vulkan is worth asking, as cheaply as can be: where there is no graphics device nothing is started. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** A card with less memory of its own, MB, is not worth a runtime that nobody asked for. */
export const worthMb = 2000

const namesIn = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const renderNodes = (root: string) => namesIn(join(root, "dev/dri")).filter((name) => name.startsWith("renderD"))

const drivers = (root: string): ReadonlyArray<string> =>
  ["usr/share", "usr/local/share", "etc"].flatMap((folder) => namesIn(join(root, folder, "vulkan/icd.d")))

/** `root`: of the file system. A user who names Vulkan's devices knows that there are some. */
export const hasVulkan = (areNamed: boolean, root = "/"): boolean =>
  process.platform === "linux" && (areNamed || renderNodes(root).length > 0) && drivers(root).length > 0

/** Of a card that NVIDIA's tool has told of: its driver may have come without Vulkan. */
export const hasNvidiaVulkan = (root = "/"): boolean => drivers(root).some((file) => file.includes("nvidia"))

/** A card with memory of its own, which only the driver of AMD's tells without further ado. */
export const hasOwnMemory = (root = "/"): boolean =>
  renderNodes(root).some((node) => {
    try {
      const bytes = Number(readFileSync(join(root, "sys/class/drm", node, "device/mem_info_vram_total"), "utf8"))
      return bytes / 1e6 >= worthMb
    } catch {
      return false
    }
  })
