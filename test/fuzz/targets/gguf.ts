/** Headers of model files: what reads them takes any bytes, and says in words what is wrong with them. */
import { readFileSync } from "node:fs"
import { readGguf } from "../../../src/machines/formats/gguf/gguf.ts"
import { mutantHeader } from "../../support/families/mutate.ts"
import { mutatedBytes } from "../mutate.ts"
import { Finding, ownPeakMb, type Target } from "../target.ts"

/** longer than any header may take to read, milliseconds */
const slowMs = 2000

export const gguf: Target = {
  name: "gguf",
  parallel: 1,
  open: async () => {
    const bundled = readFileSync("models/minillama/minillama-q8_0.gguf")
    const whole = bundled.subarray(0, 200_000)
    return {
      one: async (random) => {
        // most of what is believed stands at the beginning; every second header is that of a family, nearly right
        const bytes = random.chance(0.5)
          ? mutatedBytes(whole, random, random.pick([400, 3000, whole.length]))
          : mutantHeader(random).bytes
        const began = performance.now()
        const result = readGguf(bytes, random.chance(0.9) ? bundled.length : random.int(0, 2 ** 31))
        const took = performance.now() - began
        if (took > slowMs) throw new Finding("hang", `a header took ${took.toFixed(0)} ms`)
        if (result._tag === "Invalid" && !/\w{3}/.test(result.reason))
          throw new Finding("untyped", "refused without a reason")
        return 1
      },
      check: async () => undefined,
      peakMb: ownPeakMb,
      close: async () => undefined
    }
  }
}
