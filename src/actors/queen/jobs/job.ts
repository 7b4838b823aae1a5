/** One job as an actor: what each activity and command of its chart does. Temporary: a job is never started twice. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import { Call } from "../../../protocol/endpoint.ts"
import { admin } from "../../../protocol/rights.ts"
import type { WorkerApi } from "../../../protocol/worker.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import {
  InferFailed,
  type JobCommand,
  jobMachine,
  type Placed,
  type PlaceInput,
  straightEnd,
  straightTo,
  type SlotLease,
  type Started
} from "../../../machines/job.ts"
import * as say from "../../../machines/narration.ts"
import { type Beginning, beginningsOf, type ConversationHomes } from "../../../machines/policy/conversation-homes.ts"
import { setupOf } from "../../../machines/policy/memory/setup.ts"
import { lesserNeed, type Need, noLonger } from "../../../machines/policy/memory/context.ts"
import { type Place, reloadsAt, type PlacementRequest } from "../../../machines/policy/placement/placement.ts"
import { messageOf } from "../../../machines/dialect/meaning.ts"
import type { DoneEvent, JobState } from "../../../machines/vocabulary/job.ts"
import type { InferDone } from "../../../machines/vocabulary/worker.ts"
import type { ChildSpec } from "../../core/supervision/child.ts"
import type { ByHeart } from "../../core/machine/by-heart.ts"
import { type MachineActor, machineActor } from "../../core/machine/machine-actor.ts"
import type { ActorSystem } from "../../core/system.ts"
import type { JobLog } from "../log/job-log.ts"
import { orWithHive } from "./lost-with-hive.ts"
import { meaningOptions, tellForm } from "./answer.ts"
import { inferRequestOf, placementRequestOf } from "./job-request.ts"
import type { Meters, Outcome } from "../metrics/metrics.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import { type place, placeAtOnce, type PlacingPorts } from "../placement/placing.ts"
import type { Scheduler } from "../placement/scheduler.ts"
import { type OutOfReach, preferring } from "./preference.ts"
import { ensureModel, ensureRuntime, startWorker } from "./provisioning.ts"
import { relay, type RelayOptions } from "./relay.ts"
import type { Sessions } from "../sessions/sessions.ts"
import { fact } from "../../../machines/facts.ts"

type Placing = Parameters<typeof place> extends readonly [PlacingPorts, ...infer Rest] ? Rest : never

export interface JobWorld {
  readonly view: ClusterView
  readonly scheduler: Scheduler["Type"]
  readonly outOfReach: OutOfReach
  readonly place: (...args: Placing) => Effect.Effect<Placed, RbeeError>
  /** a slot for which nothing is to be waited */
  readonly slotAtOnce: (log: JobLog, account: string, request: PlacementRequest) => SlotLease | undefined
  readonly sessions: Sessions
  readonly meters: Meters
  readonly connectWorker: (url: string, instance: string) => WorkerApi
  /** who has read what of conversations */
  readonly homes: ConversationHomes
  /** what workers are told of an account */
  readonly scopeOf: (account: string) => string
  /** first port that a worker tries */
  readonly portBase: number
  /** state changes go to `/events` as well */
  readonly stateChanged: (machine: string, id: string, from: string, to: string) => void
}

type Self = MachineActor<typeof jobMachine>["ref"]

const noPlace = rbeeError("INTERNAL", "the job has no place")

// long: what the chart of a job asks for, over what was told to the job already
export const job = (
  world: JobWorld,
  log: JobLog,
  path: string
): ChildSpec<ActorSystem, MachineActor<typeof jobMachine>> => {
  const { view } = world
  const { session } = log.request
  const account = (): string => log.facts().charged?.to ?? admin
  let beginnings: ReadonlyArray<Beginning> | undefined
  const conversation = () => (beginnings ??= beginningsOf(log.request, account()))
  const meters = () => world.meters.model(log.request.model)
  const sinceStart = Effect.map(Clock.currentTimeMillis, (now) => now - log.createdAt)
  const timed = (field: "placed_ms" | "started_ms" | "first_token_ms") =>
    Effect.map(sinceStart, (ms) => {
      const { timings } = log.facts()
      if (timings[field] === undefined) log.record({ timings: { ...timings, [field]: ms } })
    })

  /** As of now: its worker may find out in the middle of an answer. */
  const noteExact = () => {
    const { placement } = log.facts()
    if (placement === undefined) return
    const exact = view.exactness.isExact(placement, log.request.model)
    if (placement.exact !== exact) log.record({ placement: { ...placement, exact } })
  }

  /** Its account gives way: it goes back into the line. Not one that must be alone, which is on trial. */
  const pausing = (self: Self) =>
    Effect.map(Effect.runtime<never>(), (runtime) => () => {
      const tokens = log.tokens()
      log.narrate(say.paused(tokens))
      Runtime.runFork(runtime)(self.tell({ type: "PAUSE", tokens }))
    })

  const infer = (lease: SlotLease | undefined, alone: boolean, self: Self): Effect.Effect<InferDone, InferFailed> =>
    Effect.gen(function* () {
      if (lease === undefined)
        return yield* new InferFailed({ error: noPlace, tokens: log.tokens(), reached: false, sent: false })
      let reached = false
      let sent = false
      const home = view.hive(lease.hive)?.claimed
      const failed = (error: RbeeError) => new InferFailed({ error, tokens: log.tokens(), reached, sent })
      const broken = (error: RbeeError) => {
        // The worker of this slot is of no use any more: nobody else is to be sent there.
        if (error.code === "WORKER_CRASHED" || error.code === "CONNECTION_TIMEOUT") view.workerLost(lease)
        return Effect.flatMap(orWithHive(error, lease.hive, home), failed)
      }
      const url = view.worker(lease.worker)?.url
      if (url === undefined) return yield* failed(workerGone(lease))
      // The queen ends with her journal: the next one would give this epoch to another worker.
      const epoch = yield* Effect.catchAll(log.nextEpoch, () => Effect.never)
      world.sessions.uses(session, lease.hive, lease.worker)
      world.homes.note(conversation(), lease)
      const clock = yield* Effect.clock
      const asked: RelayOptions = {
        onSent: () => (sent = view.lives(lease)),
        worker: cancellable(world.connectWorker(url, lease.instance)),
        request: inferRequestOf(log, epoch, alone, world.scopeOf(account())),
        log,
        onForm: (form) => tellForm(log, form),
        onPrompt: (tokens) => {
          if (log.tokens() === 0) log.record({ prompt_tokens: tokens })
        },
        onReached: () => {
          reached = true
          log.narrate(say.inferConnected(), { hiveId: lease.hive, workerId: lease.worker })
        },
        onFirstToken: () => {
          const first_token_ms = clock.unsafeCurrentTimeMillis() - log.createdAt
          noteExact()
          const { timings } = log.facts()
          if (timings.first_token_ms !== undefined) return
          log.record({ timings: { ...timings, first_token_ms } })
          meters().firstToken.observe(first_token_ms / 1000)
        },
        onGone: (then) => view.onGone(lease, () => then(workerGone(lease)))
      }
      const pause = alone ? undefined : yield* pausing(self)
      return yield* Effect.acquireUseRelease(
        Effect.sync(() => world.scheduler.runs(log.jobId, lease.worker, pause)),
        () => Effect.catchAll(persistent(asked), broken),
        (ended) => Effect.sync(() => void (deviceMs += 1000 * ended()))
      )
    })

  /** of devices; written with what is written anyway */
  let deviceMs = log.facts().device_ms ?? 0
  const spent = () => (deviceMs === 0 ? {} : { device_ms: Math.round(deviceMs) })

  const ended = (outcome: Outcome) =>
    Effect.suspend(() => {
      world.scheduler.settled(log.jobId)
      world.meters.ended(log.request.model, outcome)
      const { error, failovers, timings } = log.facts()
      const facts = { model: log.request.model, tokens: log.tokens(), failovers, ...timings }
      return error === undefined
        ? Effect.logInfo(`${log.jobId} ${outcome}`, facts)
        : Effect.logWarning(`${log.jobId} ${outcome}: ${error.code}: ${error.message}`, facts)
    })

  /** `--keep-warm` with a worker that is there already: to start it again is to join it, with the pin. */
  const pin = ({ hive, device }: SlotLease): Effect.Effect<void> =>
    Effect.suspend(
      () =>
        view.hive(hive)?.claimed?.api.startWorker({
          device,
          model_ref: log.request.model,
          ...setupOf(log.request),
          pin: true
        }) ?? Effect.void
    ).pipe(Effect.ignore)

  /** times that room was gone when the worker was to be started */
  let overtaken = 0
  let isPlacedAgain = log.tokens() > 0
  let state: JobState = "queued"
  const enter = (next: JobState): void => {
    if (next !== state) {
      log.stateChanged("job", log.jobId, state, next)
      world.stateChanged("job", log.jobId, state, next)
      // the end is written by `log.end`, together with its reason
      log.record(isEnd(next) ? spent() : { state: next, ...spent() })
    }
    state = next
  }
  const perform = (command: JobCommand): Effect.Effect<void> => {
    switch (command.type) {
      case "entered":
        return Effect.sync(() => enter(command.state))
      case "release":
        return Effect.sync(() => view.release(log.jobId))
      case "finish":
        return Effect.zipRight(finish(command.done, command.cause), ended("done"))
      case "fail":
        return Effect.zipRight(
          Effect.sync(() => fail(log, command.error)),
          ended("failed")
        )
      case "cancel":
        return Effect.zipRight(
          Effect.sync(() => log.end({ _tag: "Cancelled" })),
          ended("cancelled")
        )
    }
  }
  const finish = (done: InferDone, cause: RbeeError | undefined) =>
    Effect.map(sinceStart, (total_ms) => {
      const tokens = log.tokens()
      const { first_token_ms } = log.facts().timings
      meters().promptTokens += done.usage.prompt_tokens
      const { placement } = log.facts()
      if (first_token_ms !== undefined && tokens > 1 && total_ms > first_token_ms) {
        const seconds = (total_ms - first_token_ms) / 1000 / (tokens - 1)
        meters().perToken.observe(seconds)
        if (placement !== undefined) view.fleet.observe(placement, log.request.model, 1 / seconds)
      }
      noteExact()
      if (done.outgrown !== undefined) log.narrate(say.contextFilled(done.outgrown.context, cause?.what))
      log.narrate(say.inferDone())
      if (session?.teardown !== "cold") log.narrate(say.keepWarm())
      log.end({
        _tag: "Done",
        event: {
          text_length: log.text().length,
          tokens: log.tokens(),
          finish_reason: done.finish_reason,
          ...(done.stop_sequence === undefined ? {} : { stop_sequence: done.stop_sequence }),
          timings: { ...log.facts().timings, total_ms },
          // an answer that went on elsewhere is one answer
          usage: { ...done.usage, completion_tokens: log.tokens() },
          ...said(log)
        }
      })
    })

  /** tokens a slot that it was said to need */
  let toldNeed = 0
  const tellNeed = ({ context, had }: Need): void => {
    if (context <= toldNeed) return
    toldNeed = context
    log.narrate(log.tokens() === 0 ? say.contextNeeded(context, had) : say.contextOutgrown(context, had))
  }
  let isWaitTold = false
  /** It has to wait: for a while only, if its model was loaded anew a moment ago. */
  const tellWait = (request: PlacementRequest): void => {
    const now = view.now()
    const at = reloadsAt(request, view.fleet, now)
    if (at === undefined || isWaitTold) return
    isWaitTold = true
    log.narrate(say.reloadWaits(Math.ceil((at - now) / 1000)))
  }
  const preference = preferring(
    {
      view,
      outOfReach: world.outOfReach,
      place: (request) => (input) => world.place(log, request, input, isPlacedAgain)
    },
    log
  )
  /** what it takes in place of what it needs, for want of room */
  let lesser: { readonly of: Need; readonly need: Need } | undefined
  const placementRequestFor = (alone: boolean, needs: Need | undefined): PlacementRequest =>
    placementRequestOf(
      log,
      alone,
      needs !== undefined && lesser?.of === needs ? lesser.need : needs,
      preference.now(),
      world.homes.find(conversation())
    )

  const findPlace = (input: PlaceInput): Effect.Effect<Placed, RbeeError> => {
    const { alone, needs } = input
    const request = placementRequestFor(alone, needs)
    const found = Effect.tap(world.place(log, request, input, isPlacedAgain), ({ kind }) =>
      kind === "full" ? Effect.sync(() => tellWait(request)) : Effect.void
    )
    if (needs === undefined) return found
    tellNeed(needs)
    return Effect.catchAll(found, (error) => {
      if (error.code !== "VRAM_EXHAUSTED") return error
      const need = lesser?.of === needs ? undefined : lesserNeed(needs, error)
      if (need === undefined) return noLonger(needs, error)
      lesser = { of: needs, need }
      log.narrate(say.contextLesser(need.context))
      return findPlace(input)
    })
  }

  /** A new job for which there is a slot, with nobody before it, goes through all states up to its answer by itself. */
  const straight = (): ByHeart<typeof jobMachine> | undefined => {
    const { keep_warm, max_tokens } = log.request
    const isNew = !isPlacedAgain && log.facts().placement === undefined
    if (!isNew || keep_warm === true || preference.now() !== undefined) return undefined
    view.release(log.jobId)
    const lease = world.slotAtOnce(log, account(), placementRequestFor(false, undefined))
    if (lease === undefined) return undefined
    enter("placing")
    const placed = placeAtOnce(view, log, lease)
    isPlacedAgain = true
    log.record({
      placement: placed.placement,
      timings: { ...log.facts().timings, placed_ms: view.now() - log.createdAt }
    })
    enter("streaming")
    return {
      ...straightTo(placed),
      end: (output) => {
        // what `infer` gives
        const commands = straightEnd(output as InferDone, max_tokens)
        return commands && { commands, output: undefined }
      }
    }
  }

  return {
    id: log.jobId,
    restart: "temporary",
    start: Effect.tap(
      Effect.suspend(() =>
        machineActor({
          path,
          machine: jobMachine,
          byHeart: straight(),
          input: {
            tokens: log.tokens(),
            ...(log.request.max_tokens === undefined ? {} : { maxTokens: log.request.max_tokens })
          },
          perform,
          activities: {
            admit: ({ alone, needs }) =>
              Effect.suspend(() => {
                preference.admit({ alone, needs })
                return world.scheduler.admit(log.jobId, account(), placementRequestFor(alone, needs), (position) =>
                  log.narrate(say.queued(position))
                )
              }),
            place: (input) =>
              Effect.tap(
                preference.find(
                  input,
                  Effect.suspend(() => findPlace(input))
                ),
                (placed) =>
                  Effect.gen(function* () {
                    isPlacedAgain = true
                    if (placed.kind === "full") return
                    if (placed.kind === "resident" && log.request.keep_warm === true) yield* pin(placed.lease)
                    log.record({ placement: placed.placement })
                    yield* timed("placed_ms")
                  })
              ),
            ensureModel: (at) =>
              withPlace(at, (found) => ensureModel(view, log, placementRequestOf(log, false), found)),
            ensureRuntime: (at) => withPlace(at, (found) => ensureRuntime(view, log, found)),
            startWorker: ({ place: at, alone, needs }) =>
              withPlace(at, (found) =>
                Effect.tap(
                  startWorker(view, log, placementRequestFor(alone, needs), found, {
                    portHint: world.portBase,
                    pin: log.request.keep_warm ?? false,
                    evict: log.facts().placement?.evicted ?? [],
                    connect: world.connectWorker,
                    onLoaded: (seconds) => world.meters.hive(found.hive).loaded(log.request.model, seconds),
                    onStarted: (worker) => world.sessions.uses(session, found.hive, worker)
                  }).pipe(
                    // Others booked the room since it was asked for: it looks again, which the hives then refuse in time.
                    Effect.catchIf(
                      (error) => error.code === "VRAM_EXHAUSTED" && fact(error, "status") === 409 && overtaken < 3,
                      () => Effect.sync((): Started => (overtaken++, { kind: "full" }))
                    )
                  ),
                  (started) => {
                    const { placement } = log.facts()
                    if (started.kind === "ready" && placement !== undefined)
                      log.record({ placement: { ...placement, worker: started.lease.worker } })
                    return Effect.void
                  }
                )
              ),
            infer: ({ alone, lease }, self) => {
              world.scheduler.settled(log.jobId)
              return Effect.zipRight(timed("started_ms"), infer(lease, alone, self))
            }
          }
        })
      ),
      ({ ref }) =>
        // Most jobs have none: those do without a fiber for it.
        log.request.deadline === undefined
          ? Effect.void
          : Effect.forkScoped(
              Effect.flatMap(deadlineOf(log.request.deadline), (error) => ref.tell({ type: "END", error }))
            )
    )
  }
}

/** A job that ends at its deadline still tells its worker to stop: that call is not bound by it. */
const cancellable = (worker: WorkerApi): WorkerApi => ({
  ...worker,
  cancelInfer: (input) =>
    Effect.flatMap(Call, (call) =>
      Effect.provideService(worker.cancelInfer(input), Call, { ...call, deadline: undefined })
    )
})

/** The slot of the job before is given back a moment later there than here. */
const persistent = (asked: RelayOptions, tries = 0): Effect.Effect<InferDone, RbeeError> =>
  Effect.catchAll(relay(asked), (error) =>
    error.code === "ALL_SLOTS_BUSY" && tries < 8
      ? Effect.delay(persistent(asked, tries + 1), 10 * 2 ** tries)
      : Effect.fail(error)
  )

const isEnd = (state: JobState): boolean => state === "done" || state === "failed" || state === "cancelled"

const withPlace = <A>(
  at: Place | undefined,
  work: (place: Place) => Effect.Effect<A, RbeeError>
): Effect.Effect<A, RbeeError> => (at === undefined ? noPlace : work(at))

const workerGone = (lease: SlotLease) =>
  rbeeError("WORKER_CRASHED", `worker ${lease.worker} on ${lease.device} of hive ${lease.hive} was lost`)

/** What the answer means, where that is more than its text. */
const said = (log: JobLog): Pick<DoneEvent, "message"> => {
  const options = meaningOptions(log)
  return options === undefined ? {} : { message: messageOf(options, log.text()) }
}

/** The two things that every failed job says, in this order; also said for a job whose actor died. */
export const fail = (log: JobLog, error: RbeeError): void => {
  if (log.ended()) return
  log.narrate(say.jobFailed(error))
  // A hive answers some codes with a status of its own (409 for one full device): a job's status is the code's.
  const { status: _, ...details } = error.details
  log.end({ _tag: "Error", error: rbeeError(error.code, error.what, error.todo, details) })
}

/** Comes true when the deadline has passed. */
const deadlineOf = (deadline: string): Effect.Effect<RbeeError<"DEADLINE_EXCEEDED">> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.as(
      Effect.sleep(Math.max(0, Date.parse(deadline) - now)),
      rbeeError("DEADLINE_EXCEEDED", `the deadline ${deadline} has passed`, "Give the job more time", { deadline })
    )
  )
