/** What there is of a kind: asked of who runs, read of who sleeps. Nobody is woken, and what fails is nothing. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { connect } from "../../../actors/keeper/lifecycle.ts"
import { askAwake } from "../../../layers/daemon/held-address.ts"
import { copiesOnDisk } from "../../../layers/models/notes.ts"
import { hiveFolder, queenFolder } from "../../../layers/paths/index.ts"
import { hivesKnownIn } from "../../../layers/queen-catalog/read.ts"
import type { Settings } from "../../../layers/settings/index.ts"
import { configuredHosts } from "../../../layers/ssh/named-hosts.ts"
import { bundledModel } from "../../../machines/formats/model-ref.ts"
import { urlOf } from "../../../machines/vocabulary/address.ts"
import type { Devices } from "../../../machines/vocabulary/device.ts"
import type { OwnApi } from "../../../protocol/queen/own.ts"
import type { Context } from "../spec.ts"
import { inWorld } from "../world.ts"
import type { Asked, Candidate } from "./complete.ts"

/** a shell waits for it */
const withinMs = 1500

type Kind = NonNullable<Asked["kind"]>

const candidate = (value: string, ...doc: ReadonlyArray<string>): Candidate => ({ value, doc: doc.join(" ") })
const ended: ReadonlySet<string> = new Set(["done", "failed", "cancelled"])

const devicesOf = (all: ReadonlyArray<Devices | undefined>): ReadonlyArray<Candidate> => [
  candidate("cpu", "CPU"),
  ...all.flatMap((devices) => devices?.gpus ?? []).map(({ id, name }) => candidate(id, name))
]

/** Of the queen's own lists. */
const told = (kind: Kind, api: OwnApi, hive: string | undefined) => {
  switch (kind) {
    case "hives":
      return Effect.map(api.listHives({}), (hives) => hives.map(({ id, state }) => candidate(id, state)))
    case "devices":
      return Effect.map(api.listHives({}), (hives) =>
        devicesOf(hives.filter(({ id }) => hive === undefined || id === hive).map(({ devices }) => devices))
      )
    case "models":
      return Effect.map(api.listModels({}), (models) =>
        models.map((one) => candidate(one.model_ref, "on", one.hive ?? ""))
      )
    case "workers":
      return Effect.map(api.listWorkers({}), (workers) =>
        workers.map((one) => candidate(one.id, one.model, "on", one.hive))
      )
    case "jobs":
    case "running-jobs":
      return Effect.map(api.listJobs({}), (jobs) =>
        jobs
          .filter(({ state }) => kind === "jobs" || !ended.has(state))
          .map(({ job_id, model, state }) => candidate(job_id, state, model))
      )
    default:
      return Effect.succeed([])
  }
}

/** Of the files, while she sleeps. */
const readOf = (kind: Kind, { hive, home }: Settings): Effect.Effect<ReadonlyArray<Candidate>> => {
  const known = hivesKnownIn(join(queenFolder(home), "catalog.sqlite"))
  switch (kind) {
    case "hives":
      return Effect.map(known, (hives) => hives.map(({ id }) => candidate(id, "asleep")))
    case "devices":
      return Effect.map(known, (hives) => devicesOf(hives.map(({ devices }) => devices)))
    case "models":
      return Effect.map(
        Effect.promise(() => copiesOnDisk(hiveFolder(home, hive.id), hive.id)),
        (models) => models.map(({ model_ref }) => candidate(model_ref, "on disk"))
      )
    default:
      return Effect.succeed([])
  }
}

/** The names that the user's ssh configuration has for machines. */
const sshHosts = ({ queen }: Settings): ReadonlyArray<Candidate> =>
  configuredHosts(queen.sshConfig).map((name) => candidate(name, "ssh"))

const found = (kind: Kind, { settings }: Context, hive: string | undefined) =>
  Effect.gen(function* () {
    if (kind === "ssh-hosts") return sshHosts(settings)
    const seen = yield* askAwake(queenFolder(settings.home), urlOf(settings.queen.host, settings.queen.port))
    if (seen._tag !== "Daemon" || seen.health.version !== settings.version) return yield* readOf(kind, settings)
    return yield* told(kind, yield* connect, hive)
  })

/** Models under names of the user's own. */
const entries = ({ home }: Settings) =>
  Effect.gen(function* () {
    const { entriesNow } = yield* Effect.promise(() => import("../../../layers/model-entries/file.ts"))
    const { all } = yield* entriesNow(home.config)
    return all.map(({ name, ref }) => candidate(name, ref))
  })

const unique = (candidates: ReadonlyArray<Candidate>): ReadonlyArray<Candidate> => [
  ...new Map(candidates.map((one) => [one.value, one])).values()
]

/** In time, or nothing. */
const orNothing = <E>(effect: Effect.Effect<ReadonlyArray<Candidate>, E>) =>
  effect.pipe(
    Effect.timeout(withinMs),
    Effect.catchAllCause(() => Effect.succeed<ReadonlyArray<Candidate>>([]))
  )

export const valuesOf = (kind: Kind, context: Context, hive?: string): Effect.Effect<ReadonlyArray<Candidate>> =>
  Effect.gen(function* () {
    const there = yield* orNothing(inWorld(context, found(kind, context, hive)))
    if (kind !== "models") return unique(there)
    const named = yield* orNothing(entries(context.settings))
    return unique([...named, ...there, candidate(bundledModel, "comes with rbee")])
  })
