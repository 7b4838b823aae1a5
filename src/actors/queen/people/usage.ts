/** What keys have used, by day: of ended jobs as the journal has it, of the others as it stands. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Struct from "effect/Struct"
import { byKeyAndDay, tokensOf } from "../../../machines/people/charge.ts"
import { dayBefore, dayOf, nextDayAt } from "../../../machines/people/day.ts"
import { left } from "../../../machines/people/limits.ts"
import type { UsageDay, UsageView } from "../../../machines/vocabulary/people/usage.ts"
import { accountOf, type Caller } from "../../../protocol/rights.ts"
import type { JournalLost } from "../log/commits.ts"
import { JobLogs } from "../log/job-log.ts"
import { LiveJobs } from "../log/live-jobs.ts"
import { Keys } from "./keys.ts"

/** days that are told of where nothing is said */
const usualDays = 30

const withoutKey = (day: UsageDay) => Struct.omit(day, "key")

export const usageFor = (
  caller: Caller | undefined,
  days = usualDays
): Effect.Effect<UsageView, JournalLost, JobLogs | Keys | LiveJobs> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const live = yield* LiveJobs
    const views = (yield* Keys).all()
    const used = byKeyAndDay(yield* (yield* JobLogs).usage(dayBefore(now, days - 1)))
    const seesAll = caller === undefined || caller.may.has("observe")
    const accounts = seesAll
      ? new Set([...views.map(({ name }) => name), ...used.map(({ key }) => key)])
      : [accountOf(caller)]
    const day = dayOf(now)
    return {
      day,
      resets_at: nextDayAt(now),
      keys: [...accounts].map((key) => {
        const own = used.filter((one) => one.key === key)
        const limits = views.find(({ name }) => name === key)
        const today = own.filter((one) => one.day === day).reduce((sum, one) => sum + tokensOf(one), 0)
        const running = live.of(key)
        const { concurrent, tokens_per_day } = limits ?? {}
        return {
          key,
          running,
          ...(tokens_per_day === undefined
            ? {}
            : { tokens_per_day: { max: tokens_per_day, left: left(tokens_per_day, today) } }),
          ...(concurrent === undefined ? {} : { concurrent: { max: concurrent, left: left(concurrent, running) } }),
          days: own.map(withoutKey)
        }
      })
    }
  })
