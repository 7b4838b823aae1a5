/** How fast a device is expected to decode a model that it has not had: by answers that it gave of models of like size. */
import type { JobView } from "../vocabulary/job.ts"

/** An answer of which it is known how fast it was decoded. */
export interface Paced {
  readonly hive: string
  readonly device: string
  readonly model: string
  /** of the model's files */
  readonly bytes: number
  /** tokens a second */
  readonly rate: number
}

/** Shorter answers say little. */
const tokensMin = 8
/** The queen sees when she reads: what she read at once was decoded while she was busy, and its time is none of its own. */
const msMin = 5
/** A model so many times smaller or larger says nothing: what slows it down is something else. */
const likeness = 8

/** Tokens a second of an answer that was decoded in one go; undefined: it says nothing. */
const rateOf = ({ failovers, state, timings, tokens }: JobView): number | undefined => {
  const { first_token_ms: first, total_ms: total } = timings
  if (state !== "done" || failovers > 0 || tokens < tokensMin) return undefined
  return first === undefined || total === undefined || total - first < msMin
    ? undefined
    : ((tokens - 1) * 1000) / (total - first)
}

/** `bytesOf`: the sizes of the models that are known. */
export const pacesOf = (jobs: ReadonlyArray<JobView>, bytesOf: ReadonlyMap<string, number>): ReadonlyArray<Paced> =>
  jobs.flatMap((job) => {
    const [rate, bytes] = [rateOf(job), bytesOf.get(job.model)]
    if (rate === undefined || job.placement === undefined || bytes === undefined) return []
    const { device, hive } = job.placement
    return [{ hive, device, model: job.model, bytes, rate }]
  })

/** Tokens a second of the latest answer that a model gave there. */
export const latestPace = (
  jobs: ReadonlyArray<JobView>,
  { device, hive, model }: Pick<Paced, "device" | "hive" | "model">
): number | undefined =>
  jobs
    .filter((job) => job.model === model && job.placement?.hive === hive && job.placement.device === device)
    .toSorted((a, b) => b.created_at - a.created_at)
    .map(rateOf)
    .find((rate) => rate !== undefined)

/** Tokens a second of one answer alone; undefined: nothing is known that would tell. Every token reads the whole model once. */
export const expectedPace = (
  paces: ReadonlyArray<Paced>,
  place: { readonly hive: string; readonly device: string },
  bytes: number
): number | undefined => {
  const apart = (one: Paced) => Math.abs(Math.log(one.bytes / bytes))
  const known = paces.filter((one) => one.hive === place.hive && one.device === place.device)
  const nearest = known.reduce((least, one) => Math.min(least, apart(one)), Number.POSITIVE_INFINITY)
  if (nearest > Math.log(likeness)) return undefined
  // the fastest of them was least disturbed by others
  const rates = known.filter((one) => apart(one) === nearest).map((one) => (one.rate * one.bytes) / bytes)
  return Math.max(...rates)
}
