/**
 * An answer that calls a tool, on real processes, over every surface at once, struck at every one of its tokens: of
 * the worker's and of the hive's death nobody hears, and after the queen's nobody takes half an answer for a whole
 * one. `npm test` has a sample of the tokens, `npm run proof -- calls` has all.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { eventually } from "../support/machine.ts"
import { sampleOf } from "../support/proof.ts"
import { type Asked, meaning, type Reading, Readings } from "../support/readers/readings.ts"
import { surfaces } from "../support/readers/surfaces.ts"
import { useScripted } from "../support/scripted/cluster.ts"
import { written } from "../support/scripts.ts"

const call = { name: "get_weather", arguments: { city: 'Paris, "la"', days: 3 } }
const script = ["think: So.", "say: Now.", `call: ${call.name} ${JSON.stringify(call.arguments)}`].join("\n")
const tokens = written({ thought: "So.", content: "Now.", calls: [call] }).length
const expected = { content: "Now.", reasoning: "So.", ends: 1, wrongs: [], calls: [{ ...call, told: 1 }] }
const tools = [
  {
    name: call.name,
    description: "tells the weather",
    parameters: { type: "object", properties: { city: { type: "string" }, days: { type: "integer" } } }
  }
]

const all = Object.values(surfaces)
const scripted = useScripted({ after: afterAll })
const folder = mkdtempSync(join(tmpdir(), "rbee-held-"))
let cluster: Readings
let asked: Asked

beforeAll(async () => {
  const { machine, model } = await scripted({ RBEE_WORKER_SLOTS: String(all.length) })
  cluster = new Readings(machine)
  asked = { model, tools, thinks: true, text: script }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Held {
  /** some surfaces say nothing before their first token */
  readonly readings: Promise<ReadonlyArray<Reading>>
  readonly release: () => void
  readonly ids: ReadonlyArray<string>
}

/** The answer over every surface, each of which waits after so many tokens. */
const held = async (at: number): Promise<Held> => {
  const before = new Set((await cluster.jobs()).map(({ job_id }) => job_id))
  const file = join(folder, `after-${at}`)
  writeFileSync(file, "")
  const readings = Promise.all(
    all.map((surface) => cluster.open(surface, { ...asked, text: `${script}\nhold: ${at} ${file}` }))
  )
  readings.catch(() => undefined)
  let ids: ReadonlyArray<string> = []
  await eventually(async () => {
    const fresh = (await cluster.jobs()).filter(({ job_id }) => !before.has(job_id))
    ids = fresh.map(({ job_id }) => job_id)
    return fresh.filter((job) => job.state === "streaming" && job.tokens === at).length === all.length
  }, `all answers wait after ${at} tokens`)
  return { readings, release: () => rmSync(file), ids }
}

describe("An answer that calls a tool", () => {
  const places = Array.from({ length: tokens + 1 }, (_, at) => at)

  it.each(all)("is heard whole and once over $name", async (surface) => {
    assert.deepEqual(meaning(await cluster.whole(surface, asked)), expected)
  })

  describe.each(["worker", "hive"] as const)("whose %s is killed", (role) => {
    it.each(sampleOf(places, role === "worker" ? 2 : 1))(
      "after %s tokens is the same over every surface, on the same connection",
      async (at) => {
        const { ids, readings, release } = await held(at)
        await cluster.kill(role)
        release()
        for (const { end, heard, surface } of await readings) {
          assert.strictEqual(await end, "ended", surface.name)
          assert.deepEqual(meaning(heard), expected, surface.name)
        }
        const struck = (await cluster.jobs()).filter(({ job_id }) => ids.includes(job_id))
        // of a death before the first token nothing goes on
        if (at > 0) assert.deepEqual(new Set(struck.map(({ failovers }) => failovers)), new Set([1]))
        await cluster.stopWorkers()
      },
      60_000
    )
  })

  it.each(sampleOf(places, 1))(
    "whose queen is killed after %s tokens breaks off without an end; who goes on hears the rest, once; others ask again",
    async (at) => {
      const { readings, release } = await held(at)
      await cluster.kill("queen")
      // before its first token an answer may be of no connection yet
      const broken = await readings.catch((): ReadonlyArray<Reading> => [])
      for (const { end, heard, surface } of broken) {
        assert.strictEqual(await end, "broke", surface.name)
        assert.deepInclude(heard, { ends: 0, wrongs: [] }, surface.name)
      }
      release()
      const started = await cluster.machine.rbee(["queen", "start"])
      assert.strictEqual(started.code, 0, started.stderr)
      for (const reading of broken) {
        const end = await cluster.goOn(reading)
        if (end === undefined) continue
        assert.strictEqual(end, "ended", reading.surface.name)
        assert.deepEqual(meaning(reading.heard), expected, reading.surface.name)
      }
      for (const surface of all) assert.deepEqual(meaning(await cluster.whole(surface, asked)), expected, surface.name)
    },
    60_000
  )
})
