/**
 * Steps 3, 4 and 5 of the flow (docs/design.md#the-flow) for one job: a hive that is awake, a device, room on it. A job
 * whose turn came with a slot on a resident worker only needs its hive to be known.
 */
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { Fallen, PlaceInput, Placed, SlotLease } from "../../../machines/job.ts"
import * as say from "../../../machines/narration.ts"
import {
  type RejectedCandidate,
  type Place,
  type PlacementRequest,
  decide
} from "../../../machines/policy/placement/placement.ts"
import { scaledOut } from "../../../machines/policy/placement/scale-out.ts"
import { toWake } from "../../../machines/policy/placement/sleepers.ts"
import { hasImages } from "../../../machines/formats/images.ts"
import { isFree } from "../../../machines/grammar/answer/constraint.ts"
import { kindFor, type WorkerKinds } from "../../../machines/kinds/kind.ts"
import type { CheckedRequest } from "../../../machines/vocabulary/job.ts"
import { runtimeOf } from "../../../machines/vocabulary/device.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { HiveEntry } from "../cluster/hive-entry.ts"
import type { Hives } from "../hives/hives.ts"
import type { JobLog } from "../log/job-log.ts"
import { noPlace } from "./no-place.ts"
import { probeCapacity, type Listener, residentPlacement } from "./capacity-probe.ts"
import type { Scheduler } from "./scheduler.ts"
import { type HiveId, type ModelRef } from "../../../machines/vocabulary/ids.ts"
import { fact } from "../../../machines/facts.ts"

/** Values and no services: to provide those to each job that is placed costs a tenth of a short one. */
export interface PlacingPorts {
  readonly view: ClusterView
  readonly hives: Hives["Type"]
  readonly kinds: WorkerKinds
  readonly scheduler: Scheduler["Type"]
  /** the hive of this machine */
  readonly localHive: HiveId
}

/** Looks for a place; a hive that went away meanwhile is looked for again, this often. */
const rounds = 4

export const place = (
  ports: PlacingPorts,
  log: JobLog,
  request: PlacementRequest,
  input: PlaceInput,
  /** it has looked for a place before: what it was told then is not said again */
  isAgain: boolean
): Effect.Effect<Placed, RbeeError> =>
  Effect.gen(function* () {
    const { hives, scheduler, view } = ports
    // Of a job that has waited for room only the outcome is told: it asked the same hives before.
    const isQuiet = isAgain && input.fallen === undefined && input.failover === undefined
    for (let round = 0; round < rounds; round++) {
      const ensure = ensuring(hives, log, isAgain || round > 0)
      yield* awaken(ports, log, request, ensure)
      const held = view.leaseOf(log.jobId)
      if (held !== undefined) return resident(ports, log, input, held, [])
      const decision = decide(request, view.fleet)
      const isScaleOut = decision.kind === "full" && scheduler.isScaleOut(log.jobId)
      if (decision.kind === "full" && !isScaleOut) return { kind: "full" }
      if (decision.kind === "resident") {
        const lease = view.reserve(decision.worker, log.jobId, request.alone)
        if (lease === undefined) continue
        if (yield* ensure.isAwake(lease.hive)) return resident(ports, log, input, lease, decision.losers)
        view.release(log.jobId)
        continue
      }
      const where = isScaleOut ? scaledOut(request) : request
      const found = yield* probeCapacity(view, where, input.excluded, narrator(log, request, input, isQuiet, ensure))
      if (found._tag === "Found") {
        const { device, hive } = found.placement
        if (isScaleOut) scheduler.startsAt(log.jobId, found.candidate.device)
        if (isQuiet) log.narrate(say.scheduled(device, hive), { hiveId: hive })
        resumeOn(ports, log, input, found.candidate.device)
        return { kind: "fresh", place: { hive, device }, placement: found.placement }
      }
      if (found._tag === "NoRoom" && isScaleOut) {
        scheduler.stays(log.jobId)
        return { kind: "full" }
      }
      if (found._tag === "NoRoom") {
        const sleeper = toWake(view.sleepers(), request, view.fleet.seen.bytesOf(request.model) ?? 0, input.excluded)
        // a model that is loaded ahead of its first question wakes no machine
        if (sleeper !== undefined && log.request.max_tokens !== 0) {
          const caller = { narrate: log.narrate, session: log.request.session, isSilent: true }
          // one that does not wake does not sleep any more, either, as far as is known
          yield* Effect.either(hives.ensure(sleeper.hive, caller))
          continue
        }
        const { elsewhere, hopes } = found.search
        if (hopes.length === 0 || request.isPreferred === true)
          return yield* noPlace(view, request, input.fallen?.error, found.full)
        scheduler.waitForRoom(log.jobId, { hopes, elsewhere })
        return { kind: "full" }
      }
      if (found._tag === "Ending") {
        yield* hives.left(found.hive)
        continue
      }
      // The hive did not answer: it is looked at, and everything is decided anew.
      yield* hives.suspect(found.hive)
    }
    return yield* rbeeError("CONNECTION_TIMEOUT", "no hive answered when it was asked for room", "See `rbee logs hive`")
  })

/** A slot for which nothing is to be waited, nor for its hive; undefined: there is none. */
export const slotAtOnce = (
  { hives, scheduler, view }: PlacingPorts,
  { jobId }: Pick<JobLog, "jobId">,
  account: string,
  request: PlacementRequest
): SlotLease | undefined => {
  const lease = scheduler.slotFor(jobId, account, request)
  if (lease === undefined || hives.isAwake(lease.hive)) return lease
  view.release(jobId)
  return undefined
}

/** What a job hears that has such a slot. */
export const placeAtOnce = (view: ClusterView, log: JobLog, lease: SlotLease) => {
  log.narrate(say.hiveCached(lease.hive, view.fleet.hiveCount), { hiveId: lease.hive })
  log.narrate(say.scheduled(lease.device, lease.hive), { hiveId: lease.hive })
  return placedAt(view, lease, [])
}

/** Hives are awake and known before they are used; each is looked at once in a round, and only that one is told of. */
const ensuring = (hives: PlacingPorts["hives"], log: JobLog, isSilent: boolean) => {
  const caller = { narrate: log.narrate, session: log.request.session, isSilent }
  const done = new Set<HiveId>()
  const hive = (id: HiveId) =>
    Effect.suspend(() =>
      done.has(id)
        ? Effect.void
        : Effect.tap(hives.ensure(id, caller), () => {
            done.add(id)
          })
    )
  const isAwake = (id: HiveId) => Effect.isSuccess(hive(id))
  return { isSilent, hive, isAwake }
}
type Ensuring = ReturnType<typeof ensuring>

/** Whom the loss of the last place is charged to. */
const fell = ({ error, place: { device, hive } }: Fallen, model: ModelRef): say.Line => {
  if (fact(error, "degraded") === true) return say.deviceDegraded(hive, device)
  return fact(error, "quarantined") === true ? say.modelRefused(hive, device, model) : say.startFailed(hive, device)
}

/** What a job hears of the search for its place. */
const narrator = (
  log: JobLog,
  request: PlacementRequest,
  { failover, fallen }: PlaceInput,
  isQuiet: boolean,
  ensure: Ensuring
): Listener => {
  let isFirst = true
  return {
    onPicked: ({ device: { device, hive } }) =>
      Effect.map(ensure.isAwake(hive), (isAwake) => {
        if (!isAwake) return false
        if (isFirst && fallen !== undefined) {
          log.narrate(fell(fallen, request.model), { hiveId: fallen.place.hive })
        }
        isFirst = false
        if (failover !== undefined || isQuiet) return true
        log.narrate(say.scheduled(device, hive), { hiveId: hive })
        log.narrate(say.capacityAsk(device), { hiveId: hive })
        return true
      }),
    onFull: ({ device: { device, hive } }) => {
      if (!isQuiet) log.narrate(say.capacityFull(device, request.model), { hiveId: hive })
    }
  }
}

/**
 * Step 3: at least one hive is awake and its capabilities are known, or the one that is asked for is. Where there are such
 * hives, none is looked at but the one that is chosen: a large cluster has a thousand.
 */
const awaken = (
  { hives, localHive, view }: PlacingPorts,
  log: JobLog,
  request: PlacementRequest,
  ensure: Ensuring
): Effect.Effect<void, RbeeError> =>
  Effect.gen(function* () {
    const asked = request.hive ?? view.leaseOf(log.jobId)?.hive
    const isAnyAwake = view.fleet.size > 0
    if (asked === undefined && isAnyAwake) return
    // one that was started elsewhere and is gone does not come back by our doing
    const isComing = ({ id, state }: HiveEntry) =>
      hives.canBeWoken(id) || (state !== "cold" && state !== "failed" && state !== "stopped")
    if (!isAnyAwake && !view.allHives().some(isComing) && (request.hive === undefined || request.hive === localHive)) {
      log.narrate(say.hiveAddLocal())
      yield* hives.add(localHive)
    }
    // Whoever stops a hive means its jobs as well: they go elsewhere or end, they do not wake it again.
    const isOut = ({ id, state }: HiveEntry) =>
      ensure.isSilent && (state === "stopping" || state === "stopped") && !hives.isReleased(id)
    if (asked !== undefined) {
      const entry = view.hive(asked)
      if (entry !== undefined && isOut(entry)) return yield* stoppedUnderIt(asked)
      return yield* ensure.hive(asked)
    }
    // One is enough, and one that cannot be reached is no reason to give up while there are others.
    const others = view
      .allHives()
      .filter((hive) => !isOut(hive) && isComing(hive))
      .toSorted((a, b) => lateness(a) - lateness(b))
    const [first] = view.allHives()
    if (others.length === 0 && first !== undefined) return yield* stoppedUnderIt(first.id)
    let failure: RbeeError | undefined
    for (const { id } of others) {
      const entry = view.hive(id)
      if (failure !== undefined && (entry === undefined || !isComing(entry))) continue
      const answer = yield* Effect.either(ensure.hive(id))
      if (answer._tag === "Right") return
      failure ??= answer.left
    }
    if (failure !== undefined) return yield* failure
  })

const stoppedUnderIt = (hive: HiveId) =>
  rbeeError("SHUTTING_DOWN", `hive ${hive} was stopped while the job ran`, "Run the command again to wake it", { hive })

/** Those that are in trouble are asked later, and those whose machines sleep last. */
const lateness = ({ state }: HiveEntry): number =>
  state === "asleep" ? 2 : state === "degraded" || state === "failed" ? 1 : 0

const resident = (
  ports: PlacingPorts,
  log: JobLog,
  input: PlaceInput,
  lease: SlotLease,
  losers: ReadonlyArray<RejectedCandidate>
) => {
  if (input.failover === undefined) log.narrate(say.scheduled(lease.device, lease.hive), { hiveId: lease.hive })
  resumeOn(ports, log, input, lease)
  return placedAt(ports.view, lease, losers)
}

const placedAt = (view: ClusterView, lease: SlotLease, losers: ReadonlyArray<RejectedCandidate>) => {
  const kind = "resident" as const
  return { kind, lease, placement: residentPlacement(view, lease, lease.worker, losers) }
}

/** Whether more is asked than the likeliest token each time after tokens alone: drawn, bound to a form, about an image. */
const isDrawn = ({ temperature, top_p, ...wishes }: CheckedRequest): boolean =>
  (temperature !== 0 && top_p !== 0) || !isFree(wishes) || hasImages(wishes.messages)

/**
 * One line and one event for each failover, as soon as it is known where the answer goes on. An answer of a queen that
 * is gone has no failover; but it goes on in the same way.
 */
const resumeOn = ({ kinds, view }: PlacingPorts, log: JobLog, { failover }: PlaceInput, to: Place): void => {
  const tokens = log.tokens()
  const from = failover?.from ?? log.facts().placement
  const isContinued = tokens > 0 && (from === undefined || !view.exactness.areAlike(from, to, log.request.model))
  if (failover === undefined) {
    if (isContinued) continued(log, tokens)
    return
  }
  // The draws are the same everywhere; what they are drawn from is not, on another kind of device.
  const isOther = runtimeOf(view.gpu(failover.from)) !== runtimeOf(view.gpu(to))
  const { engine, model } = log.request
  const isAnew = kindFor(kinds, model, engine).resume.drawn !== "ids" && isDrawn(log.request)
  const resampled = failover.tokens > 0 && ((isOther && log.request.temperature !== 0) || isAnew)
  log.narrate(say.failover(failover.tokens, to.device, to.hive), { hiveId: to.hive })
  const marks = {
    ...(resampled ? { resampled: true as const } : {}),
    ...(isContinued ? { continued: true as const } : {})
  }
  log.failover(`${failover.from.hive}/${failover.from.device}`, `${to.hive}/${to.device}`, marks)
  log.record({ failovers: log.facts().failovers + 1 })
  if (isContinued) continued(log, tokens)
}

/** Its tokens so far are kept, and what comes may be other than without the interruption. */
const continued = (log: JobLog, tokens: number): void => {
  if (log.facts().continued !== true) log.record({ continued: true })
  log.narrate(say.continued(tokens))
}
