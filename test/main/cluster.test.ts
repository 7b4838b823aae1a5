import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { Cluster, RbeeError } from "../../src/main/cluster.ts"

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "rbee cluster "))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const start = (settings: Readonly<Record<string, string | number>> = {}) =>
  Cluster.start({ env: { RBEE_HOME: home }, settings })
const textOf = async (pieces: AsyncIterable<string>) => {
  let text = ""
  for await (const piece of pieces) text += piece
  return text
}
const folders = () => readdirSync(join(home, "one-process"))

describe("a cluster as a library", () => {
  it("answers, in pieces as they are decoded, and the same at temperature 0", async () => {
    const cluster = await start()
    try {
      const pieces: Array<string> = []
      for await (const piece of cluster.infer("hello", { temperature: 0 })) pieces.push(piece)
      expect(pieces.join("")).toMatch(/^Hello! I am minillama/)
      expect(await textOf(cluster.infer("hello", { temperature: 0 }))).toBe(pieces.join(""))
      expect(await textOf(cluster.infer("hello", { temperature: 0, stream: false }))).toBe(pieces.join(""))
    } finally {
      await cluster.stop()
    }
    expect(folders()).toEqual([])
  })

  it("throws the typed error of a job that fails, and goes on", async () => {
    const cluster = await start()
    try {
      const wrong = textOf(cluster.infer("hello", { model: "nonsense" }))
      await expect(wrong).rejects.toBeInstanceOf(RbeeError)
      await expect(wrong).rejects.toMatchObject({ code: "INVALID_REQUEST" })
      const long = textOf(cluster.infer("x ".repeat(5000)))
      await expect(long).rejects.toMatchObject({ code: "INVALID_REQUEST", details: { status: 400 } })
      expect(await textOf(cluster.infer("hello", { max_tokens: 3 }))).not.toBe("")
    } finally {
      await cluster.stop()
    }
  })

  it("cancels the job of a loop that is left", async () => {
    const cluster = await start({ "worker.max_tokens_per_s": 40 })
    try {
      let seen = 0
      for await (const piece of cluster.infer("tell me a story", { ignore_eos: true, max_tokens: 400 })) {
        seen += piece.length
        if (seen > 5) break
      }
      const [job] = await cluster.jobs()
      expect(job).toMatchObject({ state: "cancelled" })
    } finally {
      await cluster.stop()
    }
  })

  it("is one of several in the same process, each with its own folder", async () => {
    const [one, two] = await Promise.all([start(), start()])
    expect(folders()).toHaveLength(2)
    const answers = await Promise.all([one, two].map((cluster) => textOf(cluster.infer("hello", { temperature: 0 }))))
    expect(new Set(answers).size).toBe(1)
    await one.stop()
    expect(folders()).toHaveLength(1)
    expect(await textOf(two.infer("hello", { temperature: 0 }))).toBe(answers[0])
    await two.stop()
  })

  it("refuses wrong settings before anything is started", async () => {
    await expect(start({ "worker.slots": 0 })).rejects.toMatchObject({ code: "INVALID_REQUEST" })
    expect(readdirSync(home)).toEqual([])
  })
})
