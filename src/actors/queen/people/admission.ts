/** Is a job of this key taken in? By its models and its limits; who has no key has none of either. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CurrentSettings } from "../../../layers/settings/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { tokensOf } from "../../../machines/people/charge.ts"
import { dayOf } from "../../../machines/people/day.ts"
import { limitReached } from "../../../machines/people/limits.ts"
import { Call } from "../../../protocol/endpoint.ts"
import type { ModelRef } from "../../../machines/vocabulary/ids.ts"
import type { KeyView } from "../../../machines/vocabulary/people/key.ts"
import type { Cluster } from "../cluster/cluster-view.ts"
import type { CurrentQueen } from "../identity.ts"
import type { JournalLost } from "../log/commits.ts"
import { JobLogs } from "../log/job-log.ts"
import { LiveJobs } from "../log/live-jobs.ts"
import { behind } from "../models/entries.ts"
import { found } from "../models/models.ts"

interface Door {
  /** Those of `models` that the caller may ask: all, where its key says nothing of models. */
  readonly among: <M>(models: ReadonlyArray<M>, refOf: (model: M) => string) => Effect.Effect<ReadonlyArray<M>>
  /** FORBIDDEN: not this model. */
  readonly model: (key: KeyView, model: ModelRef) => Effect.Effect<void, RbeeError<"FORBIDDEN">>
  /** What it has reached; undefined: one more is taken in. */
  readonly limit: (
    key: KeyView,
    retryAfterS: () => number
  ) => Effect.Effect<RbeeError<"LIMIT_REACHED"> | undefined, JournalLost>
}

export class Admission extends Context.Tag("rbee/queen/Admission")<Admission, Door>() {
  static readonly layer = Layer.suspend(() => Layer.effect(Admission, makeAdmission))
}

type Needs = Cluster | CurrentQueen | CurrentSettings

const makeAdmission = Effect.gen(function* () {
  const context = yield* Effect.context<Needs>()
  const live = yield* LiveJobs
  const logs = yield* JobLogs
  /** as the name is meant now: models come and go, and an entry stands for another one tomorrow */
  const refOf = (name: string) =>
    Effect.flatMap(behind(name), found).pipe(
      Effect.provide(context),
      Effect.catchAll(() => Effect.succeed(undefined))
    )
  return {
    among: (all, refOfOne) =>
      Effect.gen(function* () {
        const { caller } = yield* Call
        const named = caller?.key?.models
        if (named === undefined) return all
        const refs = new Set<string | undefined>(yield* Effect.forEach(named, refOf))
        return all.filter((model) => refs.has(refOfOne(model)))
      }),
    model: ({ models, name }, model) =>
      Effect.gen(function* () {
        if (models === undefined) return
        for (const one of models) if ((yield* refOf(one)) === model) return
        return yield* rbeeError(
          "FORBIDDEN",
          `key ${name} may not ask ${model}: it may ask ${models.join(", ")}`,
          "Ask for one of these, or have whoever gave you the key allow this one",
          { field: "model", models }
        )
      }),
    limit: (key, retryAfterS) =>
      Effect.gen(function* () {
        if (key.tokens_per_day === undefined && key.concurrent === undefined) return undefined
        const now = yield* Clock.currentTimeMillis
        const today = dayOf(now)
        const days = key.tokens_per_day === undefined ? [] : yield* logs.usage(today)
        const tokens = days.filter((one) => one.key === key.name && one.day === today).map(tokensOf)
        const spent = { running: live.of(key.name), tokens: tokens.reduce((sum, one) => sum + one, 0) }
        return limitReached(key.name, key, spent, now, retryAfterS())
      })
  } satisfies Door
})
