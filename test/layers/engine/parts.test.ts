/** The small parts of the engines. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { StopFilter } from "../../../src/layers/engine/stop.ts"
import { chooseSlot } from "../../../src/layers/engine/slots.ts"
import { backendFolders, packagesOf } from "../../../src/layers/engine/llama/packages.ts"
import { seedAt } from "../../../src/layers/engine/llama/decoding/sampling.ts"
import { defaultThreads, parseCpuMax } from "../../../src/layers/engine/llama/threads.ts"

describe("the stop filter", () => {
  /** what comes out of `text` cut into parts of every size */
  const filtered = (text: string, stops: ReadonlyArray<string>): ReadonlyArray<readonly [string, boolean]> =>
    [1, 2, 3, 5, 8, 100].map((size) => {
      const filter = new StopFilter(stops)
      let out = ""
      for (let at = 0; at < text.length; at += size) out += filter.push(text.slice(at, at + size))
      return [out + filter.end(), filter.stopped]
    })

  it("cuts at the first stop string, however the text arrives", () => {
    for (const found of filtered("one two three two", ["two", "three"])) expect(found).toEqual(["one ", true])
    for (const found of filtered("aaab", ["aab"])) expect(found).toEqual(["a", true])
    for (const found of filtered("abcabd!", ["abd"])) expect(found).toEqual(["abc", true])
  })

  it("gives out the whole text where there is none", () => {
    for (const stops of [[], [""], ["xyz"], ["one two thr!"]]) {
      for (const found of filtered("one two three", stops)) expect(found).toEqual(["one two three", false])
    }
  })

  it("lets out at every moment all that can be no beginning of a stop string, and nothing else", () => {
    const filter = new StopFilter(["END"])
    expect(filter.push("the E")).toBe("the ")
    expect(filter.push("N")).toBe("")
    expect(filter.push("E")).toBe("EN")
    expect(filter.push("ND of it")).toBe("")
    expect(filter.stopped).toBe(true)
    expect(filter.push("more")).toBe("")
    expect(filter.end()).toBe("")
  })
})

describe("choosing a slot", () => {
  /** used in this order; an empty one was never used */
  const slotsWith = (...held: ReadonlyArray<ReadonlyArray<number>>) =>
    held.map((tokens, id) => ({
      id,
      tokens,
      filled: tokens.length,
      wide: 0,
      scope: "",
      leaving: undefined,
      busy: false,
      used: tokens.length > 0 ? id + 1 : 0
    }))

  it("takes the longest common prefix", () => {
    const slots = slotsWith([1, 2, 3], [1, 2, 3, 4, 5], [1, 2])
    expect(chooseSlot(slots, [1, 2, 3, 4, 9])).toMatchObject({ slot: { id: 1 }, prefix: 4 })
  })

  it("keeps a conversation's cache rather than share a template's first tokens with a stranger", () => {
    const slots = slotsWith([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [])
    expect(chooseSlot(slots, [1, 20, 21, 22, 23, 24])).toMatchObject({ slot: { id: 1 }, prefix: 0 })
  })

  it("takes the one unused for longest among strangers, and none when all are busy", () => {
    const slots = slotsWith([1, 1, 1], [2, 2, 2], [3, 3, 3])
    expect(chooseSlot(slots, [4, 4])).toMatchObject({ slot: { id: 0 } })
    for (const slot of slots) slot.busy = true
    expect(chooseSlot(slots, [4, 4])).toBeUndefined()
  })

  it("uses nothing that was read for another account", () => {
    const slots = slotsWith([1, 2, 3], [1, 2])
    for (const slot of slots) slot.scope = "hers"
    expect(chooseSlot(slots, [1, 2, 3, 4], "his")).toMatchObject({ slot: { id: 0 }, prefix: 0 })
    expect(chooseSlot(slots, [1, 2, 3, 4], "hers")).toMatchObject({ slot: { id: 0 }, prefix: 3 })
  })

  it("believes no more of a slot than is filled", () => {
    const [slot] = slotsWith([1, 2, 3, 4])
    if (slot === undefined) throw new Error("no slot")
    slot.filled = 2
    expect(chooseSlot([slot], [1, 2, 3, 4])).toMatchObject({ prefix: 2 })
  })
})

describe("threads", () => {
  it("one for a small model, and never less than one", () => {
    expect(defaultThreads(3_000_000, 64)).toBe(1)
    expect(defaultThreads(7_000_000_000, 1)).toBe(1)
    expect(defaultThreads(7_000_000_000, 64)).toBeGreaterThanOrEqual(1)
  })

  it("reads what a control group grants", () => {
    expect(parseCpuMax("150000 100000\n")).toBe(1.5)
    expect(parseCpuMax("max 100000\n")).toBe(Infinity)
    expect(parseCpuMax("nonsense")).toBe(Infinity)
  })
})

describe("seeds of tokens", () => {
  it("differ between neighbours, seeds and halves of a large seed, and are never llama.cpp's word for random", () => {
    const seeds = new Set<number>()
    for (const seed of [0, 1, 2, -1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1]) {
      for (let index = 0; index < 1000; index++) seeds.add(seedAt(seed, index))
    }
    expect(seeds.size).toBeGreaterThan(6990)
    expect(seeds.has(0xffff_ffff)).toBe(false)
    for (const seed of seeds) expect(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32).toBe(true)
    expect(seedAt(5, 3)).toBe(seedAt(5, 3))
  })
})

describe("platform packages", () => {
  it("are named for every system that has one", () => {
    expect(packagesOf("cpu", "linux", "x64")).toEqual(["@node-llama-cpp/linux-x64"])
    expect(packagesOf("cpu", "linux", "arm")).toEqual(["@node-llama-cpp/linux-armv7l"])
    expect(packagesOf("cuda", "linux", "x64")).toEqual([
      "@node-llama-cpp/linux-x64-cuda",
      "@node-llama-cpp/linux-x64-cuda-ext"
    ])
    expect(packagesOf("vulkan", "win32", "x64")).toEqual(["@node-llama-cpp/win-x64-vulkan"])
    expect(packagesOf("metal", "darwin", "arm64")).toEqual(["@node-llama-cpp/mac-arm64-metal"])
    expect(packagesOf("cuda", "darwin", "arm64")).toEqual([])
    expect(packagesOf("cuda", "linux", "arm64")).toEqual([])
    expect(packagesOf("cpu", "sunos", "x64")).toEqual([])
  })

  it.runIf(process.platform === "linux" && process.arch === "x64")(
    "has CUDA's backend beside the addon, and an older CUDA's in the second package",
    () => {
      const root = mkdtempSync(join(tmpdir(), "rbee-packages-"))
      const bins = (place: string, name: string, folder: string) => {
        const found = join(root, place, "node_modules/@node-llama-cpp", name)
        mkdirSync(join(found, "dist"), { recursive: true })
        mkdirSync(join(found, folder), { recursive: true })
        writeFileSync(join(found, "package.json"), `{"name":"@node-llama-cpp/${name}","main":"dist/index.js"}`)
        writeFileSync(join(found, "dist/index.js"), "")
        return join(found, folder)
      }
      try {
        const alone = bins("alone", "linux-x64-cuda", "bins/linux-x64-cuda")
        expect(backendFolders("cuda", [join(root, "alone")])).toEqual([alone])
        const beside = bins("both", "linux-x64-cuda", "bins/linux-x64-cuda")
        const fallback = bins("both", "linux-x64-cuda-ext", "bins/linux-x64-cuda/fallback")
        expect(backendFolders("cuda", [join(root, "both")])).toEqual([beside, fallback])
        expect(backendFolders("vulkan", [join(root, "both")])).toBeUndefined()
      } finally {
        rmSync(root, { recursive: true, force: true })
      }
    }
  )
})
