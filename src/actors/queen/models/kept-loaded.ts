/**
 * Entries with `keep_loaded`: while a hive is awake each has a worker that stays. Looked at after changes of the cluster,
 * at most so often; what cannot be loaded is tried again later and later, and says why meanwhile.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { Entries, Entry } from "../../../machines/entries/entries.ts"
import { dueAt, type Tried } from "../../../machines/entries/kept.ts"
import type { RbeeError } from "../../../machines/errors.ts"
import { fact } from "../../../machines/facts.ts"
import { setupOf } from "../../../machines/policy/memory/setup.ts"
import { fittingResidents, type PlacementRequest } from "../../../machines/policy/placement/placement.ts"
import { deviceNamed, type ModelRef } from "../../../machines/vocabulary/ids.ts"
import { type JobRequest, loadingJob } from "../../../machines/vocabulary/job.ts"
import type { KeptModel, Purpose } from "../../../machines/vocabulary/model.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"

/** What the entry is asked as, its model by reference. */
type Asked = JobRequest & { readonly model: ModelRef }

interface World {
  readonly view: ClusterView
  readonly entries: Effect.Effect<Entries>
  readonly settled: (request: JobRequest) => Effect.Effect<Asked, RbeeError>
  /** Returns when it is loaded. */
  readonly load: (asked: Asked) => Effect.Effect<void, RbeeError>
}

export interface KeptLoaded {
  readonly kept: Effect.Effect<ReadonlyArray<KeptModel>>
  /** Somebody has stopped a worker by hand: its model is not loaded again until it is asked. */
  readonly letGo: (model: ModelRef) => void
}

/** milliseconds between two looks */
const lookEvery = 2000

const requestOf = (asked: Asked): PlacementRequest => {
  const setup = setupOf(asked)
  return {
    model: asked.model,
    hive: asked.hive,
    device: asked.device === undefined ? undefined : deviceNamed(asked.device),
    allowCpu: true,
    context: asked.context,
    ...(setup === undefined ? {} : { setup }),
    alone: false
  }
}

const measuredFor: Readonly<Record<Purpose, Omit<JobRequest, "model"> | undefined>> = {
  chat: undefined,
  embeddings: { embed: ["."] },
  reranking: { rerank: { query: ".", documents: ["."] } }
}

const stoppedByHand = "it was stopped by hand; the next request loads it"

class Keeper {
  private readonly tried = new Map<string, Tried>()
  private readonly loading = new Set<string>()
  /** by name: what was loaded when it was last looked at */
  private readonly loaded = new Map<string, ModelRef>()
  /** names of those that were loaded, and stopped by hand */
  private readonly letGo = new Set<string>()
  private readonly world: World
  private readonly fork: (effect: Effect.Effect<void>) => unknown

  constructor(world: World, fork: (effect: Effect.Effect<void>) => unknown) {
    this.world = world
    this.fork = fork
  }

  readonly stopped = (model: ModelRef): void => {
    for (const [name, own] of this.loaded) if (own === model) this.letGo.add(name)
  }

  readonly look: Effect.Effect<void> = Effect.suspend(() =>
    Effect.flatMap(this.wanted, (wanted) => {
      for (const known of [this.tried, this.loaded, this.letGo])
        for (const name of known.keys()) if (!wanted.some((entry) => entry.name === name)) known.delete(name)
      return Effect.forEach(wanted, (entry) => this.lookAt(entry), { discard: true })
    })
  )

  readonly kept: Effect.Effect<ReadonlyArray<KeptModel>> = Effect.suspend(() =>
    Effect.flatMap(this.wanted, (wanted) => Effect.forEach(wanted, (entry) => this.shown(entry)))
  )

  private get wanted(): Effect.Effect<ReadonlyArray<Entry>> {
    return Effect.map(this.world.entries, ({ all }) => all.filter(({ keep_loaded }) => keep_loaded === true))
  }

  private asked({ name }: Entry) {
    return Effect.either(this.world.settled({ ...loadingJob({}), model: name }))
  }

  private isLoaded(asked: Asked, name: string): boolean {
    const { fleet } = this.world.view
    if (fittingResidents(requestOf(asked), fleet).some(({ isPinned }) => isPinned)) return true
    // as near as the model or its device let it come to what is asked for
    const last = this.tried.get(name)
    return last !== undefined && last.why === undefined && fleet.residentsOf(asked.model).some((one) => one.isPinned)
  }

  private lookAt(entry: Entry): Effect.Effect<void> {
    const { view } = this.world
    const { name } = entry
    if (this.loading.has(name) || view.fleet.size === 0) return Effect.void
    const around = this.around(entry)
    const last = this.tried.get(name)
    const isDue = dueAt(last, around) <= view.now()
    // where it was found once, it is only looked whether it is still there
    return Effect.map(this.asked(entry), (asked) => {
      if (asked._tag === "Left") {
        if (isDue) this.note(name, last, asked.left.what, around)
        return
      }
      const { model } = asked.right
      if (this.isLoaded(asked.right, name)) {
        this.loaded.set(name, model)
        this.letGo.delete(name)
        if (last?.why !== undefined) this.tried.delete(name)
        return
      }
      if (!isDue || this.letGo.has(name)) return
      const at = asked.right.hive ?? asked.right.prefer?.hive
      if (at !== undefined && view.hive(at)?.state === "asleep") {
        this.note(name, last, `the machine of hive ${at} sleeps; a request wakes it`, around)
        return
      }
      this.loading.add(name)
      this.fork(this.load(entry, asked.right, last))
    })
  }

  private load(entry: Entry, asked: Asked, last: Tried | undefined): Effect.Effect<void> {
    const { name } = entry
    return this.world.load(asked).pipe(
      Effect.catchAll((error) => this.loadMeasuring(entry, error)),
      Effect.matchEffect({
        onFailure: (error) =>
          Effect.zipRight(
            Effect.logWarning(`${name} is to be kept loaded, and is not: ${error.message}`),
            Effect.sync(() => this.note(name, last, error.what, this.around(entry)))
          ),
        onSuccess: () => Effect.sync(() => this.note(name, last, undefined, this.around(entry)))
      }),
      Effect.ensuring(Effect.sync(() => this.loading.delete(name)))
    )
  }

  /** A model that writes nothing is asked what it is for. */
  private loadMeasuring({ name }: Entry, error: RbeeError): Effect.Effect<void, RbeeError> {
    const measured = measuredFor[fact(error, "purpose") ?? "chat"]
    return measured === undefined
      ? error
      : Effect.flatMap(
          this.world.settled({ ...measured, model: name, stream: false, keep_warm: true }),
          this.world.load
        )
  }

  private note(name: string, last: Tried | undefined, why: string | undefined, around: string): void {
    this.tried.set(name, { tries: (last?.tries ?? 0) + 1, at: this.world.view.now(), why, around })
  }

  /** What another try depends on. */
  private around(entry: Entry): string {
    const { view } = this.world
    const devices = view.fleet.devices().map(({ isDegraded, key }) => `${key}${isDegraded ? "-" : ""}`)
    const workers = view.fleet.allResidents().map(({ worker }) => worker)
    return JSON.stringify([entry, devices, workers.toSorted()])
  }

  private shown(entry: Entry): Effect.Effect<KeptModel> {
    const { name } = entry
    return Effect.map(this.asked(entry), (asked): KeptModel => {
      if (asked._tag === "Left") return { name, state: "waiting", why: asked.left.what }
      const { model } = asked.right
      if (this.isLoaded(asked.right, name)) return { name, model_ref: model, state: "loaded" }
      if (this.loading.has(name)) return { name, model_ref: model, state: "loading" }
      const last = this.tried.get(name)?.why
      const why = this.letGo.has(name)
        ? stoppedByHand
        : this.world.view.fleet.size === 0
          ? "no hive is awake"
          : (last ?? "it will be loaded in a moment")
      return { name, model_ref: model, state: "waiting", why }
    })
  }
}

export const keepLoaded = (world: World): Effect.Effect<KeptLoaded, never, Scope.Scope> =>
  Effect.gen(function* () {
    const fork = yield* FiberSet.makeRuntime<never>()
    const keeper = new Keeper(world, fork)
    const changes = yield* Queue.sliding<void>(1)
    let next = 0
    world.view.onChange(() => {
      const now = world.view.now()
      if (now < next) return
      next = now + lookEvery
      Queue.unsafeOffer(changes, undefined)
    })
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Queue.take(changes), keeper.look)))
    return { kept: keeper.kept, letGo: keeper.stopped }
  })
