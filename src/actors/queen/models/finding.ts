/** What there is to choose from (the hub, this machine), what of it fits where, what is on its way, and names of the user's own. */
import * as Effect from "effect/Effect"
import { CurrentSettings } from "../../../layers/settings/index.ts"
import type { ModelOffers, Offer } from "../../../layers/model-offers/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { fact } from "../../../machines/facts.ts"
import { parseModelRef } from "../../../machines/formats/model-ref.ts"
import { fitsOf } from "../../../machines/policy/fits.ts"
import type { Copy } from "../../../machines/policy/model-gc.ts"
import { pacesOf } from "../../../machines/policy/pace.ts"
import type { ModelRef } from "../../../machines/vocabulary/ids.ts"
import { Call, type InputOf } from "../../../protocol/endpoint.ts"
import { heldTo, ofFetching } from "../../../protocol/failures.ts"
import type { QueenApi } from "../../../protocol/queen/index.ts"
import type { findingApi } from "../../../protocol/queen/finding.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import { CurrentQueen } from "../identity.ts"
import { Jobs } from "../jobs/jobs.ts"
import { apiOf, knownCopies, named } from "./models.ts"

const usualLimit = 10

/** A hive that does not answer so soon is left out. */
const listWithin = "1 second"

/** From the hub; where that cannot be asked, or the name is none of its, from what is on this machine. */
const offerFor = (offers: ModelOffers, ref: ModelRef, here: Copy | undefined): Effect.Effect<Offer, RbeeError> =>
  Effect.gen(function* () {
    const onDisk = here === undefined ? undefined : offers.ofFile(ref, here.file, here.bytes)
    const parsed = yield* parseModelRef(ref)
    if (parsed._tag === "File") return yield* offers.ofFile(ref, parsed.path)
    if (parsed._tag === "Hub") {
      const offer = offers.ofHub(parsed)
      return yield* onDisk === undefined
        ? offer
        : Effect.catchIf(
            offer,
            (error) => fact(error, "unreachable") === true,
            () => onDisk
          )
    }
    if (onDisk !== undefined) return yield* onDisk
    return yield* rbeeError("MODEL_NOT_FOUND", `${ref} is not on this machine`, "See `rbee models ls`")
  })

const fit = ({ context, model }: InputOf<typeof findingApi.fitModels>) =>
  Effect.gen(function* () {
    const { hive, worker } = yield* CurrentSettings
    const { offers } = yield* CurrentQueen
    const { caller } = yield* Call
    const ref = yield* named(model)
    const copies = yield* knownCopies
    const here = copies.find((copy) => copy.model_ref === ref && copy.hive === hive.id)
    const offer = yield* Effect.mapError(offerFor(offers, ref, here), heldTo(ofFetching))
    const jobs = yield* (yield* Jobs).list(caller)
    const sizes = new Map(copies.map(({ bytes, model_ref }): [string, number] => [model_ref, bytes]))
    const hives = (yield* Cluster).allHives()
    const { kvType, slots } = worker
    return fitsOf(offer, hives, pacesOf(jobs, sizes), { context, slots, kvType })
  })

const downloads = Effect.gen(function* () {
  const lists = yield* Effect.forEach(
    (yield* Cluster).allHives(),
    ({ claimed, id: hive }) =>
      claimed === undefined
        ? Effect.succeed([])
        : claimed.api.listDownloads({}).pipe(
            Effect.timeout(listWithin),
            Effect.map((all) => all.map((one) => ({ hive, ...one }))),
            Effect.orElseSucceed(() => [])
          ),
    { concurrency: "unbounded" }
  )
  return lists.flat()
})

type Calls = Pick<QueenApi, keyof typeof findingApi>

export const findingCalls: Effect.Effect<Calls, never, Cluster | CurrentQueen | CurrentSettings | Jobs> = Effect.gen(
  function* () {
    const context = yield* Effect.context<Cluster | CurrentQueen | CurrentSettings | Jobs>()
    const { entries, offers, writer } = yield* CurrentQueen
    return {
      searchModels: ({ limit = usualLimit, words }) =>
        Effect.mapError(offers.search(words.trim(), limit), heldTo(ofFetching)),
      fitModels: (input) => Effect.provide(fit(input), context),
      listDownloads: () => Effect.provide(downloads, context),
      endDownload: ({ hive, id }) =>
        Effect.flatMap(Effect.provide(apiOf(hive), context), (api) => api.endDownload({ id })),
      listEntries: () =>
        Effect.map(entries, ({ all, defaultModel }) => ({ default_model: defaultModel ?? null, models: all })),
      setEntry: ({ default: isDefault = false, fields = {}, name, unset = [] }) =>
        writer.set({ name, fields, unset, isDefault }),
      removeEntry: ({ name }) => writer.remove(name)
    } satisfies Calls
  }
)
