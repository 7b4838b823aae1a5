/** llama.cpp's builds, and what they need of NVIDIA. */
import { type Finding, ok, warn, wrong } from "./finding.ts"

export interface EngineFacts {
  /** the packages that have this machine's build for the CPU; none: there is no such build */
  readonly packages: ReadonlyArray<string>
  readonly isThere: boolean
  /** why it could not be loaded */
  readonly failure: string | undefined
}

export const engineFinding = ({ failure, isThere, packages }: EngineFacts): Finding => {
  const [name] = packages
  if (name === undefined)
    return wrong("engine", "llama.cpp has no build for this system and processor", "Use another machine for models")
  if (!isThere)
    return warn(
      "engine",
      `${name} is not installed: the hive fetches it from the npm registry at first use`,
      `Where it cannot: npm install -g ${packages.join(" ")}, beside rbee`
    )
  if (failure !== undefined)
    return wrong("engine", `${name} cannot be loaded: ${failure}`, "Install rbee anew, with its optional dependencies")
  return ok("engine", `llama.cpp for the CPU (${name})`)
}

export interface CudaFacts {
  /** the kernel has NVIDIA's driver */
  readonly hasDriver: boolean
  readonly hasTool: boolean
  readonly driver: string | undefined
  readonly gpus: ReadonlyArray<{ readonly name: string; readonly vram_mb: number; readonly vram_free_mb: number }>
  /** of CUDA, whose libraries the loader finds */
  readonly versions: ReadonlyArray<string>
  /** its runtime was tried here before, and why it did not work */
  readonly unfit: string | undefined
}

export const cudaFinding = (facts: CudaFacts): Finding => {
  const { driver, gpus, hasDriver, hasTool, unfit, versions } = facts
  if (!hasDriver && !hasTool) return ok("cuda", "no driver of NVIDIA: no card of theirs is used")
  if (!hasTool)
    return warn(
      "cuda",
      "NVIDIA's driver is loaded and nvidia-smi is not in the PATH",
      "Install nvidia-utils, or mend PATH"
    )
  if (gpus.length === 0)
    return warn("cuda", "nvidia-smi tells of no card", "Run nvidia-smi: behind an update of the driver reboot")
  const cards = gpus.map(({ name, vram_free_mb, vram_mb }) => `${name} (${vram_free_mb} of ${vram_mb} MB free)`)
  const seen = `${cards.join(", ")}, driver ${driver ?? "unknown"}`
  if (versions.length === 0)
    return warn(
      "cuda",
      `${seen}; CUDA's libraries (libcudart and libcublas of 12 or 13) are not found`,
      "Install the CUDA toolkit, or name its lib64 in LD_LIBRARY_PATH; without it the card is used by Vulkan, or not at all"
    )
  if (unfit !== undefined)
    return warn("cuda", `${seen}; llama.cpp's build for CUDA does not work here: ${unfit}`, "Update NVIDIA's driver")
  return ok("cuda", `${seen}, CUDA ${versions.join(" and ")}`)
}
