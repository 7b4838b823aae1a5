/** All known hives: one actor each, under a supervisor that starts by re-reading the catalog. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { none as noFiber } from "effect/FiberId"
import type * as Scope from "effect/Scope"
import type { SnapshotFrom } from "xstate"
import { Call } from "../../../protocol/endpoint.ts"
import type { HiveRow } from "../../../layers/queen-catalog/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { hiveMachine } from "../../../machines/hive.ts"
import { hiveCached } from "../../../machines/narration.ts"
import type { Heartbeat } from "../../../machines/vocabulary/hive.ts"
import type { SshPlace } from "../../../machines/vocabulary/place.ts"
import { until } from "../../core/actor.ts"
import type { MachineActor } from "../../core/machine/machine-actor.ts"
import { type Supervisor, supervisor } from "../../core/supervision/supervisor.ts"
import { ActorSystem } from "../../core/system.ts"
import { hasOthers } from "../cluster/entries.ts"
import { canBeWoken, hive, type HiveWorld, leaveMs, type Waiter } from "./hive.ts"

export interface Caller extends Waiter {
  /** hears nothing where nothing has to be waited for */
  readonly isSilent?: boolean
}

export interface Hives {
  /**
   * Step 3: returns when the hive is awake and its capabilities are known. The caller hears the lines of 3A that are
   * said while it waits, or the one of 3B where nothing is to be waited for.
   */
  readonly ensure: (id: string, caller: Caller) => Effect.Effect<void, RbeeError>
  /** Makes a hive known. `url` is where it said that it is reached; `ssh` how the machine is, where that is another. */
  readonly add: (id: string, at?: Pick<HiveRow, "url" | "ssh" | "joined">) => Effect.Effect<void, RbeeError>
  /** As it was added; undefined: it is not known. */
  readonly rowOf: (id: string) => HiveRow | undefined
  /** Where a known hive is, if it is on another machine. */
  readonly placeOf: (id: string) => Effect.Effect<SshPlace | undefined, RbeeError>
  /** Forgets one that does not run. */
  readonly remove: (id: string) => Effect.Effect<void, RbeeError>
  /** A call to it failed: it is looked at now, before its beats are late. Returns when it is known how it is. */
  readonly suspect: (id: string) => Effect.Effect<void>
  /** It says that it ends: returns when that process is gone, or has had its time. */
  readonly left: (id: string) => Effect.Effect<void>
  readonly beat: (beat: Heartbeat) => Effect.Effect<void, RbeeError<"HIVE_NOT_FOUND" | "CONFLICT">>
  /** Stops it, gracefully and then by force; returns when it is gone, fails where that cannot be known. */
  readonly stop: (id: string) => Effect.Effect<void, RbeeError>
  /** The same, because nobody uses it any more: whoever asks for it meanwhile has it woken again. */
  readonly release: (id: string) => Effect.Effect<void, RbeeError>
  /** It can be started from here: the queen's own, or one over SSH. */
  readonly canBeWoken: (id: string) => boolean
  /** Its last stop was a release. */
  readonly isReleased: (id: string) => boolean
  /** hives that somebody waits for */
  readonly awaited: () => ReadonlyArray<string>
}

interface Known {
  readonly row: HiveRow
  readonly waiters: Set<Waiter>
  actor: MachineActor<typeof hiveMachine> | undefined
  /** comes true when the supervisor has started it for the first time */
  readonly started: Deferred.Deferred<void>
}

const isSame = (one: SshPlace | undefined, other: SshPlace): boolean =>
  one !== undefined &&
  (["host", "user", "port", "identity", "hive_port", "direct", "node"] as const).every(
    (field) => one[field] === other[field]
  )

const notFound = (id: string) =>
  rbeeError("HIVE_NOT_FOUND", `there is no hive ${id}`, "`rbee hives ls` lists them", { hive: id })

/** A hive that ends is looked at so often, milliseconds. */
const lookMs = 250

/** How often a caller starts anew when the actor of a hive died under it. */
const patience = 3

export const makeHives = (
  world: HiveWorld,
  path: string
): Effect.Effect<{ readonly hives: Hives } & Pick<Supervisor, "fiber">, RbeeError, ActorSystem | Scope.Scope> =>
  Effect.gen(function* () {
    const { view, catalog } = world
    const clock = yield* Effect.clock
    const known = new Map<string, Known>()
    /** hives whose last stop was a release */
    const released = new Set<string>()
    // Hives outlive the calls that wake them: no deadline or correlation id of such a call is theirs.
    const system = yield* ActorSystem
    const onItsOwn = <A, E>(effect: Effect.Effect<A, E, ActorSystem>): Effect.Effect<A, E> =>
      effect.pipe(
        Effect.provideService(Call, { correlationId: undefined, deadline: undefined }),
        Effect.provideService(ActorSystem, system)
      )

    const specOf = (row: HiveRow) => {
      const one: Known = { row, waiters: new Set(), actor: undefined, started: Deferred.unsafeMake(noFiber) }
      known.set(row.id, one)
      if (row.joined !== undefined) world.keys.joined(row.id, row.joined)
      return hive(world, row, one.waiters, `${path}/${row.id}`, (actor) => {
        one.actor = actor
        Deferred.unsafeDone(one.started, Effect.void)
      })
    }
    const rows = yield* catalog.hives.all
    const { ref: children, fiber } = yield* supervisor({
      path,
      children: [],
      // A queen that was away finds her hives again: each is looked for and claimed.
      dynamic: rows.map((row) => specOf(row)),
      intensity: 10,
      period: "10 seconds"
    }).pipe(Effect.catchTag("ChildStartFailed", (failure) => Effect.die(failure)))

    const find = (
      id: string
    ): Effect.Effect<Known & { readonly actor: MachineActor<typeof hiveMachine> }, RbeeError<"HIVE_NOT_FOUND">> =>
      Effect.gen(function* () {
        const one = known.get(id)
        if (one === undefined) return yield* notFound(id)
        yield* Deferred.await(one.started)
        return one.actor === undefined ? yield* notFound(id) : { ...one, actor: one.actor }
      })

    const add: Hives["add"] = (id, { joined, ssh, url } = {}) =>
      Effect.gen(function* () {
        const already = known.get(id)
        if (already !== undefined) {
          if (ssh === undefined || isSame(already.row.ssh, ssh)) return
          return yield* rbeeError(
            "CONFLICT",
            `there is a hive ${id} already, ${already.row.ssh === undefined ? "on this machine" : "at another place"}`,
            `Take another name, or forget it first: \`rbee hives rm ${id}\``
          )
        }
        const addedAt = yield* Clock.currentTimeMillis
        const row: HiveRow = {
          id,
          addedAt,
          ...(url === undefined ? {} : { url }),
          ...(ssh === undefined ? {} : { ssh }),
          ...(joined === undefined ? {} : { joined })
        }
        yield* onItsOwn(children.startChild(specOf(row))).pipe(
          // Two that add the same one at the same moment mean the same.
          Effect.catchTag("ChildExists", () => Effect.void),
          Effect.orDie
        )
        yield* catalog.hives.put(row)
      })

    const isFresh = (id: string, since: number, now: number): boolean => {
      const entry = view.hive(id)
      if (entry?.claimed === undefined || entry.devices === undefined) return false
      return entry.devicesAt >= since || now - entry.devicesAt < world.capabilitiesMs
    }

    const ensure = (id: string, caller: Caller, tries = patience): Effect.Effect<void, RbeeError> =>
      Effect.gen(function* () {
        const { actor, waiters } = yield* find(id)
        const clock = yield* Effect.clock
        const since = yield* Clock.currentTimeMillis
        let hasSpoken = false
        const waiter: Waiter = {
          session: caller.session,
          takeOver: caller.takeOver,
          narrate: (line, ids) => {
            hasSpoken = true
            caller.narrate(line, ids)
          }
        }
        const now = yield* actor.ref.state
        if (!now.matches("healthy") || !isFresh(id, since, since)) {
          const ticket = now.context.asked + 1
          const waits = Effect.gen(function* () {
            yield* actor.ref.tell({ type: "ENSURE" })
            if (now.matches("healthy")) yield* actor.ref.tell({ type: "REFRESH" })
            return yield* until(actor.ref, (state) => {
              if (state.context.asked < ticket) return false
              if (state.matches("failed") || state.matches("stopped")) return true
              return state.matches("healthy") && isFresh(id, since, clock.unsafeCurrentTimeMillis())
            })
          })
          const outcome = yield* Effect.either(
            Effect.acquireUseRelease(
              Effect.sync(() => waiters.add(waiter)),
              () => waits,
              () => Effect.sync(() => waiters.delete(waiter))
            )
          )
          if (outcome._tag === "Left") return yield* tries > 0 ? ensure(id, caller, tries - 1) : notFound(id)
          if (outcome.right.matches("stopped") && released.has(id) && tries > 0)
            return yield* ensure(id, caller, tries - 1)
          if (outcome.right.matches("stopped"))
            return yield* rbeeError("SHUTTING_DOWN", `hive ${id} was stopped`, "Run the command again to wake it")
          if (outcome.right.matches("failed"))
            return yield* (
              outcome.right.context.error ?? rbeeError("INTERNAL", `hive ${id} failed`, "See `rbee logs hive`")
            )
        }
        if (!hasSpoken && caller.isSilent !== true) caller.narrate(hiveCached(id), { hiveId: id })
      })

    /** What most beats are: of a healthy hive's claimed process. The view takes them over, and that is all. */
    const isUsual = (heartbeat: Heartbeat): boolean => {
      const entry = view.hive(heartbeat.hive_id)
      return (
        entry?.state === "healthy" &&
        entry.claimed?.instance === heartbeat.instance &&
        !hasOthers(entry, heartbeat.devices)
      )
    }
    const beat = (heartbeat: Heartbeat): Effect.Effect<void, RbeeError<"HIVE_NOT_FOUND" | "CONFLICT">> =>
      Effect.suspend(() => {
        if (!isUsual(heartbeat)) return unusualBeat(heartbeat)
        view.confirm(heartbeat, clock.unsafeCurrentTimeMillis())
        return Effect.void
      })
    const unusualBeat = (heartbeat: Heartbeat): Effect.Effect<void, RbeeError<"HIVE_NOT_FOUND" | "CONFLICT">> =>
      Effect.gen(function* () {
        const id = heartbeat.hive_id
        const { actor } = yield* find(id)
        const state = yield* actor.ref.state
        const claimed = view.hive(id)?.claimed
        // A beat may overtake the answer to the claim that it follows.
        const isExpected = claimed?.instance === heartbeat.instance || state.hasTag("waking")
        if (isExpected) {
          yield* actor.ref.latest("beat", { type: "BEAT", beat: heartbeat })
          const entry = view.hive(id)
          // a GPU was found after its runtime was installed, or a driver is gone
          if (state.matches("healthy") && entry !== undefined && hasOthers(entry, heartbeat.devices))
            yield* actor.ref.tell({ type: "REFRESH" })
          return
        }
        // It runs and nobody has claimed it, or another process took its place.
        // Failed is what it was to us: a machine that could not be reached may be back with its living workers.
        const { ended, error } = state.context
        if (state.matches("cold") || state.matches("failed")) yield* actor.ref.latest("look", { type: "ENSURE" })
        else if (!state.matches("stopped") || error !== undefined) yield* actor.ref.latest("look", { type: "SUSPECT" })
        // The last beats of a process that was stopped may come after its end.
        else if (heartbeat.instance !== ended) yield* actor.ref.latest("look", { type: "ATTACH" })
        return yield* rbeeError("CONFLICT", `this process of hive ${id} is not claimed by this queen`)
      })

    const stop: Hives["stop"] = (id) =>
      Effect.gen(function* () {
        const { actor } = yield* find(id)
        const ticket = (yield* actor.ref.state).context.told + 1
        yield* actor.ref.tell({ type: "STOP" })
        const { error } = (yield* Effect.catchAll(
          until(actor.ref, (state) => state.matches("stopped") && state.context.told >= ticket),
          () => notFound(id)
        )).context
        if (error !== undefined)
          return yield* rbeeError(
            "CONNECTION_TIMEOUT",
            `hive ${id} was told to stop and cannot be reached: ${error.what}`,
            "It is stopped as soon as this queen hears of it, and ends by itself when nobody uses it"
          )
      })

    const runs = (state: SnapshotFrom<typeof hiveMachine>) => state.matches("healthy") || state.matches("degraded")
    const suspect: Hives["suspect"] = (id) =>
      Effect.gen(function* () {
        const { actor } = yield* find(id)
        const { looked } = (yield* actor.ref.state).context
        yield* actor.ref.tell({ type: "SUSPECT" })
        yield* until(actor.ref, (state) => !runs(state) || state.context.looked > looked)
      }).pipe(Effect.ignore)

    const hives: Hives = {
      ensure,
      add,
      rowOf: (id) => known.get(id)?.row,
      placeOf: (id) =>
        Effect.suspend((): Effect.Effect<SshPlace | undefined, RbeeError> => {
          const one = known.get(id)
          return one === undefined ? notFound(id) : Effect.succeed(one.row.ssh)
        }),
      beat,
      suspect,
      left: (id) =>
        Effect.gen(function* () {
          const { actor } = yield* find(id)
          const { claimed } = (yield* actor.ref.state).context
          const gone = until(
            actor.ref,
            (state) => !runs(state) || state.context.claimed?.instance !== claimed?.instance
          )
          const looking = Effect.forever(Effect.zipRight(suspect(id), Effect.sleep(lookMs)))
          yield* Effect.timeoutOption(Effect.raceFirst(gone, looking), leaveMs)
        }).pipe(Effect.ignore),
      stop: (id) =>
        Effect.suspend(() => {
          released.delete(id)
          return stop(id)
        }),
      release: (id) =>
        Effect.suspend(() => {
          released.add(id)
          return stop(id)
        }),
      canBeWoken: (id) => {
        const row = known.get(id)?.row
        return row !== undefined && canBeWoken(row, world.localHive)
      },
      isReleased: (id) => released.has(id),
      awaited: () => [...known].flatMap(([id, { waiters }]) => (waiters.size > 0 ? [id] : [])),
      remove: (id) =>
        Effect.gen(function* () {
          const { actor } = yield* find(id)
          const state = yield* actor.ref.state
          if (!["cold", "stopped", "failed"].some((idle) => state.hasTag(idle as "cold" | "stopped" | "failed")))
            return yield* rbeeError("CONFLICT", `hive ${id} is running`, `Stop it first: \`rbee hives stop ${id}\``)
          yield* children.stopChild(id)
          known.delete(id)
          world.keys.forget(id)
          view.removeHive(id)
          yield* catalog.hives.remove(id)
        })
    }
    return { hives, fiber }
  })
