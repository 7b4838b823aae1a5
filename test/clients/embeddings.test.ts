/** Libraries that ask for embeddings and ranks: the page's programs as they stand, on models of random weights. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { measuringModel } from "../support/families/measuring.ts"
import { makeMachine, type Machine } from "../support/machine.ts"
import { isWhole } from "../support/proof.ts"
import { areInstalled, program } from "./programs.ts"

describe.runIf(isWhole && areInstalled)("a library", () => {
  let on: Machine
  beforeAll(async () => {
    on = await makeMachine()
    await on.rbee(["up"])
  }, 60_000)
  afterAll(() => on.dispose())

  it.each(["openai-embeddings", "ai-sdk-embeddings", "ollama-embeddings", "langchain-embeddings"])(
    "%s: the same text has the same vector, and another text another",
    async (name) => {
      const model = `file:${await measuringModel({ pooling: "mean" })}`
      const ran = await program({ model, queenUrl: on.queenUrl }, name)
      assert.strictEqual(ran.code, 0, ran.stderr)
      const [other = "", same] = ran.stdout.trim().split(" ")
      assert.strictEqual(same, "1.000")
      assert.isBelow(Number(other), 0.999)
    }
  )

  it("rerank: the best of its documents", async () => {
    const model = `file:${await measuringModel({ pooling: "rank" })}`
    const ran = await program({ model, queenUrl: on.queenUrl }, "rerank")
    assert.strictEqual(ran.code, 0, ran.stderr)
    assert.lengthOf(JSON.parse(ran.stdout).results, 1)
  })
})
