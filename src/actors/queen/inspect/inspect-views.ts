/** The queen's view of hives, workers and jobs as records: all of it first, then what changed since the last look. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { InspectRecord } from "../../../machines/vocabulary/inspect.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import { Jobs } from "../jobs/jobs.ts"
import { LiveJobs } from "../log/live-jobs.ts"
import type { JobId } from "../../../machines/vocabulary/ids.ts"

/** Ended jobs that are shown when somebody begins to watch. */
const endedMax = 100

type View = Extract<InspectRecord, { readonly kind: "view" }>
type Kind = View["of"]

/** Each run is one look. */
export const makeViews = (): Effect.Effect<ReadonlyArray<InspectRecord>, never, Cluster | Jobs | LiveJobs> => {
  const told = new Map<string, string>()
  let isFirst = true
  /** live at the last look: they are shown once more after their end */
  let live: ReadonlySet<JobId> = new Set()

  return Effect.gen(function* () {
    const view = yield* Cluster
    const jobs = yield* Jobs
    const at = yield* Clock.currentTimeMillis
    const records: Array<InspectRecord> = []
    const seen = new Set<string>()
    const tell = (of: Kind, id: string, shown: unknown) => {
      const key = `${of} ${id}`
      const text = JSON.stringify(shown)
      seen.add(key)
      if (told.get(key) === text) return
      told.set(key, text)
      records.push({ kind: "view", at, daemon: "queen", of, id, view: shown })
    }

    for (const { beats, claimed, devices, id, state } of view.allHives())
      tell("hive", id, { id, state, url: claimed?.url, instance: claimed?.instance, devices, beats })
    for (const worker of view.allWorkers()) tell("worker", worker.id, worker)
    const ended = isFirst ? yield* Effect.orElseSucceed(jobs.list(undefined), () => []) : []
    for (const job of ended.slice(0, endedMax)) tell("job", job.job_id, job)
    isFirst = false
    const now = new Set((yield* LiveJobs).logs.map(({ jobId }) => jobId))
    for (const id of new Set([...live, ...now])) {
      const job = yield* Effect.option(jobs.get(id))
      if (job._tag === "Some") tell("job", id, job.value)
    }
    live = now

    for (const key of told.keys()) {
      const [of, id] = key.split(" ", 2)
      // ended jobs stay
      if (id === undefined || (of !== "hive" && of !== "worker") || seen.has(key)) continue
      told.delete(key)
      records.push({ kind: "view", at, daemon: "queen", of, id, view: null })
    }
    return records
  })
}
