/**
 * Fair shares in virtual time: the queen's own scheduler over a worker that reads and decodes in batches, as real ones do.
 * Ten keys that always want more get as much device each, whatever one of them sends; and who asks now and then does
 * not feel somebody who always does.
 */
import { assert, describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { Cluster, ClusterView } from "../../../src/actors/queen/cluster/cluster-view.ts"
import { notLost } from "../../../src/actors/queen/cluster/hive-entry.ts"
import { Keys } from "../../../src/actors/queen/people/keys.ts"
import { Scheduler } from "../../../src/actors/queen/placement/scheduler.ts"
import type { PlacementRequest } from "../../../src/machines/policy/placement/placement.ts"
import { cpuDevice, HiveId, JobId, ModelRef, WorkerId } from "../../../src/machines/vocabulary/ids.ts"
import { Kernel } from "../../../src/simulator/world/kernel/kernel.ts"
import { Machine } from "../../../src/simulator/world/machine.ts"
import { makeWorld } from "../../support/queen/world.ts"
import { Call } from "../../../src/protocol/endpoint.ts"
import { keyCaller } from "../../../src/protocol/rights.ts"
import { KeyName } from "../../../src/machines/vocabulary/people/key.ts"

const hive = HiveId.make("h")
const worker = WorkerId.make("w1")
const model = ModelRef.make("minillama")
const slots = 4

interface Answer {
  prompt: number
  tokens: number
  readonly firstToken: () => void
  readonly settled: Deferred.Deferred<void>
}

/** A worker: each step decodes a token of each answer, and reads a piece of each prompt. */
class Device {
  readonly answers = new Set<Answer>()
  private wake = Deferred.unsafeMake<void>(FiberId.none)

  begin(answer: Answer): void {
    this.answers.add(answer)
    Deferred.unsafeDone(this.wake, Effect.void)
  }

  readonly run = Effect.forever(
    Effect.suspend(() => {
      const all = [...this.answers]
      if (all.length === 0) {
        this.wake = Deferred.unsafeMake<void>(FiberId.none)
        return Deferred.await(this.wake)
      }
      const read = all.map(({ prompt }) => Math.min(prompt, 64))
      const cost = 20 + all.length + 0.6 * read.reduce((sum, one) => sum + one, 0)
      return Effect.map(Effect.sleep(cost), () => {
        for (const [at, answer] of all.entries()) this.step(answer, read[at] ?? 0)
      })
    })
  )

  private step(answer: Answer, read: number): void {
    if (!this.answers.has(answer)) return
    if (read > 0) answer.prompt -= read
    else answer.tokens--
    if (answer.prompt === 0 && read > 0) answer.firstToken()
    if (answer.tokens > 0) return
    this.answers.delete(answer)
    Deferred.unsafeDone(answer.settled, Effect.void)
  }
}

const clusterOf = Effect.gen(function* () {
  const clock = yield* Effect.clock
  const view = new ClusterView(() => clock.unsafeCurrentTimeMillis())
  const entry = view.addHive(hive)
  view.claim(hive, { url: "http://127.0.0.1:8600", instance: "x", version: "1", api: {} as never, lost: notLost() })
  entry.has({ cpu: { cores: 1, ram_mb: 1, ram_free_mb: 1 }, gpus: [], models: 0, workers: 0 }, 0)
  entry.enter("healthy")
  view.workerReady(
    { hive, worker, device: cpuDevice, model },
    { instance: "i1", url: "http://127.0.0.1:8601", backend: "CPU", context: 512, slots },
    "1"
  )
  return view
})

const request = { model, allowCpu: true, alone: false } as unknown as PlacementRequest

/** Device-seconds and times to the first token, by account. */
class Told {
  readonly seconds = new Map<string, number>()
  readonly firsts = new Map<string, Array<number>>()
  pauses = 0
}

interface Work {
  readonly prompt: number
  readonly tokens: number
}

const world = (weights: Readonly<Record<string, number>> = {}) =>
  Effect.gen(function* () {
    const view = yield* clusterOf
    const weightOf = (account: string) => weights[account] ?? 1
    const scheduler = yield* Effect.provide(
      Scheduler,
      Layer.provide(
        Scheduler.layer,
        Layer.merge(Layer.succeed(Cluster, view), Layer.succeed(Keys, { weightOf } as unknown as Keys["Type"]))
      )
    )
    const device = new Device()
    yield* Effect.forkDaemon(device.run)
    const told = new Told()
    let jobs = 0
    /** One request to its end, however often it gives way. */
    const ask = (account: string, work: Work) =>
      Effect.gen(function* () {
        const clock = yield* Effect.clock
        const job = JobId.make(`job-${++jobs}`)
        const began = clock.unsafeCurrentTimeMillis()
        let left = work.tokens
        while (left > 0) {
          yield* scheduler.admit(job, account, request, () => undefined)
          const lease = view.leaseOf(job)
          assert.isDefined(lease)
          const settled = Deferred.unsafeMake<void>(FiberId.none)
          const answer: Answer = {
            // what it has is in its cells
            prompt: left === work.tokens ? work.prompt : 1,
            tokens: left,
            firstToken: () => {
              if (left === work.tokens)
                told.firsts.set(account, [...(told.firsts.get(account) ?? []), clock.unsafeCurrentTimeMillis() - began])
            },
            settled
          }
          device.begin(answer)
          const ended = scheduler.runs(job, worker, () => {
            told.pauses++
            device.answers.delete(answer)
            Deferred.unsafeDone(settled, Effect.void)
          })
          yield* Deferred.await(settled)
          left = answer.tokens
          told.seconds.set(account, (told.seconds.get(account) ?? 0) + ended())
          view.release(job)
        }
        scheduler.gone(job)
      })
    /** As many at once as it likes, and always more. */
    const backlogged = (account: string, outstanding: number, work: Work) =>
      Effect.forEach(Array.from({ length: outstanding }), () => Effect.forkDaemon(Effect.forever(ask(account, work))), {
        discard: true
      })
    /** Now and then: one request in each period, at a moment that nobody else knows. */
    const seldom = (account: string, at: number, everyMs: number, work: Work) =>
      Effect.forkDaemon(
        Effect.zipRight(
          Effect.sleep((at * 7919) % everyMs),
          Effect.forever(
            Effect.zipRight(Effect.forkDaemon(ask(account, work)), Effect.sleep(everyMs + ((at * 613) % 400)))
          )
        )
      )
    return { told, backlogged, seldom }
  })

const p95 = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(0.95 * sorted.length))] ?? Number.NaN
}
const jain = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, one) => sum + one, 0) ** 2 / (values.length * values.reduce((sum, one) => sum + one * one, 0))

const keys = Array.from({ length: 10 }, (_, at) => `key-${at}`)

type World = Effect.Effect.Success<ReturnType<typeof world>>

/** What ten minutes bring, in a second. */
const tenMinutes = (
  setUp: (made: World) => Effect.Effect<unknown>,
  weights?: Readonly<Record<string, number>>
): Told => {
  const kernel = new Kernel({ seed: 1 })
  const machine = new Machine(kernel, { name: "m", ramBytes: 1e9, gpus: [] }, 1)
  let told = new Told()
  const all = Effect.flatMap(world(weights), (made) => {
    told = made.told
    return setUp(made)
  })
  machine.spawn("queen").fork(all)
  expect(kernel.run(() => false, 600_000)).toEqual({ _tag: "TimeLimit" })
  return told
}

const many = { prompt: 256, tokens: 400 }
/** some 900 ms of the device each: 2 % of it */
const few = { prompt: 256, tokens: 32 }
const everyMs = 45_000

/** The time to the first token of keys that ask now and then, beside whatever `neighbour` starts. */
const firstTokens = (count: number, neighbour: (made: World) => Effect.Effect<unknown>) => {
  const own = keys.slice(0, count)
  const told = tenMinutes((made) =>
    Effect.zipRight(
      neighbour(made),
      Effect.forEach(own, (key, at) => made.seldom(key, at + 1, everyMs, few))
    )
  )
  return { p95: p95(own.flatMap((key) => told.firsts.get(key) ?? [])), told }
}

describe("Fair shares", () => {
  it("give ten backlogged keys as many device-seconds each, one of which sends ten times the requests", () => {
    const told = tenMinutes(({ backlogged }) =>
      Effect.forEach(keys, (key, at) => backlogged(key, at === 0 ? 40 : 4, { prompt: 128, tokens: 100 + 10 * at }))
    )
    assert.isAbove(jain(keys.map((key) => told.seconds.get(key) ?? 0)), 0.95)
  })

  it("are by weight", () => {
    const told = tenMinutes(
      ({ backlogged }) => Effect.forEach(keys.slice(0, 3), (key) => backlogged(key, 8, { prompt: 128, tokens: 150 })),
      { "key-0": 3 }
    )
    const [heavy = 0, light = 1] = keys.map((key) => told.seconds.get(key) ?? 0)
    assert.closeTo(heavy / light, 3, 0.5)
  })

  it("have who asks now and then not feel who always does: answers of that one give way", () => {
    const alone = firstTokens(1, () => Effect.void)
    const equal = firstTokens(9, ({ seldom }) => seldom("equal", 10, everyMs, few))
    const greedy = firstTokens(9, ({ backlogged }) => backlogged("greedy", 40, many))
    assert.isAtMost(greedy.p95 / equal.p95, 1.3)
    assert.isAtMost(greedy.p95 / alone.p95, 2)
    assert.isAbove(greedy.told.pauses, 0)
    // and the rest of the time is its own
    assert.isAbove(greedy.told.seconds.get("greedy") ?? 0, 400)
  })

  it.scoped("pause an answer at a token, and go on with it exactly when its account is next", () =>
    Effect.gen(function* () {
      const { api, hive: fake, job } = yield* makeWorld()
      fake.slots = 1
      fake.room = 1
      const as = (name: string) =>
        Effect.map(api.addKey({ name: KeyName.make(name) }), (key) =>
          Effect.provideService(Call, { correlationId: undefined, deadline: undefined, caller: keyCaller(key) })
        )
      const [greedy, light] = [yield* as("greedy"), yield* as("light")]
      fake.script = () => ({ holdAt: 3 })
      const long = yield* job().pipe(greedy)
      yield* long.until(({ data, event }) => event === "token" && data["i"] === 2)
      yield* TestClock.adjust("10 seconds")
      fake.script = () => ({})
      const short = yield* job().pipe(light)
      // what is given back is taken again a moment later
      yield* Effect.forkScoped(Effect.forever(TestClock.adjust("100 millis")))
      assert.strictEqual((yield* short.ended).event, "done")
      assert.strictEqual((yield* long.ended).event, "done")
      expect(long.lines()).toContain("queen: paused after 3 tokens: somebody who has had less is served first")
      assert.strictEqual(long.text(), "hello world")
      expect(long.events.flatMap(({ data, event }) => (event === "token" ? [data["i"]] : []))).toEqual([0, 1, 2, 3, 4])
      expect(yield* api.getJob({ id: JobId.make(long.id) })).toMatchObject({ failovers: 0, tokens: 5 })
      const { keys: used } = yield* api.usage({})
      expect(used.find(({ key }) => key === "greedy")).toMatchObject({ days: [{ jobs: 1, completion_tokens: 5 }] })
      assert.isAtLeast(used.find(({ key }) => key === "greedy")?.days[0]?.device_s ?? 0, 10)
    })
  )
})
