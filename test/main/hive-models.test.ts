/** A real hive daemon: models. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { invalid, tiny } from "../support/gguf.ts"
import { eventsOf, lines, provision, refused, run, startHive, startWorker } from "../support/hive.ts"
import { eventually } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { WorkerId, ModelRef } from "../../src/machines/vocabulary/ids.ts"

const machine = useMachines()

describe("A hive", () => {
  it("brings the bundled model as the golden transcript says, and only once", async () => {
    const hive = await startHive(await machine())
    const events = await provision(hive, "minillama")
    const said = lines(events)
    expect(said[0]).toBe("model size = 3.3 MB; starting download")
    expect(said.at(-2)).toMatch(/^… 100% @ \d+(\.\d)? MB\/s …$/)
    expect(said.at(-1)).toMatch(/^model downloaded in \d+\.\d seconds$/)
    expect(events.at(-1)).toMatchObject({
      event: "ready",
      data: { file: join(hive.folder, "models", "minillama-q8_0.gguf") }
    })
    const numbered = events.filter(({ id }) => id !== undefined)
    expect(numbered.map(({ id }) => id)).toEqual(numbered.map((_, i) => String(i + 1)))

    expect((await provision(hive, "minillama")).map(({ event }) => event)).toEqual(["ready"])
    expect(await run(hive.api.getModel({ ref: "minillama" }))).toMatchObject({
      model_ref: "minillama",
      bytes: 3_297_568,
      architecture: "llama",
      context: 512,
      quantization: "Q8_0",
      pinned: false
    })
    expect(readdirSync(join(hive.folder, "models"))).toEqual(["minillama-q8_0.gguf"])
  })

  it("serves everybody who asks for one model with one download, and each reader gets all of it", async () => {
    const hive = await startHive(await machine())
    const ids = await Promise.all(
      Array.from({ length: 8 }, () => run(hive.api.provisionModel({ model_ref: ModelRef.make("minillama") })))
    )
    // who came after the end has a sequence that only says ready
    const feeds = await Promise.all(ids.map(({ provision_id }) => eventsOf(hive.api.modelEvents({ id: provision_id }))))
    expect(feeds.every((events) => events.at(-1)?.event === "ready")).toBe(true)
    const narrating = new Set(
      ids.map(({ provision_id }) => provision_id).filter((_, i) => lines(feeds[i] ?? []).length > 0)
    )
    expect(narrating.size).toBe(1)
    const [id = ""] = narrating
    const whole = await eventsOf(hive.api.modelEvents({ id }))
    const rest = await eventsOf(hive.api.modelEvents({ id, last_event_id: "2" }))
    expect(rest).toEqual(whole.filter((event) => Number(event.id) > 2))
  })

  it("registers a file in place with the same lines, and forgets it without touching it", async () => {
    const hive = await startHive(await machine())
    const path = await tiny()
    const events = await provision(hive, `file://${path}`)
    expect(lines(events).map((line) => line.replace(/[\d.]+ (MB|seconds)/, "N $1"))).toEqual([
      "model size = N MB; starting download",
      expect.stringMatching(/^… 100% @/),
      "model downloaded in N seconds"
    ])
    expect(events.at(-1)?.data).toEqual({ file: path })
    expect((await run(hive.api.listModels({}))).map(({ model_ref }) => model_ref)).toEqual([`file:${path}`])
    await run(hive.api.removeModel({ ref: `file:${path}` }))
    expect(existsSync(path)).toBe(true)
    expect(await refused(hive.api.getModel({ ref: `file:${path}` }))).toMatchObject({ code: "MODEL_NOT_FOUND" })
  })

  it("does not remove a model that a worker has loaded, and deletes its own copy afterwards", async () => {
    const hive = await startHive(await machine())
    await provision(hive, "minillama")
    const { id } = await startWorker(hive)
    expect(await refused(hive.api.removeModel({ ref: "minillama" }))).toMatchObject({ code: "CONFLICT" })
    await run(hive.api.stopWorker({ id: WorkerId.make(id) }))
    await run(hive.api.removeModel({ ref: "minillama" }))
    expect(readdirSync(join(hive.folder, "models"))).toEqual([])
  })

  it("ends a provision of what is no model with its reason, and lives on", async () => {
    const here = await machine()
    const hive = await startHive(here, { HF_HUB_OFFLINE: "1", HF_HOME: join(here.home, "hf") })
    for (const [ref, code] of [
      [`file:${await invalid("not-gguf")}`, "MODEL_INVALID"],
      [`file:${await invalid("truncated")}`, "MODEL_INVALID"],
      [`file:${await invalid("vocabulary-only")}`, "MODEL_INVALID"],
      ["file:/nowhere/x.gguf", "MODEL_NOT_FOUND"],
      ["HF:author/repo:Q8_0", "MODEL_NOT_FOUND"]
    ] as const) {
      const events = await provision(hive, ref)
      expect(events.at(-1)).toMatchObject({ event: "failed", data: { code } })
    }
    expect(await refused(hive.api.provisionModel({ model_ref: ModelRef.make("HF:../x") }))).toMatchObject({
      code: "INVALID_REQUEST"
    })
    expect(await run(hive.api.listModels({}))).toEqual([])
    expect((await provision(hive, "minillama")).at(-1)?.event).toBe("ready")
  })

  it("notices that a file is gone and brings it again", async () => {
    const hive = await startHive(await machine())
    await provision(hive, "minillama")
    writeFileSync(join(hive.folder, "models", "minillama-q8_0.gguf"), "somebody cut it")
    expect(await refused(hive.api.getModel({ ref: "minillama" }))).toMatchObject({ code: "MODEL_NOT_FOUND" })
    expect(lines(await provision(hive, "minillama")).length).toBeGreaterThan(0)
    expect(await run(hive.api.getModel({ ref: "minillama" }))).toMatchObject({ bytes: 3_297_568 })
  })

  it("starts with a damaged catalog: moves it aside, rebuilds it from the files, warns once", async () => {
    const here = await machine()
    const first = await startHive(here)
    await provision(first, "minillama")
    first.process.kill("SIGTERM")
    expect((await first.exit).code).toBe(0)
    const catalog = join(first.folder, "catalog.sqlite")
    writeFileSync(catalog, "no database at all ".repeat(1000))

    const second = await startHive(here)
    expect((await run(second.api.listModels({}))).map(({ model_ref }) => model_ref)).toEqual(["minillama"])
    expect(readFileSync(`${catalog}.corrupt`, "utf8")).toContain("no database at all")
    await startWorker(second)
    await eventually(() => second.log().includes("rebuilt"), "the warning is logged")
    expect(second.log().match(/rebuilt with 1 model/g)).toHaveLength(1)
  })
})
