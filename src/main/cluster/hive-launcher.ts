/** A hive in this process, for `--one-process` and for tests: the same hive actor, without a port and a process. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { type HivePorts, makeHive } from "../../actors/hive/hive.ts"
import { rbeeError } from "../../machines/errors.ts"
import { InProcessNetwork, inProcessUrl } from "../../layers/transport/in-process/network.ts"
import { hiveApi } from "../../protocol/hive.ts"
import { HiveLauncher } from "../../layers/hive-launcher/index.ts"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

/** Hives live in the scope of the layer: like daemons they outlive the queen that woke them. */
export const layerInProcess: Layer.Layer<HiveLauncher, never, HivePorts | InProcessNetwork> = Layer.scoped(
  HiveLauncher,
  Effect.gen(function* () {
    const network = yield* InProcessNetwork
    const ports = yield* Effect.context<HivePorts>()
    const layerScope = yield* Effect.scope
    const living = new Map<string, Scope.CloseableScope>()
    const urlOf = (id: HiveId) => inProcessUrl("hive", id)

    const start = (id: HiveId, scope: Scope.CloseableScope) =>
      Effect.gen(function* () {
        const hive = yield* makeHive
        yield* network.listen(urlOf(id), hiveApi, hive.api)
        yield* hive.listening(urlOf(id))
        const end = Effect.suspend(() => {
          if (living.get(id) === scope) living.delete(id)
          return Scope.close(scope, Exit.void)
        })
        // a hive that ended leaves; not as a fiber of the scope that it closes
        yield* Effect.forkIn(Effect.ensuring(Effect.exit(hive.ended), end), layerScope)
      }).pipe(Effect.provide(ports), Scope.extend(scope))

    return {
      target: (id) => ({ id, at: id, port: 0 }),
      find: ({ id }) => Effect.sync(() => (living.has(id) ? urlOf(id) : undefined)),
      present: ({ id }) => Effect.sync(() => living.has(id)),
      wake: ({ id }) =>
        Effect.gen(function* () {
          if (living.has(id)) return { url: urlOf(id), woken: false }
          const scope = yield* Scope.fork(layerScope, { _tag: "Sequential" })
          yield* start(id, scope).pipe(Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))))
          living.set(id, scope)
          return { url: urlOf(id), woken: true }
        }).pipe(
          Effect.mapError((error) =>
            rbeeError("INTERNAL", `hive ${id} did not start: ${"message" in error ? error.message : String(error)}`)
          )
        ),
      kill: ({ id }) =>
        Effect.suspend(() => {
          const scope = living.get(id)
          living.delete(id)
          return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
        }),
      reachable: () => Effect.succeed(true),
      letGo: () => Effect.void
    }
  })
)
