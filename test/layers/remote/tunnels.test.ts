/** HTTP through a tunnel, to a server behind a real sshd. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { afterEach, assert, describe, it } from "vitest"
import * as Schema from "effect/Schema"
import { endpoint } from "../../../src/protocol/endpoint.ts"
import { makeHttpClient } from "../../../src/layers/transport/http/client/client.ts"
import { HiveKeys } from "../../../src/layers/keys/index.ts"
import { homeOf } from "../../../src/layers/paths/index.ts"
import { DirectListener } from "../../../src/layers/remote/direct-listener.ts"
import { layerTunnels, Tunnels } from "../../../src/layers/remote/tunnels.ts"
import { CurrentSettings } from "../../../src/layers/settings/index.ts"
import { defaults } from "../../../src/layers/settings/defaults.ts"
import { layerSsh2 } from "../../../src/layers/ssh/ssh2.ts"
import { farUrl } from "../../../src/machines/vocabulary/place.ts"
import { hasSshd } from "../../support/remote.ts"
import { useRemotes } from "../../support/remotes.ts"
import { HiveId } from "../../../src/machines/vocabulary/ids.ts"

const remote = useRemotes()
const ends: Array<() => void> = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

const nothing = Schema.Struct({})
const api = {
  ask: endpoint("GET", "/ask", { scope: "open", summary: "", input: nothing, answers: { json: { 200: nothing } } })
}

describe.skipIf(!hasSshd)("A tunnel", () => {
  it("is asked through one connection as often as one likes, and nothing gathers on it", async () => {
    const there = await remote()
    let connections = 0
    const server = createServer((_, response) => void response.setHeader("content-type", "application/json").end("{}"))
    server.on("connection", () => void connections++)
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    ends.push(() => void server.close().closeAllConnections())
    // listening on a port
    const { port } = server.address() as AddressInfo
    const warnings: Array<string> = []
    const heard = (warning: Error) => void warnings.push(warning.name)
    process.on("warning", heard)
    ends.push(() => void process.off("warning", heard))

    const home = homeOf({ RBEE_HOME: there.home }, there.home)
    const queen = { ...defaults.queen, sshConfig: there.config }
    const settings = Layer.succeed(CurrentSettings, { ...defaults, home, version: "0.0.0", queen })
    const asked = Effect.gen(function* () {
      const tunnels = yield* Tunnels
      yield* tunnels.of(HiveId.make("remote"), { host: "remote", hive_port: port })
      const url = farUrl({ hive: HiveId.make("remote"), port })
      const client = makeHttpClient(api, { baseUrl: url, way: tunnels.way(url) })
      yield* Effect.repeatN(client.ask({}), 30)
    })
    const nobody = Layer.succeed(DirectListener, { channel: () => Effect.succeed(() => {}), open: () => Effect.never })
    const world = Layer.provide(
      layerTunnels,
      Layer.mergeAll(HiveKeys.layer, nobody, Layer.provideMerge(layerSsh2, settings))
    )
    await Effect.runPromise(asked.pipe(Effect.provide(world), Effect.provide(Logger.remove(Logger.defaultLogger))))
    assert.strictEqual(connections, 1)
    assert.deepEqual(warnings, [])
  })
})
