/**
 * One daemon's stream for inspectors (`/inspect/events`): every living actor first, then what happens. It is off the hot
 * path: actors hand a record over only while somebody watches, to a bounded buffer that loses the oldest; they are made
 * into text here, a batch at a time. A reader that stalls costs its buffer and nothing else; what it lost is counted.
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { InspectRecord } from "../../machines/vocabulary/inspect.ts"
import { ActorSystem } from "../core/system.ts"
import { actorRecord, childrenOf, recordOf } from "./record.ts"
import type { RedactOptions } from "./redact.ts"
import { batchMs } from "./trunk.ts"

export interface SourceOptions extends RedactOptions {
  /** `queen`, `hive-localhost` */
  readonly daemon: string
}

export type Records = ReadonlyArray<InspectRecord>

/** What a reader gets first: a header, and every living actor. */
export const present = (options: SourceOptions): Effect.Effect<Records, never, ActorSystem> =>
  Effect.gen(function* () {
    const system = yield* ActorSystem
    const at = yield* Clock.currentTimeMillis
    const { daemon } = options
    const actors = yield* Effect.forEach(yield* system.list(), (entry) =>
      Effect.map(entry.ref.state, (state) => actorRecord(entry, state, daemon, at, options))
    )
    const vitals = yield* new Pulse(options).of((yield* system.list()).map(({ path }) => path))
    return [
      { kind: "trace", version: 1, source: "cluster", at },
      { kind: "daemon", at, daemon, state: "up" },
      ...actors,
      ...vitals
    ]
  })

/** Gives batches of records to `take`, from the present on, until interrupted. */
export const watch = (
  options: SourceOptions,
  take: (records: Records) => void
): Effect.Effect<void, never, ActorSystem> =>
  Effect.gen(function* () {
    const system = yield* ActorSystem
    const pulse = new Pulse(options)
    // before the present is told, so that nothing falls between it and what follows
    const box = yield* system.subscribe
    let next = system.nextSeq()
    take(yield* present(options))
    const batch = Effect.gen(function* () {
      const [chunk] = yield* box.takeAll
      const seen = Chunk.toReadonlyArray(chunk)
      const [first] = seen
      if (first === undefined) return
      const count = first.seq - next
      next = first.seq + seen.length
      const lost: Records = count > 0 ? [{ kind: "lost", at: first.atMs, daemon: options.daemon, count }] : []
      const records = seen.map((one) => recordOf(one, options.daemon, options))
      const vitals = yield* pulse.of(new Set(seen.map(({ path }) => path)))
      take([...lost, ...records, ...vitals])
      yield* Effect.sleep(batchMs)
    })
    return yield* Effect.forever(batch)
  }).pipe(Effect.scoped)

/** Tells what changed about actors without a transition, once a batch. */
class Pulse {
  private readonly options: SourceOptions
  private readonly told = new Map<string, string>()

  constructor(options: SourceOptions) {
    this.options = options
  }

  of(paths: Iterable<string>): Effect.Effect<Records, never, ActorSystem> {
    return Effect.gen(this, function* () {
      const system = yield* ActorSystem
      const at = yield* Clock.currentTimeMillis
      const records: Array<InspectRecord> = []
      for (const path of paths) {
        const found = yield* system.lookup(path)
        if (found._tag === "None") {
          this.told.delete(path)
          continue
        }
        const entry = found.value
        const children = entry.kind === "supervisor" ? { children: childrenOf(yield* entry.ref.state) } : {}
        const vitals = { ...entry.vitals(at), ...children }
        const text = JSON.stringify(vitals)
        if (this.told.get(path) === text) continue
        this.told.set(path, text)
        records.push({ kind: "vitals", at, daemon: this.options.daemon, path, ...vitals })
      }
      return records
    })
  }
}
