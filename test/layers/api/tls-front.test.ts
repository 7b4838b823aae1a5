/** TLS before the server: certificates are replaced while it runs. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect } from "node:tls"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { tlsFront } from "../../../src/layers/transport/http/tls-front.ts"
import { certificate } from "../../support/certificate.ts"
import { eventually } from "../../support/machine.ts"

/** Whose certificate is shown at this port. */
const shownAt = (port: number) =>
  new Promise<string>((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.on("error", reject)
  })

it.scopedLive("a certificate that was renewed is shown by a server that runs on, and half a pair is not taken", () =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "rbee-tls-"))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true }))
    )
    const [old, fresh] = [certificate(folder, "old"), certificate(folder, "fresh")]
    const files = { cert: join(folder, "used.pem"), key: join(folder, "used.key") }
    copyFileSync(old.cert, files.cert)
    copyFileSync(old.key, files.key)
    const front = yield* tlsFront(createServer(), files, 20)
    yield* Effect.acquireRelease(
      Effect.promise(() => new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve))),
      () => Effect.sync(() => front.close())
    )
    const { port } = front.address() as AddressInfo
    const shows = (name: string) =>
      Effect.promise(() => eventually(async () => (await shownAt(port)) === name, `${name} is shown`))
    yield* shows("old")
    writeFileSync(files.cert, "torn")
    copyFileSync(fresh.key, files.key)
    yield* shows("old")
    copyFileSync(fresh.cert, files.cert)
    yield* shows("fresh")
    assert.strictEqual(yield* Effect.promise(() => shownAt(port)), "fresh")
  })
)
