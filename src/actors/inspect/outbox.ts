/** What waits for one reader: bounded, loses the oldest and counts them, poured out a batch at a time. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Sink } from "../../layers/api/endpoint.ts"
import { frame } from "../../layers/api/sse.ts"
import type { InspectRecord } from "../../machines/vocabulary/inspect.ts"
import { batchMs } from "./source.ts"

/** Records: some seconds of a large cluster, a few megabytes. */
const capacity = 8192

export class Outbox {
  private waiting: Array<string> = []
  private lost = 0
  private readonly daemon: string

  constructor(daemon: string) {
    this.daemon = daemon
  }

  put(records: ReadonlyArray<InspectRecord>): void {
    for (const data of records) this.putFrame(frame({ data }))
  }

  /** A record that is JSON already. */
  putText(json: string): void {
    this.putFrame(`data: ${json}\n\n`)
  }

  private putFrame(text: string): void {
    this.waiting.push(text)
    // a batch at a time: moving the rest down for each record would cost more than keeping a few too many
    if (this.waiting.length < capacity * 2) return
    this.waiting.splice(0, this.waiting.length - capacity)
    this.lost += capacity
  }

  /** Never ends. Waits while the reader is behind. */
  pour(sink: Sink): Effect.Effect<never> {
    const batch = Effect.gen(this, function* () {
      const { lost, waiting } = this
      if (waiting.length > 0) {
        this.waiting = []
        this.lost = 0
        const at = yield* Clock.currentTimeMillis
        const count = lost === 0 ? "" : frame({ data: { kind: "lost", at, daemon: this.daemon, count: lost } })
        if (!sink.write(count + waiting.join("")))
          yield* Effect.async<void>((resume) => sink.drain(() => resume(Effect.void)))
      }
      yield* Effect.sleep(batchMs)
    })
    return Effect.forever(batch)
  }
}
