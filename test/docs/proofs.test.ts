/** The long proofs are listed where contributors look, and what has a sample in `npm test` has its whole there. */
import { readdirSync, readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { listed, proofs } from "../../tools/proofs.mjs"

const words = new Set(proofs.flatMap(({ steps }) => steps({}).flat()))

it("CONTRIBUTING.md lists the long proofs with their minutes and needs", () => {
  expect(readFileSync("CONTRIBUTING.md", "utf8")).toContain(`\`\`\`text\n${listed}\n\`\`\``)
})

it("each test file that takes a sample is run whole by a proof", () => {
  const sampled = readdirSync("test", { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".test.ts") && readFileSync(`test/${file}`, "utf8").includes('support/proof.ts"\n')
  )
  // a proof has it as a program of its own, two machines at a time
  const byProgram = new Map([["e2e/kill.test.ts", "kill-matrix"]])
  expect(sampled.filter((file) => !words.has(byProgram.get(file) ?? `test/${file}`))).toEqual([])
})
