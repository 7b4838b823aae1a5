/**
 * An answer that is held to a schema, of the bundled model on real processes, over every surface at once, whose worker
 * or hive is killed after any of its tokens: the same JSON on the same connection. `npm test` has a sample of the
 * tokens, `npm run proof -- calls` has all.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { eventually } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { isWhole, sampleOf } from "../support/proof.ts"
import { type Asked, meaning, Readings } from "../support/readers/readings.ts"
import { type Reader, surfaces } from "../support/readers/surfaces.ts"

const { chat, jobs, messages, ollama, responses } = surfaces
const machine = useMachines(afterAll)
let cluster: Readings

const schema = {
  type: "object",
  properties: {
    name: { type: "string", minLength: 1, maxLength: 8 },
    age: { type: "integer", minimum: 1, maximum: 99 },
    tags: { type: "array", items: { type: "string", enum: ["small", "large"] }, minItems: 1, maxItems: 2 }
  },
  required: ["name", "age", "tags"],
  additionalProperties: false
}
const question: Asked = { model: "minillama", text: "Who are you?", schema }

/** The others have no field for a seed. */
const seeded = [jobs, chat, ollama]
const kinds: ReadonlyArray<readonly [string, Asked, ReadonlyArray<Reader>]> = [
  ["greedy", { ...question, temperature: 0 }, [...seeded, responses, messages]],
  ["sampled", { ...question, temperature: 1.5, seed: 42 }, seeded]
]

/** A worker hears a moment later that its hive is dead: before that it would have said the last few. */
const lastFew = 6
const rolesAt = (at: number, tokens: number): ReadonlyArray<"worker" | "hive"> =>
  at > tokens - lastFew ? ["worker"] : ["worker", "hive"]

beforeAll(async () => {
  // slow enough to strike after a given token, and one thread: exact
  const env = { RBEE_WORKER_MAX_TOKENS_PER_S: "25", RBEE_WORKER_THREADS: "1", RBEE_WORKER_SLOTS: "5" }
  cluster = new Readings(await machine({ env }))
  const started = await cluster.machine.rbee(["queen", "start"])
  assert.strictEqual(started.code, 0, started.stderr)
}, 60_000)

describe.each(kinds)("A JSON answer, %s", (_, asked, all) => {
  it(
    "is the same over every surface, and the same though worker or hive are killed after any of its tokens",
    async () => {
      const undisturbed = await cluster.whole(jobs, asked)
      const expected = meaning(undisturbed)
      const { age, name, tags } = JSON.parse(expected.content) as { name: string; age: number; tags: Array<string> }
      assert.isTrue(Number.isInteger(age) && name.length <= 8 && tags.length <= 2, expected.content)
      const places = Array.from({ length: undisturbed.tokens - 1 }, (__, index) => index + 1)
      const strikes = places.flatMap((at) => rolesAt(at, undisturbed.tokens).map((role) => ({ at, role })))
      for (const { at, role } of sampleOf(strikes, 1)) {
        const struck = `${role} after ${at} tokens`
        // the first is ahead of the others: when it has its tokens none of them is over
        const first = await cluster.open(jobs, asked)
        const opening = Promise.all(all.slice(1).map((surface) => cluster.open(surface, asked)))
        await eventually(() => first.heard.tokens >= at, `${at} tokens`)
        await cluster.kill(role)
        for (const { end, heard, surface } of [first, ...(await opening)]) {
          assert.strictEqual(await end, "ended", `${surface.name}, ${struck}`)
          assert.deepEqual(meaning(heard), expected, `${surface.name}, ${struck}`)
        }
        assert.lengthOf(first.heard.failovers, 1, struck)
        await cluster.stopWorkers()
      }
    },
    isWhole ? 1_200_000 : 60_000
  )
})
