/** All known hives: one actor each, under a supervisor that starts by re-reading the catalog. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { none as noFiber } from "effect/FiberId"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Call } from "../../../protocol/endpoint.ts"
import { HiveLauncher } from "../../../layers/hive-launcher/index.ts"
import { HiveKeys } from "../../../layers/keys/index.ts"
import { type CatalogError, type HiveRow, QueenCatalog } from "../../../layers/queen-catalog/index.ts"
import { CurrentSettings } from "../../../layers/settings/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { invariant } from "../../../machines/invariant.ts"
import type { Heartbeat } from "../../../machines/vocabulary/hive.ts"
import type { Power, SshPlace } from "../../../machines/vocabulary/place.ts"
import type { ChildSpec } from "../../core/supervision/child.ts"
import { type Supervisor, supervisor, type SupervisorRef } from "../../core/supervision/supervisor.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import { mayRest } from "./asleep/suspending.ts"
import { isUsual, tellOfBeat } from "./beats.ts"
import { knowFiles } from "./capabilities.ts"
import { asOwner, asSleeper, storing } from "./claiming.ts"
import { type Caller, ensure, isAwake, type NotWoken } from "./ensuring.ts"
import { type HiveActor, type HivePorts, startHive } from "./hive.ts"
import { type KnownHive, notFound, type Running } from "./known-hive.ts"
import { type NotStopped, stopAndWait, suspect, untilLeft } from "./watching.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"

interface HivesCalls {
  /** For the queen's tree: their supervisor, which begins with what the catalog has. */
  readonly supervised: Effect.Effect<Supervisor, RbeeError, HivePorts | Scope.Scope>
  /**
   * Step 3: returns when the hive is awake and its capabilities are known. The caller hears the lines of 3A that are
   * said while it waits, or the one of 3B where nothing is to be waited for.
   */
  readonly ensure: (id: HiveId, caller: Caller) => Effect.Effect<void, NotWoken>
  /** `ensure` would not wait for anything. */
  readonly isAwake: (id: HiveId) => boolean
  /** Makes a hive known. `url` is where it said that it is reached; `ssh` how the machine is, where that is another. */
  readonly add: (
    id: HiveId,
    at?: Pick<HiveRow, "url" | "ssh" | "joined" | "power">
  ) => Effect.Effect<void, RbeeError<"CONFLICT"> | CatalogError>
  /** As it was added; undefined: it is not known. */
  readonly rowOf: (id: HiveId) => HiveRow | undefined
  /** Where a known hive is, if it is on another machine. */
  readonly placeOf: (id: HiveId) => Effect.Effect<SshPlace | undefined, RbeeError<"HIVE_NOT_FOUND">>
  /** Forgets one that does not run. */
  readonly remove: (id: HiveId) => Effect.Effect<void, RbeeError<"HIVE_NOT_FOUND" | "CONFLICT"> | CatalogError>
  /** A call to it failed: it is looked at now, before its beats are late. Returns when it is known how it is. */
  readonly suspect: (id: HiveId) => Effect.Effect<void>
  /** It says that it ends: returns when that process is gone, or has had its time. */
  readonly left: (id: HiveId) => Effect.Effect<void>
  readonly beat: (beat: Heartbeat) => Effect.Effect<void, RbeeError<"HIVE_NOT_FOUND" | "CONFLICT">>
  /** Stops it, gracefully and then by force; returns when it is gone, fails where that cannot be known. */
  readonly stop: (id: HiveId) => Effect.Effect<void, NotStopped>
  /** The same, because nobody uses it any more: whoever asks for it meanwhile has it woken again. */
  readonly release: (id: HiveId) => Effect.Effect<void, NotStopped>
  /** It can be started from here: the queen's own, or one over SSH. */
  readonly canBeWoken: (id: HiveId) => boolean
  /** Its last stop was a release. */
  readonly isReleased: (id: HiveId) => boolean
  /** hives that somebody waits for */
  readonly awaited: () => ReadonlyArray<HiveId>
}

export class Hives extends Context.Tag("rbee/queen/Hives")<Hives, HivesCalls>() {
  static readonly layer = Layer.suspend(() =>
    Layer.effect(
      Hives,
      Effect.map(Effect.context<HivePorts | HiveKeys>(), (context) => new KnownHives(context))
    )
  )
}

interface Member extends KnownHive {
  /** undefined: it has not been started yet */
  actor: HiveActor | undefined
  /** comes true when the supervisor has started it for the first time */
  readonly started: Deferred.Deferred<void>
}

const hivesPath = "queen/hives"

/** How often a caller starts anew when the actor of a hive died under it. */
const patience = 3

/** Nothing of it runs that this queen knows of. */
const removable = ["cold", "asleep", "stopped", "failed"] as const

class KnownHives implements HivesCalls {
  private readonly context: Context.Context<HivePorts | HiveKeys>
  private known = new Map<HiveId, Member>()
  /** hives whose last stop was a release */
  private released = new Set<HiveId>()
  private children: SupervisorRef | undefined

  constructor(context: Context.Context<HivePorts | HiveKeys>) {
    this.context = context
  }

  get supervised() {
    return Effect.gen(this, function* () {
      this.known = new Map()
      this.released = new Set()
      const rows = yield* this.the(QueenCatalog).hives.all
      const made = yield* supervisor({
        path: hivesPath,
        children: [],
        // A queen that was away finds her hives again: each is looked for and claimed.
        dynamic: rows.map((row) => this.enter(row)),
        intensity: 10,
        period: "10 seconds"
      }).pipe(Effect.catchTag("ChildStartFailed", (failure) => Effect.die(failure)))
      this.children = made.ref
      return made
    })
  }

  private the<I extends HivePorts | HiveKeys, S>(tag: Context.Tag<I, S>): S {
    return Context.get(this.context, tag)
  }

  private enter(row: HiveRow): ChildSpec<HivePorts, HiveActor> {
    const { id, joined, ssh } = row
    const one: Member = {
      row,
      target: this.the(HiveLauncher).target(id, ssh),
      isWakeable: id === this.the(CurrentSettings).hive.id || ssh !== undefined,
      entry: this.the(Cluster).addHive(id, ssh),
      waiters: new Set(),
      last: {},
      wasUsed: false,
      triedSleepAt: Number.NEGATIVE_INFINITY,
      actor: undefined,
      started: Deferred.unsafeMake(noFiber)
    }
    this.known.set(id, one)
    if (joined !== undefined) this.the(HiveKeys).joined(id, joined)
    const start = Effect.tap(startHive(one, `${hivesPath}/${id}`), (actor) => {
      one.actor = actor
      return Deferred.succeed(one.started, undefined)
    })
    return { id, restart: "transient", start }
  }

  private find(id: HiveId): Effect.Effect<Running, RbeeError<"HIVE_NOT_FOUND">> {
    return Effect.gen(this, function* () {
      const one = this.known.get(id)
      if (one === undefined) return yield* notFound(id)
      yield* Deferred.await(one.started)
      return one.actor === undefined ? yield* notFound(id) : { hive: one, actor: one.actor }
    })
  }

  rowOf(id: HiveId): HiveRow | undefined {
    return this.known.get(id)?.row
  }

  placeOf(id: HiveId): Effect.Effect<SshPlace | undefined, RbeeError<"HIVE_NOT_FOUND">> {
    return Effect.suspend((): Effect.Effect<SshPlace | undefined, RbeeError<"HIVE_NOT_FOUND">> => {
      const row = this.rowOf(id)
      return row === undefined ? notFound(id) : Effect.succeed(row.ssh)
    })
  }

  add(id: HiveId, at: Parameters<HivesCalls["add"]>[1] = {}): ReturnType<HivesCalls["add"]> {
    return Effect.gen(this, function* () {
      const { joined, power, ssh, url } = at
      const already = this.known.get(id)
      if (already !== undefined) {
        if (ssh !== undefined && !isSame(already.row.ssh, ssh)) return yield* isElsewhere(already.row)
        return power === undefined ? undefined : yield* this.setPower(already, power)
      }
      const row: HiveRow = {
        id,
        addedAt: yield* Clock.currentTimeMillis,
        ...(url === undefined ? {} : { url }),
        ...(ssh === undefined ? {} : { ssh }),
        ...(joined === undefined ? {} : { joined }),
        ...(power === undefined ? {} : { power })
      }
      yield* this.begin(row)
      yield* this.the(QueenCatalog).hives.put(row)
    })
  }

  /** A hive that runs is told; one that does not answer is when it is claimed again. */
  private setPower(one: Member, power: Power): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      one.row = { ...one.row, power }
      yield* yield* storing(one)
      const owner = yield* asOwner
      const api = one.entry.claimed?.api
      if (api !== undefined) yield* Effect.ignore(api.claim({ ...owner, ...asSleeper(one.row) }))
    }).pipe(Effect.provide(this.context))
  }

  private begin(row: HiveRow): Effect.Effect<void> {
    const { children } = this
    invariant(children !== undefined, "a hive is added before the hives are up")
    return children.startChild(this.enter(row)).pipe(
      // Hives outlive the calls that wake them: no deadline or correlation id of such a call is theirs.
      Effect.provideService(Call, { correlationId: undefined, deadline: undefined }),
      Effect.provide(this.context),
      // Two that add the same one at the same moment mean the same.
      Effect.catchTag("ChildExists", () => Effect.void),
      Effect.orDie
    )
  }

  remove(id: HiveId): ReturnType<HivesCalls["remove"]> {
    return Effect.gen(this, function* () {
      const { actor } = yield* this.find(id)
      const state = yield* actor.ref.state
      if (!removable.some((tag) => state.hasTag(tag)))
        return yield* rbeeError("CONFLICT", `hive ${id} is running`, `Stop it first: \`rbee hives stop ${id}\``)
      yield* this.children?.stopChild(id) ?? Effect.void
      this.known.delete(id)
      this.the(HiveKeys).forget(id)
      this.the(Cluster).removeHive(id)
      yield* this.the(QueenCatalog).hives.remove(id)
    })
  }

  /** A caller starts anew when the actor of a hive died under it, or when it was released meanwhile. */
  ensure(id: HiveId, caller: Caller, tries = patience): Effect.Effect<void, NotWoken> {
    return Effect.gen(this, function* () {
      const found = yield* this.find(id)
      const { capabilitiesMs } = this.the(CurrentSettings).queen
      const outcome = yield* ensure(found, caller, capabilitiesMs, () => this.the(Cluster).fleet.hiveCount)
      if (outcome === "awake") return
      const isAnother = outcome === "died" || this.released.has(id)
      if (isAnother && tries > 0) return yield* this.ensure(id, caller, tries - 1)
      if (outcome === "died") return yield* notFound(id)
      return yield* rbeeError("SHUTTING_DOWN", `hive ${id} was stopped`, "Run the command again to wake it")
    })
  }

  isAwake(id: HiveId): boolean {
    const view = this.the(Cluster)
    const entry = view.hive(id)
    return entry !== undefined && isAwake(entry, view.now(), this.the(CurrentSettings).queen.capabilitiesMs)
  }

  suspect(id: HiveId): Effect.Effect<void> {
    return Effect.ignore(Effect.flatMap(this.find(id), suspect))
  }

  left(id: HiveId): Effect.Effect<void> {
    return Effect.ignore(Effect.flatMap(this.find(id), untilLeft))
  }

  beat(beat: Heartbeat): Effect.Effect<void, RbeeError<"HIVE_NOT_FOUND" | "CONFLICT">> {
    return Effect.suspend(() => {
      const view = this.the(Cluster)
      const before = view.hive(beat.hive_id)?.models
      view.confirm(beat)
      const entry = view.hive(beat.hive_id)
      if (isUsual(entry, beat)) {
        const isOther = before !== undefined && before !== beat.models
        const url = entry?.claimed?.url
        return isOther && url !== undefined
          ? Effect.zipRight(this.learn(beat.hive_id, url), this.rest(beat))
          : this.rest(beat)
      }
      return Effect.flatMap(this.find(beat.hive_id), (found) => tellOfBeat(found, beat))
    })
  }

  /** It has more models or fewer than at its last beat: which. */
  private learn(id: HiveId, url: string): Effect.Effect<void> {
    return knowFiles(id, url).pipe(
      Effect.provideService(Call, { correlationId: undefined, deadline: undefined }),
      Effect.provide(this.context),
      Effect.forkDaemon,
      Effect.asVoid
    )
  }

  /** One that nobody has wanted for its time may sleep. */
  private rest(beat: Heartbeat): Effect.Effect<void> {
    const one = this.known.get(beat.hive_id)
    if (one?.actor === undefined || !mayRest(one, beat, this.the(Cluster).now())) return Effect.void
    return one.actor.ref.latest("rest", { type: "REST" })
  }

  stop(id: HiveId): Effect.Effect<void, NotStopped> {
    return Effect.suspend(() => {
      this.released.delete(id)
      return Effect.flatMap(this.find(id), stopAndWait)
    })
  }

  release(id: HiveId): Effect.Effect<void, NotStopped> {
    return Effect.suspend(() => {
      this.released.add(id)
      return Effect.flatMap(this.find(id), stopAndWait)
    })
  }

  canBeWoken(id: HiveId): boolean {
    return this.known.get(id)?.isWakeable === true
  }

  isReleased(id: HiveId): boolean {
    return this.released.has(id)
  }

  awaited(): ReadonlyArray<HiveId> {
    return [...this.known].flatMap(([id, { waiters }]) => (waiters.size > 0 ? [id] : []))
  }
}

const isElsewhere = ({ id, ssh }: HiveRow) =>
  rbeeError(
    "CONFLICT",
    `there is a hive ${id} already, ${ssh === undefined ? "on this machine" : "at another place"}`,
    `Take another name, or forget it first: \`rbee hives rm ${id}\``
  )

const isSame = (one: SshPlace | undefined, other: SshPlace): boolean =>
  one !== undefined &&
  (["host", "user", "port", "identity", "hive_port", "direct", "node"] as const).every(
    (field) => one[field] === other[field]
  )
