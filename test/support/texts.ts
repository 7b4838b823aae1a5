/** Texts that a tokenizer may stumble over, the same for a seed. */
import { readFileSync } from "node:fs"

const random = (seed: number): ((below: number) => number) => {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** all of Unicode but halves of surrogate pairs; ASCII, and what has few bytes, more often than the rest */
const codePoint = (below: (n: number) => number): number => {
  const kind = below(10)
  if (kind < 4) return below(0x80)
  if (kind < 6) return below(0x800)
  return kind < 9 ? below(0xd800) : 0xe000 + below(0x110000 - 0xe000)
}

export const randomTexts = (count: number, seed: number): ReadonlyArray<string> => {
  const below = random(seed)
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + below(24) }, () => String.fromCodePoint(codePoint(below))).join("")
  )
}

/** What tidying would change, spaces and line breaks of all kinds, scripts, code. */
export const HARD_TEXTS: ReadonlyArray<string> = [
  "git add . && cd .. ; y ? 1",
  "it 's , they 're ! we 've ? I 'm . he 'd she 'll do n't ' quoted ' ''",
  " leading,  two   three    four     spaces\ttabs\t\tand trailing  ",
  " ",
  "  ",
  "    ",
  "\n",
  "\r\n\r\n \n  \n",
  "🐝é日本 שלום مرحبا 👩‍👩‍👧‍👦 e\u0301 ﷽\uFEFF\u0000\u0007\u200b\u3000",
  "a<tool_call>b</tool_call><tool_call> c    d",
  "1 12 123 1234 12345 1,000.50 0x1F 3.14e-10",
  readFileSync(new URL(import.meta.url), "utf8")
]
