/** What `GET /v1/usage` says, as the page shows it. */
import { type Fields, fields, number, objects, text } from "../kit/fields.ts"

export interface Sums {
  readonly jobs: number
  readonly prompt: number
  /** of the prompt's */
  readonly cached: number
  readonly answer: number
  readonly deviceS: number
}

export interface Day extends Sums {
  /** `2026-11-30` */
  readonly day: string
}

export interface Limit {
  readonly max: number
  readonly left: number
}

export interface Account {
  readonly key: string
  readonly running: number
  readonly tokensPerDay: Limit | undefined
  readonly concurrent: Limit | undefined
  /** the newest first; days without jobs are left out */
  readonly days: ReadonlyArray<Day>
  readonly sum: Sums
}

export interface Usage {
  readonly day: string
  readonly accounts: ReadonlyArray<Account>
}

const dayIn = (one: Fields): Day => ({
  day: text(one["day"]),
  jobs: number(one["jobs"]),
  prompt: number(one["prompt_tokens"]),
  cached: number(one["cached_tokens"]),
  answer: number(one["completion_tokens"]),
  deviceS: number(one["device_s"])
})

export const nothing: Sums = { jobs: 0, prompt: 0, cached: 0, answer: 0, deviceS: 0 }

const added = (a: Sums, b: Sums): Sums => ({
  jobs: a.jobs + b.jobs,
  prompt: a.prompt + b.prompt,
  cached: a.cached + b.cached,
  answer: a.answer + b.answer,
  deviceS: a.deviceS + b.deviceS
})

export const sumOf = (all: ReadonlyArray<Sums>): Sums => all.reduce(added, nothing)

export const tokensOf = ({ answer, prompt }: Sums): number => answer + prompt

const limitIn = (value: unknown): Limit | undefined =>
  value === undefined ? undefined : { max: number(fields(value)["max"]), left: number(fields(value)["left"]) }

export const usageIn = (answer: unknown): Usage => {
  const { day, keys } = fields(answer)
  const accounts = objects(keys).map((one) => {
    const days = objects(one["days"]).map(dayIn)
    return {
      key: text(one["key"]),
      running: number(one["running"]),
      tokensPerDay: limitIn(one["tokens_per_day"]),
      concurrent: limitIn(one["concurrent"]),
      days,
      sum: sumOf(days)
    }
  })
  return { day: text(day), accounts: accounts.toSorted((a, b) => tokensOf(b.sum) - tokensOf(a.sum)) }
}

const dayMs = 86_400_000

/** The last `count` days up to `last`, the oldest first, those without jobs too. */
export const everyDay = (last: string, days: ReadonlyArray<Day>, count: number): ReadonlyArray<Day> => {
  const end = Date.parse(`${last}T12:00:00Z`)
  if (Number.isNaN(end)) return []
  return Array.from({ length: count }, (_, at) => {
    const day = new Date(end - (count - 1 - at) * dayMs).toISOString().slice(0, 10)
    return { day, ...sumOf(days.filter((one) => one.day === day)) }
  })
}
