/** The simulated network, where it must be as unkind as a real one, and as kind. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { endpoint } from "../../src/protocol/endpoint.ts"
import { Kernel } from "../../src/simulator/world/kernel/kernel.ts"
import { Links } from "../../src/simulator/world/network/links.ts"
import { Machine } from "../../src/simulator/world/machine.ts"
import { Network } from "../../src/simulator/world/network/network.ts"

const api = {
  ticks: endpoint("GET", "/ticks", {
    scope: "open",
    summary: "One a second",
    input: Schema.Struct({}),
    answers: { events: {} }
  })
}
const url = "http://m:1"

/** A process that reads a stream of another one, which notes when its reader has left. */
const streaming = () => {
  const kernel = new Kernel({ seed: 1 })
  const machine = new Machine(kernel, { name: "m", ramBytes: 1e9, gpus: [] }, 1)
  const network = new Network(kernel, new Links(kernel, { minMs: 1, maxMs: 1 }))
  const server = machine.spawn("server")
  const client = machine.spawn("client")
  let pieces = 0
  let leftAt: number | undefined
  const ticks = Effect.succeed((sink: { readonly write: (text: string) => boolean }) =>
    Effect.forever(
      Effect.zipRight(
        Effect.sleep(1000),
        Effect.sync(() => sink.write(": tick\n\n"))
      )
    ).pipe(Effect.onInterrupt(() => Effect.sync(() => (leftAt = kernel.now))))
  )
  server.fork(Effect.scoped(Effect.zipRight(network.listen(server, url, api, { ticks: () => ticks }), Effect.never)))
  const count = { write: () => ++pieces > 0, drain: (resume: () => void) => resume() }
  const reading = Effect.flatMap(network.connect(client, url, api).ticks({}), (feed) => feed(count))
  client.at(1, () => void client.fork(reading))
  return { kernel, client, pieces: () => pieces, leftAt: () => leftAt }
}

describe("The simulated network", () => {
  it("tells who writes a stream that its reader was killed, as an operating system does", () => {
    const { client, kernel, leftAt, pieces } = streaming()
    kernel.run(() => pieces() === 3, 60_000)
    expect(leftAt()).toBeUndefined()
    client.kill()
    const killedAt = kernel.now
    kernel.run(() => leftAt() !== undefined, 60_000)
    expect((leftAt() ?? Infinity) - killedAt).toBeLessThan(10)
  })

  it("tells nobody of a reader that is only stopped", () => {
    const { client, kernel, leftAt, pieces } = streaming()
    kernel.run(() => pieces() === 3, 60_000)
    client.stop()
    kernel.run(() => leftAt() !== undefined, 30_000)
    expect(leftAt()).toBeUndefined()
  })
})
