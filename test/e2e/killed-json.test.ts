/**
 * Answers that are held to a schema, of the bundled model on real processes, greedy and sampled, over every surface at
 * once, struck after any of their tokens: of the worker's and of the hive's death nobody hears, and after the queen's
 * nobody takes half an answer for a whole one. `npm test` has a sample of the tokens, `npm run proof -- calls` has all.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { eventually } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { isWhole, sampleOf } from "../support/proof.ts"
import { type Asked, meaning, type Reading, Readings } from "../support/readers/readings.ts"
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

interface Kind {
  readonly asked: Asked
  readonly surfaces: ReadonlyArray<Reader>
}
/** The others have no field for a seed. */
const seeded = [jobs, chat, ollama]
const greedy: Kind = { asked: { ...question, temperature: 0 }, surfaces: [...seeded, responses, messages] }
const sampled: Kind = { asked: { ...question, temperature: 1.5, seed: 42 }, surfaces: seeded }
const kinds = [greedy, sampled]
/** Tokens of its answer, without the one that ends it, which comes along with the last: processors round otherwise. */
const lengths = new Map<Kind, number>()
const [fewest, most] = [30, 60]
const places = Array.from({ length: most }, (_, index) => index + 1)
const strikes = isWhole ? places : places.slice(0, fewest)
/** where the longest answer is over: nothing is left to strike */
const isOver = (at: number): boolean => at >= Math.max(...lengths.values())
/** what comes last is struck again and again */
const limitMs = 120_000
/** A worker hears a moment later that its hive is dead: before that it would have said the last few. */
const lastFew = 6

const expected = new Map<Kind, ReturnType<typeof meaning>>()

interface Struck extends Reading {
  readonly kind: Kind
  readonly ended: "ended" | "broke"
}

/** All answers that are so long, to the end that they have though `role` is killed once they have `at` tokens. */
const strike = async (role: "worker" | "hive" | "queen", at: number): Promise<ReadonlyArray<Struck>> => {
  const open = async (kind: Kind, surface: Reader) => ({ kind, ...(await cluster.open(surface, kind.asked)) })
  const struck = kinds.filter((kind) => (lengths.get(kind) ?? 0) > at)
  // the first are ahead of the others: when they have their tokens none of those is over
  const first = await Promise.all(struck.map((kind) => open(kind, jobs)))
  const opening = Promise.allSettled(struck.flatMap((kind) => kind.surfaces.slice(1).map((one) => open(kind, one))))
  await eventually(() => first.every(({ heard }) => heard.tokens >= at), `${at} tokens`)
  await cluster.kill(role)
  // before its first token an answer may be of no connection yet
  const others = (await opening).flatMap((one) => (one.status === "fulfilled" ? [one.value] : []))
  return Promise.all([...first, ...others].map(async (each) => ({ ...each, ended: await each.end })))
}

const isHit = ({ ended, heard }: Struck): boolean => ended === "broke" || heard.failovers.length === 1

/** The last few come while the blow is on its way: it is struck again until it hits all. */
const strikeUntilHit = async (role: "worker" | "hive" | "queen", at: number): Promise<ReadonlyArray<Struck>> => {
  for (let tries = 1; ; tries++) {
    const struck = await strike(role, at)
    if (struck.every((each) => each.surface !== jobs || isHit(each))) return struck
    assert.isBelow(tries, 10, `${role} after ${at} tokens`)
    await mend(role)
  }
}

/** A worker that is killed again and again is given up: each has its own. */
const mend = async (role: "worker" | "hive" | "queen"): Promise<void> => {
  if (role !== "queen") return cluster.stopWorkers()
  const started = await cluster.machine.rbee(["queen", "start"])
  assert.strictEqual(started.code, 0, started.stderr)
}

beforeAll(async () => {
  // slow enough to strike after a given token, and one thread: exact
  const slots = kinds.reduce((sum, kind) => sum + kind.surfaces.length, 0)
  const env = {
    RBEE_WORKER_MAX_TOKENS_PER_S: "25",
    RBEE_WORKER_THREADS: "1",
    RBEE_WORKER_SLOTS: String(slots)
  }
  cluster = new Readings(await machine({ env }))
  await mend("queen")
  for (const kind of kinds) {
    const whole = await cluster.whole(jobs, kind.asked)
    const { content } = meaning(whole)
    const { age, name, tags } = JSON.parse(content) as { name: string; age: number; tags: Array<string> }
    assert.isTrue(Number.isInteger(age) && name.length <= 8 && tags.length <= 2, content)
    lengths.set(kind, whole.tokens - 1)
    assert.isTrue(whole.tokens > fewest && whole.tokens <= most, content)
    expected.set(kind, meaning(whole))
  }
}, 60_000)

describe("JSON answers, greedy and sampled", () => {
  describe.each(["worker", "hive"] as const)("whose %s is killed", (role) => {
    it.for(sampleOf(strikes, 1))(
      "after %s tokens are the same over every surface, on the same connection",
      { timeout: limitMs },
      async (at, { skip }) => {
        if (isOver(role === "hive" ? at + lastFew : at)) skip()
        for (const { ended, heard, kind, surface } of await strikeUntilHit(role, at)) {
          assert.strictEqual(ended, "ended", surface.name)
          assert.deepEqual(meaning(heard), expected.get(kind), surface.name)
        }
        await mend(role)
      }
    )
  })

  it.for(sampleOf(strikes, 1))(
    "whose queen is killed after %s tokens break off without an end; who goes on hears the rest, once; others ask again",
    { timeout: limitMs },
    async (at, { skip }) => {
      if (isOver(at)) skip()
      const struck = await strikeUntilHit("queen", at)
      await mend("queen")
      for (const { ended, heard, kind, ...reading } of struck) {
        const { name } = reading.surface
        if (ended === "broke") {
          assert.deepInclude(heard, { ends: 0, wrongs: [] }, name)
          const rest = await cluster.goOn({ ...reading, heard })
          if (rest === undefined) continue
          assert.strictEqual(rest, "ended", name)
        }
        assert.deepEqual(meaning(heard), expected.get(kind), name)
      }
      const again = kinds.flatMap((kind) => kind.surfaces.map((surface) => ({ kind, surface })))
      await Promise.all(
        again.map(async ({ kind, surface }) =>
          assert.deepEqual(meaning(await cluster.whole(surface, kind.asked)), expected.get(kind), surface.name)
        )
      )
    }
  )
})
