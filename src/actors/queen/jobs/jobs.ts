/**
 * All jobs: taken in, one actor each, looked at, cancelled, ended. Temporary children: a job whose actor dies of a bug
 * is not started again, it is ended here with INTERNAL. The supervisor starts by re-reading the journal, so the jobs of
 * a queen that crashed go on.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Struct from "effect/Struct"
import { Call, type Caller, type ErrorOf } from "../../../protocol/endpoint.ts"
import { accountOf } from "../../../protocol/rights.ts"
import type { queenApi } from "../../../protocol/queen/index.ts"
import { CurrentGrammars } from "../../../layers/grammars/index.ts"
import { Ids } from "../../../layers/ids/index.ts"
import { scopeOf } from "../../../layers/keys/index.ts"
import type { JournalJob } from "../../../layers/journal/index.ts"
import { CurrentSettings } from "../../../layers/settings/index.ts"
import { Kinds } from "../../../layers/kinds/index.ts"
import { RbeeError, rbeeError } from "../../../machines/errors.ts"
import { checkImages, hasImages } from "../../../machines/formats/images.ts"
import { blindTo, engineIn } from "../../../machines/kinds/kind.ts"
import { ConversationHomes } from "../../../machines/policy/conversation-homes.ts"
import { paceAfter, retryAfterS } from "../../../machines/policy/queue-pace.ts"
import type { jobMachine } from "../../../machines/job.ts"
import { parseModelRef } from "../../../machines/formats/model-ref.ts"
import { isFree, wishesIn } from "../../../machines/grammar/answer/constraint.ts"
import { conversationFields } from "../../../machines/vocabulary/conversation.ts"
import { purposeOf } from "../../../machines/policy/purpose.ts"
import { type CheckedRequest, type JobRequest, type JobView, samplingFields } from "../../../machines/vocabulary/job.ts"
import type { ChildSpec } from "../../core/supervision/child.ts"
import type { MachineActor } from "../../core/machine/machine-actor.ts"
import { type Supervisor, supervisor, type SupervisorRef } from "../../core/supervision/supervisor.ts"
import { ActorSystem } from "../../core/system.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import { withinBounds } from "./bounds.ts"
import { CurrentQueen } from "../identity.ts"
import { fail, job, type JobWorld } from "./job.ts"
import { OutOfReach } from "./preference.ts"
import type { JournalLost } from "../log/commits.ts"
import { type JobLog, JobLogs } from "../log/job-log.ts"
import { type LiveJob, LiveJobs } from "../log/live-jobs.ts"
import { Events } from "../log/event-ring.ts"
import { Hives } from "../hives/hives.ts"
import { place, slotAtOnce } from "../placement/placing.ts"
import { WorkerConnector } from "../../../layers/worker-connector/index.ts"
import { Metrics } from "../metrics/metrics.ts"
import { Admission } from "../people/admission.ts"
import { Scheduler } from "../placement/scheduler.ts"
import { SessionBook } from "../sessions/stored-sessions.ts"
import { keyOf, mayAsk, onlyOwn, ownerOf, sees } from "../log/own-jobs.ts"
import { JobId } from "../../../machines/vocabulary/ids.ts"

type NoJob = RbeeError<"JOB_NOT_FOUND"> | JournalLost
/** Why a job is not taken in. */
export type NotTaken = ErrorOf<(typeof queenApi)["submitJob"]>

interface JobsCalls {
  /** For the queen's tree: their supervisor, which begins with what the journal has left unfinished. */
  readonly supervised: Effect.Effect<Supervisor, RbeeError, ActorSystem | Scope.Scope>
  /** `taken` is called as soon as the job is there: who is interrupted after that has one. */
  readonly submit: (
    request: JobRequest,
    idempotencyKey?: string,
    taken?: (id: JobId) => void
  ) => Effect.Effect<JobLog, NotTaken>
  readonly get: (id: JobId) => Effect.Effect<JobView, NoJob>
  /** those that the caller may see */
  readonly list: (caller: Caller | undefined) => Effect.Effect<ReadonlyArray<JobView>, JournalLost>
  /** Returns once it is cancelled; CONFLICT if it ended otherwise. */
  readonly cancel: (id: JobId) => Effect.Effect<void, NoJob | RbeeError<"CONFLICT">>
  /** Ends what an account has asked for, with this reason; how many jobs those were. */
  readonly endThose: (account: string, error: RbeeError) => Effect.Effect<number>
  /** jobs that have no place yet */
  readonly waiting: () => number
  /** Ends the jobs that wait at once, the others when `deadline` comes true; returns when none is left. */
  readonly drain: (deadline: Effect.Effect<void>) => Effect.Effect<void>
  /**
   * Takes none any more, and returns when none is left or `deadline` comes true: those that are left are the next queen's,
   * who reads them in the journal.
   */
  readonly handOver: (deadline: Effect.Effect<void>) => Effect.Effect<void>
}

export class Jobs extends Context.Tag("rbee/queen/Jobs")<Jobs, JobsCalls>() {
  static readonly layer = Layer.suspend(() => Layer.effect(Jobs, makeJobs))
}

const jobsPath = "queen/jobs"

const shuttingDown = () =>
  rbeeError("SHUTTING_DOWN", "the queen is shutting down", "Run the command again to wake the next one")

/** They ask for nothing where there is no chat: no tools, no thoughts, no beginning. */
const noWishes: ReadonlySet<unknown> = new Set([undefined, false, "auto", "none", "off"])
const asksForSomething = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : !noWishes.has(value))

/** The first wish that a text which goes on cannot have. */
const chatWish = (request: JobRequest): string | undefined =>
  Struct.keys(conversationFields).find((field) => asksForSomething(request[field]))

/** The first wish that nothing can be done for where nothing is written. */
const answerWish = (request: JobRequest): string | undefined =>
  chatWish(request) ??
  [...Struct.keys(samplingFields), "raw" as const, "suffix" as const].find((field) => request[field] !== undefined)

/** What the schema cannot say. The model reference leaves in its canonical form. */
export const checkJobRequest = (request: JobRequest): Either.Either<CheckedRequest, RbeeError<"INVALID_REQUEST">> =>
  Either.gen(function* () {
    const { embed, messages, prompt, raw, rerank, suffix, tokens } = request
    yield* withinBounds(request)
    if ([prompt, tokens, messages, embed, rerank].filter((one) => one !== undefined).length !== 1)
      return yield* Either.left(
        rbeeError("INVALID_REQUEST", "exactly one of prompt, tokens, messages, embed and rerank must be given", "", {
          field: "prompt"
        })
      )
    const idle = purposeOf(request) === "chat" ? undefined : answerWish(request)
    if (idle !== undefined)
      return yield* Either.left(
        rbeeError("INVALID_REQUEST", `${idle} is for answers: texts that are measured get none`, "Leave it out", {
          field: idle
        })
      )
    if (tokens !== undefined && (raw !== true || suffix !== undefined))
      return yield* Either.left(
        rbeeError("INVALID_REQUEST", "tokens are read as they are: raw, and without a suffix", "", {
          field: raw === true ? "suffix" : "raw"
        })
      )
    if (raw === true && tokens === undefined && (prompt === undefined || (prompt === "" && suffix === undefined)))
      return yield* Either.left(rbeeError("INVALID_REQUEST", "what is raw must have a prompt", "", { field: "raw" }))
    const wish = raw === true ? chatWish(request) : undefined
    if (wish !== undefined)
      return yield* Either.left(
        rbeeError(
          "INVALID_REQUEST",
          `${wish} is for chats: what is raw is read and answered as it is`,
          "Leave it out",
          {
            field: wish
          }
        )
      )
    if (suffix !== undefined && raw !== true)
      return yield* Either.left(
        rbeeError("INVALID_REQUEST", "what is filled in must be raw: a chat has no middle", "", { field: "suffix" })
      )
    if (request.deadline !== undefined && Number.isNaN(Date.parse(request.deadline)))
      return yield* Either.left(
        rbeeError("INVALID_REQUEST", "deadline must be a time like 2026-01-31T12:00:00Z", "", { field: "deadline" })
      )
    if (request.device?.toLowerCase() === "cpu" && request.allow_cpu === false)
      return yield* Either.left(
        rbeeError("INVALID_REQUEST", "device cpu is asked for and allow_cpu is false", "", { field: "allow_cpu" })
      )
    const { ref } = yield* parseModelRef(request.model)
    return { ...request, model: ref }
  })

// long: the calls of one book of live jobs, each of them short
const makeJobs = Effect.gen(function* () {
  const system = yield* ActorSystem
  const view = yield* Cluster
  const ids = yield* Ids
  const grammars = yield* CurrentGrammars
  const kinds = yield* Kinds
  const admission = yield* Admission
  const live = yield* LiveJobs
  const logs = yield* JobLogs
  const meters = yield* Metrics
  const scheduler = yield* Scheduler
  const sessions = yield* SessionBook
  const {
    hive,
    queen: { queueMax },
    worker
  } = yield* CurrentSettings
  const { connect: connectWorker } = yield* WorkerConnector
  const queen = yield* CurrentQueen
  const { stateChanged } = yield* Events
  const placing = { kinds, view, scheduler, hives: yield* Hives, localHive: hive.id }
  const world: JobWorld = {
    view,
    scheduler,
    sessions,
    meters,
    connectWorker,
    portBase: worker.portBase,
    homes: new ConversationHomes(),
    scopeOf: (account) => scopeOf(account, queen.id),
    outOfReach: new OutOfReach(view),
    stateChanged,
    place: (...args) => place(placing, ...args),
    slotAtOnce: (...args) => slotAtOnce(placing, ...args)
  }
  let children: SupervisorRef | undefined
  let isDraining = false

  /** Its lines reach who watches, too. */
  const observed = (log: JobLog): JobLog => ({
    ...log,
    narrate: (line, ids) => {
      log.narrate(line, ids)
      const { jobId } = log
      if (system.watched()) system.publish({ type: "narration", path: `${jobsPath}/${jobId}`, line, job: jobId })
    }
  })

  const specOf = (log: JobLog): ChildSpec<ActorSystem, MachineActor<typeof jobMachine>> => {
    const one = live.begin(log)
    const spec = job(world, observed(log), `${jobsPath}/${log.jobId}`)
    return {
      ...spec,
      start: Effect.tap(spec.start, (actor) =>
        Effect.sync(() => {
          one.actor = actor
          actor.fiber.addObserver((exit) => ended(one, exit))
        })
      )
    }
  }
  /** what jobs took lately, once they had a place */
  let pace: number | undefined
  const retryAfter = () =>
    retryAfterS(
      pace,
      view.allWorkers().reduce((sum, { slots }) => sum + slots, 0)
    )
  const ended = ({ log }: LiveJob, exit: Exit.Exit<unknown, unknown>): void => {
    const { placed_ms = 0, total_ms } = log.facts().timings
    if (total_ms !== undefined) pace = paceAfter(pace, total_ms - placed_ms)
    scheduler.gone(log.jobId)
    live.leave(log.jobId)
    view.release(log.jobId)
    if (!log.ended() && Exit.isFailure(exit)) {
      // Interrupted with the whole queen, the job is left to the next one; dead of a bug, it ends here.
      if (Cause.isInterruptedOnly(exit.cause)) return
      meters.ended(log.request.model, "failed")
      fail(log, rbeeError("INTERNAL", "the job died of a bug", "See `rbee logs queen`"))
    }
    live.ended(log)
  }

  const supervised = Effect.gen(function* () {
    isDraining = false
    const made = yield* supervisor({
      path: jobsPath,
      children: [],
      dynamic: logs.unfinished().map(specOf),
      // Temporary children are never restarted: nothing can exceed it.
      intensity: 0
    }).pipe(Effect.catchTag("ChildStartFailed", (failure) => Effect.die(failure)))
    children = made.ref
    return made
  })

  /** Jobs that have no slot: those in line, and those beyond what one fresh worker will take. */
  const waiting = (): number => live.size - view.holding
  const isFull = (): boolean => {
    const inLine = scheduler.waiting()
    const onTheWay = waiting() - inLine
    return inLine + Math.max(0, onTheWay - worker.slots) >= queueMax
  }
  /** Whoever has less than an equal part of a full line in it is taken in: nobody fills it for the others. */
  const hasItsPart = (account: string): boolean => {
    const waits = live.logs
      .filter(({ jobId }) => view.leaseOf(jobId) === undefined)
      .map((log) => log.facts().charged?.to)
    const accounts = new Set([account, ...waits]).size
    return waits.filter((one) => one === account).length >= Math.ceil(queueMax / accounts)
  }

  const submit: JobsCalls["submit"] = (given, idempotencyKey, taken) =>
    Effect.gen(function* () {
      if (isDraining) return yield* shuttingDown()
      const { caller, deadline } = yield* Call
      yield* mayAsk(caller, given)
      const checked = yield* checkJobRequest(
        given.deadline === undefined && deadline !== undefined ? { ...given, deadline } : given
      )
      const request = engineIn(kinds, checked)
      if (request instanceof RbeeError) return yield* request
      if (hasImages(request.messages)) {
        const blind = blindTo(kinds, request)
        if (blind !== undefined) return yield* blind
        yield* checkImages(request.messages ?? [])
      }
      if (caller?.key !== undefined) yield* admission.model(caller.key, request.model)
      // what no model could be held to is refused before one is woken
      if (!isFree(request)) yield* grammars.check(wishesIn(request))
      // to its end, which is soon: a job that is half taken in would be nobody's
      return yield* Effect.uninterruptible(takeIn(request, caller, idempotencyKey, taken))
    })

  const takeIn = (
    request: CheckedRequest,
    caller: Caller | undefined,
    idempotencyKey: string | undefined,
    taken: ((id: JobId) => void) | undefined
  ): Effect.Effect<JobLog, NotTaken> =>
    Effect.gen(function* () {
      if (isDraining || children === undefined) return yield* shuttingDown()
      const key = caller?.key
      const reached = key === undefined ? undefined : yield* admission.limit(key, retryAfter)
      const isRefused = () => isFull() && hasItsPart(accountOf(caller))
      const refusal = reached ?? (isRefused() ? queueFull(queueMax, retryAfter()) : undefined)
      if (refusal !== undefined && idempotencyKey === undefined) return yield* refusal
      const id = JobId.make(yield* ids.make("job"))
      const { log, fresh } = yield* logs.open({
        id,
        request,
        idempotencyKey: keyOf(caller, idempotencyKey),
        ...ownerOf(caller),
        account: accountOf(caller)
      })
      if (!fresh) return log
      if (refusal !== undefined) {
        yield* logs.remove(log.jobId)
        return yield* refusal
      }
      sessions.opened(request.session)
      const { correlationId } = yield* Call
      yield* children.startChild(specOf(log)).pipe(
        // The job's own deadline is one of its activities; its calls carry it on.
        Effect.provide(
          Context.add(Context.make(ActorSystem, system), Call, { correlationId, deadline: request.deadline })
        ),
        Effect.catchAll(() => {
          live.leave(log.jobId)
          fail(log, shuttingDown())
          return shuttingDown()
        })
      )
      taken?.(log.jobId)
      return log
    })

  const viewOf = (row: JournalJob, position: number | undefined): JobView => {
    const { facts } = row
    return {
      job_id: row.id,
      model: row.request.model,
      ...(facts.charged === undefined ? {} : { key: facts.charged.to }),
      state: facts.state,
      tokens: live.get(row.id)?.log.shown().tokens ?? facts.tokens ?? 0,
      failovers: facts.failovers,
      ...(facts.continued === undefined ? {} : { continued: facts.continued }),
      created_at: row.createdAt,
      timings: facts.timings,
      ...(position === undefined ? {} : { position }),
      ...(facts.placement === undefined ? {} : { placement: facts.placement }),
      ...(facts.usage === undefined ? {} : { usage: facts.usage }),
      ...(facts.finish_reason === undefined ? {} : { finish_reason: facts.finish_reason }),
      ...(facts.error === undefined ? {} : { error: facts.error })
    }
  }

  const cancel: JobsCalls["cancel"] = (id) =>
    Effect.gen(function* () {
      const log = yield* onlyOwn(id, logs.get(id))
      const actor = live.get(id)?.actor
      if (actor !== undefined) {
        yield* actor.ref.tell({ type: "CANCEL" })
        // its fiber, not its state: the log is ended by the command that follows the last transition
        yield* Fiber.await(actor.fiber)
        yield* log.sync
      }
      const { state } = log.facts()
      if (state === "cancelled") return
      return yield* rbeeError("CONFLICT", `job ${id} has ended already: ${state}`, "", { job_id: id, state })
    })

  /** Ends one job and waits until it has. */
  const endOne = ({ actor }: LiveJob, error: RbeeError = shuttingDown()): Effect.Effect<void> =>
    actor === undefined
      ? Effect.void
      : Effect.zipRight(actor.ref.tell({ type: "END", error }), Fiber.await(actor.fiber))
  const endAll = (which: (one: LiveJob) => boolean): Effect.Effect<void> =>
    Effect.suspend(() =>
      Effect.forEach(live.all.filter(which), (one) => endOne(one), { concurrency: "unbounded", discard: true })
    )

  /** Until all that run by now have ended. */
  const rest = Effect.suspend(() =>
    Effect.forEach(live.all, ({ actor }) => (actor === undefined ? Effect.void : Fiber.await(actor.fiber)), {
      concurrency: "unbounded",
      discard: true
    })
  )

  return {
    supervised,
    submit,
    cancel,
    get: (id) =>
      Effect.flatMap(onlyOwn(id, logs.get(id)), ({ look }) =>
        Effect.map(look, (row) => viewOf(row, scheduler.position(id)))
      ),
    list: (caller) =>
      Effect.map(logs.list(), (jobs) => {
        const positions = scheduler.positions()
        return jobs.flatMap((row) => (sees(caller, row.facts) ? [viewOf(row, positions.get(row.id))] : []))
      }),
    endThose: (account, error) =>
      Effect.suspend(() => {
        const those = live.all.filter(({ log }) => log.facts().charged?.to === account)
        const ending = Effect.forEach(those, (one) => endOne(one, error), { concurrency: "unbounded", discard: true })
        return Effect.as(ending, those.length)
      }),
    waiting,
    drain: (deadline) =>
      Effect.gen(function* () {
        isDraining = true
        yield* endAll(({ log }) => view.leaseOf(log.jobId) === undefined)
        yield* Effect.raceFirst(rest, deadline)
        yield* endAll(() => true)
      }),
    handOver: (deadline) =>
      Effect.suspend(() => {
        isDraining = true
        return Effect.raceFirst(rest, deadline)
      })
  } satisfies JobsCalls
})

const queueFull = (max: number, retry_after_s: number) =>
  rbeeError("QUEUE_FULL", `${max} jobs wait already`, "Try again in a moment", {
    queue_max: max,
    retry_after_s
  })
