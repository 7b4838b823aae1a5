import { assert, describe, it } from "@effect/vitest"
import { breaches } from "../../tools/check-house.mjs"

describe("the house rules", () => {
  it("let imports point one way only", () => {
    assert.lengthOf(breaches("src/machines/job.ts", 'import { x } from "../actors/queen/job.ts"'), 1)
    assert.lengthOf(breaches("src/actors/queen/job.ts", 'import { x } from "../../layers/process/node.ts"'), 1)
    assert.lengthOf(breaches("src/actors/queen/job.ts", 'import { x } from "../../layers/process/index.ts"'), 0)
    assert.lengthOf(breaches("src/layers/process/node.ts", 'import { x } from "../../actors/queen/job.ts"'), 1)
    assert.lengthOf(breaches("src/main/queen.ts", 'import { x } from "../actors/queen/job.ts"'), 0)
  })

  it("keep time and chance in the layers", () => {
    for (const line of [
      "setTimeout(f, 1)",
      "const t = Date.now()",
      "Math.random()",
      "crypto.randomUUID()",
      "new Date()"
    ]) {
      assert.lengthOf(breaches("src/actors/queen/job.ts", line), 1, line)
      assert.lengthOf(breaches("src/layers/turns/node.ts", line), 0, line)
    }
  })

  it("leave no way out of the types", () => {
    for (const line of ["const x: any = 1", "y as any", "z as unknown as string", "// @ts-ignore"]) {
      assert.lengthOf(breaches("src/layers/a.ts", line), 1, line)
    }
  })
})
