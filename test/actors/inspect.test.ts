/** The inspector's stream of one daemon: what it says, what it keeps to itself, and that nobody waits for it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { assign, setup } from "xstate"
import { machineActor } from "../../src/actors/core/machine/machine-actor.ts"
import { Reports } from "../../src/actors/core/reports.ts"
import { supervisor } from "../../src/actors/core/supervision/supervisor.ts"
import { ActorSystem } from "../../src/actors/core/system.ts"
import { redact } from "../../src/actors/inspect/redact.ts"
import { makeInspect } from "../../src/actors/inspect/shared.ts"
import { watch } from "../../src/actors/inspect/source.ts"
import { Trunk } from "../../src/actors/inspect/trunk.ts"
import type { Sink } from "../../src/protocol/endpoint.ts"
import { makeSseParser } from "../../src/protocol/sse.ts"
import { InspectRecord } from "../../src/machines/vocabulary/inspect.ts"

const lamp = setup({
  types: {
    events: {} as { readonly type: "ON"; readonly prompt: string } | { readonly type: "BREAK" },
    context: {} as { readonly n: number; readonly text: string }
  }
}).createMachine({
  id: "lamp",
  context: { n: 0, text: "a secret poem" },
  initial: "off",
  states: {
    off: { tags: "cold", on: { ON: "on" } },
    on: { tags: "healthy", after: { 30_000: "off" }, entry: assign({ n: ({ context }) => context.n + 1 }) }
  },
  on: {
    BREAK: {
      actions: assign(() => {
        throw new Error("the bulb broke")
      })
    }
  }
})

const house = supervisor({
  path: "house",
  intensity: 3,
  children: [{ id: "lamp", start: machineActor({ path: "house/lamp", machine: lamp }) }]
})

/** A reader that takes all, and what it has read. */
const reader = () => {
  const records: Array<InspectRecord> = []
  const decode = Schema.decodeUnknownSync(Schema.parseJson(InspectRecord))
  const parse = makeSseParser(({ data }) => void records.push(decode(data)))
  const sink: Sink = {
    write: (text) => {
      parse(text)
      return true
    },
    drain: (resume) => resume()
  }
  return { records, sink }
}

const street = supervisor({ path: "street", children: [{ id: "house", shutdown: "infinity", start: house }] })

const quiet = Effect.provideService(Reports, { report: () => Effect.void })
const ref = Effect.flatMap(ActorSystem, (system) => Effect.flatten(system.find(lamp, "house/lamp")))

const inspect = makeInspect("hive-x", (trunk, options) => watch({ ...options, daemon: "hive-x" }, trunk.put))

const watched = Effect.gen(function* () {
  const { records, sink } = reader()
  const feed = (yield* inspect)({ contents: false })
  yield* Effect.forkScoped(feed(sink))
  yield* TestClock.adjust(100)
  return records
})

describe("the inspector's stream", () => {
  it.scoped("begins with a header and every living actor with its place in the tree", () =>
    Effect.gen(function* () {
      yield* street
      const records = yield* watched
      assert.deepEqual(
        records.slice(0, 5).map((record) => [record.kind, "path" in record ? record.path : ""]),
        [
          ["trace", ""],
          ["daemon", ""],
          ["actor", "street"],
          ["actor", "house"],
          ["actor", "house/lamp"]
        ]
      )
      const actor = records[4]
      assert.isTrue(actor?.kind === "actor")
      if (actor?.kind !== "actor") return
      assert.deepEqual([actor.parent, actor.child, actor.machine], ["house", "lamp", "lamp"])
      assert.deepEqual(actor.snapshot?.value, "off")
      assert.deepEqual(actor.snapshot?.tags, ["cold"])
    }).pipe(Effect.provide(ActorSystem.layer), quiet)
  )

  it.scoped("tells events, snapshots and running timers, without prompts and texts", () =>
    Effect.gen(function* () {
      yield* house
      const records = yield* watched
      const before = records.length
      yield* (yield* ref).tell({ type: "ON", prompt: "tell me everything" })
      yield* TestClock.adjust(100)
      const [event, snapshot, vitals] = records.slice(before)
      assert.deepInclude(event, { kind: "event", event: { type: "ON", prompt: "(18 characters)" } })
      assert.isTrue(snapshot?.kind === "snapshot" && vitals?.kind === "vitals")
      if (snapshot?.kind !== "snapshot" || vitals?.kind !== "vitals") return
      assert.deepEqual(snapshot.snapshot, {
        status: "active",
        value: "on",
        tags: ["healthy"],
        context: { n: 1, text: "(13 characters)" }
      })
      assert.deepEqual(vitals.timers, [{ event: "xstate.after.30000.lamp.on", due: 30_100 }])
    }).pipe(Effect.provide(ActorSystem.layer), quiet)
  )

  it.scoped("tells a death, the restart with its count, and the successor", () =>
    Effect.gen(function* () {
      yield* house
      const records = yield* watched
      yield* (yield* ref).tell({ type: "BREAK" })
      yield* TestClock.adjust(200)
      const restart = records.find((one) => one.kind === "supervision" && one.context === "restarting")
      assert.deepInclude(restart, {
        path: "house",
        child: "lamp",
        restarts: { count: 1, max: 3, period_ms: 5000 }
      })
      const words = records.flatMap((one) =>
        one.kind === "exit" ? [`exit ${one.reason}`] : one.kind === "supervision" ? [one.context] : []
      )
      assert.deepEqual(words, ["exit defect", "child_terminated", "restarting", "started"])
      assert.strictEqual(records.filter((one) => one.kind === "actor" && one.path === "house/lamp").length, 2)
    }).pipe(Effect.provide(ActorSystem.layer), quiet)
  )

  it.scoped("costs a stalled reader its own records alone, and counts them", () =>
    Effect.gen(function* () {
      yield* house
      const { records, sink } = reader()
      let resume: () => void = () => {}
      let isStalled = true
      const feed = (yield* inspect)({ contents: false })
      const stalled: Sink = {
        write: (text) => {
          sink.write(text)
          return !isStalled
        },
        drain: (go) => {
          resume = go
        }
      }
      yield* Effect.forkScoped(feed(stalled))
      yield* TestClock.adjust(100)
      const lamp = yield* ref
      yield* Effect.repeatN(lamp.tell({ type: "ON", prompt: "" }), 14_999)
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* lamp.state).context.n, 1)
      assert.isBelow(records.length, 20)
      isStalled = false
      resume()
      yield* TestClock.adjust(1000)
      const lost = records.find((one) => one.kind === "lost")
      assert.isTrue(lost?.kind === "lost" && lost.count > 5000, JSON.stringify(lost))
    }).pipe(Effect.provide(ActorSystem.layer), quiet)
  )

  it.scoped("is nothing to the actors once nobody reads", () =>
    Effect.gen(function* () {
      const system = yield* ActorSystem
      yield* house
      const { sink } = reader()
      const feed = (yield* inspect)({ contents: false })
      const reading = yield* Effect.fork(feed(sink))
      yield* TestClock.adjust(100)
      assert.isTrue(system.watched())
      yield* Fiber.interrupt(reading)
      assert.isFalse(system.watched())
    }).pipe(Effect.provide(ActorSystem.layer), quiet)
  )

  it.scoped("is made once, however many read it, and tells each who comes later all that is", () =>
    Effect.gen(function* () {
      yield* street
      let fills = 0
      const counted = yield* makeInspect("hive-x", (trunk, options) =>
        Effect.zipRight(
          Effect.sync(() => fills++),
          watch({ ...options, daemon: "hive-x" }, trunk.put)
        )
      )
      const feed = counted({ contents: false })
      const readers = Array.from({ length: 100 }, reader)
      for (const { sink } of readers) yield* Effect.forkScoped(feed(sink))
      yield* TestClock.adjust(100)
      yield* (yield* ref).tell({ type: "ON", prompt: "" })
      yield* TestClock.adjust(200)
      const late = reader()
      yield* Effect.forkScoped(feed(late.sink))
      yield* TestClock.adjust(100)
      assert.strictEqual(fills, 1)
      for (const { records } of readers) assert.deepEqual(records, readers[0]?.records)
      assert.deepEqual(
        late.records.slice(0, 5).map((record) => [record.kind, "path" in record ? record.path : ""]),
        [
          ["trace", ""],
          ["daemon", ""],
          ["actor", "street"],
          ["actor", "house"],
          ["actor", "house/lamp"]
        ]
      )
      const states = late.records.flatMap((record) =>
        "snapshot" in record && "path" in record && record.path === "house/lamp" ? [record.snapshot?.value] : []
      )
      assert.strictEqual(states.at(-1), "on")
      assert.isTrue(late.records.some((record) => record.kind === "vitals" && record.path === "house/lamp"))
    }).pipe(Effect.provide(ActorSystem.layer), quiet)
  )

  it.scoped("gives a connection that takes nothing one piece, and none of it torn", () =>
    Effect.gen(function* () {
      const trunk = new Trunk("queen")
      const pieces: Array<string> = []
      const event = { type: "E", text: "🐝".repeat(100) }
      for (let n = 0; n < 5000; n++) trunk.put([{ kind: "daemon", at: n, daemon: `d${n}`, state: "up" }])
      yield* Effect.forkScoped(trunk.read({ write: (text) => (pieces.push(text), false), drain: () => undefined }))
      yield* Effect.forkScoped(trunk.pour)
      yield* TestClock.adjust(100)
      for (let n = 0; n < 1000; n++) trunk.put([{ kind: "event", at: n, daemon: "queen", path: "a", event }])
      yield* TestClock.adjust(1000)
      assert.strictEqual(pieces.length, 1)
      assert.isBelow(pieces[0]?.length ?? 0, 129 * 1024)
      assert.isTrue(pieces[0]?.endsWith("\n\n"))
    })
  )

  it.scoped("of a whole cluster drops the oldest when its reader is behind, and says how many", () =>
    Effect.gen(function* () {
      const trunk = new Trunk("queen")
      const { records, sink } = reader()
      yield* Effect.forkScoped(trunk.read(sink))
      yield* Effect.yieldNow()
      for (let n = 0; n < 20_000; n++)
        trunk.put([{ kind: "event", at: n, daemon: "queen", path: "a", event: { type: `E${n}` } }])
      yield* Effect.forkScoped(trunk.pour)
      yield* TestClock.adjust(10)
      const [lost] = records
      assert.isTrue(lost?.kind === "lost" && lost.count + records.length - 1 === 20_000)
      assert.deepInclude(records.at(-1), { event: { type: "E19999" } })
    })
  )

  it("keeps secrets back even from who asked for contents, and cuts what is large", () => {
    const value = {
      token: "abc",
      prompt: "hi",
      tokens: 3,
      list: Array.from({ length: 40 }, (_, n) => n),
      deep: { a: { b: { c: { d: 1 } } } }
    }
    assert.deepEqual(redact(value, { contents: true }), {
      token: "(3 characters)",
      prompt: "hi",
      tokens: 3,
      list: [...Array.from({ length: 16 }, (_, n) => n), "… 24 more"],
      deep: { a: { b: { c: "…" } } }
    })
  })
})
