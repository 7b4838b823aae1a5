/** docs/llama-server.md says what holds of what llama.cpp's own server tests assert: each row is tried. */
import OpenAI from "openai"
import { expect, it } from "vitest"
import { measuringModel } from "../support/families/measuring.ts"
import { page, rows, type Tried } from "../support/llama-server.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()

it("says of each assertion of llama.cpp's server tests what became of it here", { timeout: 180_000 }, async () => {
  const on = await machine()
  await on.rbee(["queen", "start"])
  const read = async (answer: Response) => {
    const text = await answer.text()
    const body = answer.headers.get("content-type")?.startsWith("application/json") === true ? JSON.parse(text) : {}
    return { status: answer.status, text, body }
  }
  const tried: Tried = {
    embedder: `file:${await measuringModel({ pooling: "mean" })}`,
    ranker: `file:${await measuringModel({ pooling: "rank" })}`,
    get: async (path) => read(await fetch(`${on.queenUrl}${path}`)),
    post: async (path, body) =>
      read(await fetch(`${on.queenUrl}${path}`, { method: "POST", body: JSON.stringify(body) })),
    client: new OpenAI({ baseURL: `${on.queenUrl}/v1`, apiKey: "none", maxRetries: 0 })
  }
  const found: Array<object> = []
  for (const { asserts, holds, test } of rows) found.push({ test, asserts, holds: await holds(tried) })
  expect(found).toEqual(rows.map(({ asserts, test, why }) => ({ test, asserts, holds: why === undefined })))
  await expect(page).toMatchFileSnapshot("../../docs/llama-server.md")
})
