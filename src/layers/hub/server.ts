/** A hub of a folder, in a server of its own. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { WorkerKinds } from "../../machines/kinds/kind.ts"
import { takenReason, urlOf } from "../../machines/vocabulary/address.ts"
import { Kinds } from "../kinds/index.ts"
import { reposIn } from "./folder.ts"
import type { Hub, HubOptions } from "./index.ts"
import { hubRoutes } from "./routes.ts"

const listen = (options: HubOptions, kinds: WorkerKinds) =>
  Effect.async<
    { readonly port: number; readonly close: Effect.Effect<void> },
    RbeeError<"CONFLICT" | "INVALID_REQUEST">
  >((resume) => {
    const answer = hubRoutes(() => reposIn(options.folder, kinds))
    const server = createServer((request, response) => {
      if (options.before?.(request, response) !== true) answer(request.url ?? "/", request, response)
    })
    server.once("error", (error) => {
      const reason = "code" in error ? String(error.code) : "unknown"
      resume(
        Effect.fail(
          reason === takenReason
            ? rbeeError("CONFLICT", `port ${options.port} is taken`, "Choose another one with --port", { reason })
            : rbeeError("INVALID_REQUEST", `${options.host}:${options.port} cannot be used (${reason})`)
        )
      )
    })
    server.listen(options.port, options.host, () => {
      // listening on a port, so the address is one of these
      const { port } = server.address() as AddressInfo
      const close = Effect.async<void>((done) => {
        server.close(() => done(Effect.void))
        server.closeAllConnections()
      })
      resume(Effect.succeed({ port, close }))
    })
  })

/** Serves until its scope closes. */
export const serveHub = (
  options: HubOptions
): Effect.Effect<Hub, RbeeError<"CONFLICT" | "INVALID_REQUEST">, Scope.Scope> =>
  Effect.gen(function* () {
    const kinds = yield* Kinds
    const repos = yield* Effect.tryPromise({
      try: () => reposIn(options.folder, kinds),
      catch: () =>
        rbeeError("INVALID_REQUEST", `the folder ${options.folder} cannot be read`, "Name a folder of GGUF files")
    })
    const { port } = yield* Effect.acquireRelease(listen(options, kinds), ({ close }) => close)
    return { url: urlOf(options.host, port), port, repos }
  })
