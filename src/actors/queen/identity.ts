/** Who this queen is, where she is reached, and what she was given at her start. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Ids } from "../../layers/ids/index.ts"
import { type EntryWriter, noWriter } from "../../layers/model-entries/index.ts"
import { type ModelOffers, noOffers } from "../../layers/model-offers/index.ts"
import { QueenCatalog } from "../../layers/queen-catalog/index.ts"
import { CurrentSettings } from "../../layers/settings/index.ts"
import type { Discovered } from "../../machines/discovery/discovered.ts"
import { type Entries, noEntries } from "../../machines/entries/entries.ts"
import type { Copy } from "../../machines/policy/model-gc.ts"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

export interface QueenOptions {
  /** where hives reach her */
  readonly url: string
  readonly pid: number
  /** what others call her, where a hive is hers */
  readonly name?: string
  /** which start of her machine this is; absent: that is not known, and a restart of it goes unnoticed */
  readonly boot?: string | undefined
  /** what this machine's hive has on its disk, also while it sleeps; absent: that is asked of hives alone */
  readonly onDisk?: Effect.Effect<ReadonlyArray<Copy>>
  /** models under names of the user's own, as they are written now; absent: none */
  readonly entries?: Effect.Effect<Entries>
  /** the last lines of the log of this machine's own hive; absent: it has none */
  readonly hiveLog?: (hive: HiveId, lines: number) => Effect.Effect<string>
  /** machines that could be added; absent: nobody looks */
  readonly discovered?: Effect.Effect<Discovered>
  /** models that nobody has fetched yet; absent: nobody is asked */
  readonly offers?: ModelOffers
  /** what changes the entries; absent: nothing does */
  readonly writer?: EntryWriter
  /** every connection wakes her: a hive's beat would undo her idle end at once, and so it keeps her */
  readonly isWokenByCalls?: boolean
  /** an older queen handed over to her: hives of other machines follow (hives/elsewhere/upgrading.ts) */
  readonly isSuccessor?: boolean
  /** the OpenAPI document of her interface */
  readonly document?: () => unknown
}

/** Names the version to which an older queen handed over: it holds for the queens after her as well. */
const upgradedTo = "upgraded_to"

const isUpgraded = (justNow: boolean) =>
  Effect.gen(function* () {
    const { settings } = yield* QueenCatalog
    const { version } = yield* CurrentSettings
    if (justNow) yield* Effect.ignoreLogged(settings.put({ name: upgradedTo, value: version }))
    const known = yield* Effect.orElseSucceed(settings.get(upgradedTo), () => undefined)
    return justNow || known?.value === version
  })

export class CurrentQueen extends Context.Tag("rbee/CurrentQueen")<
  CurrentQueen,
  Required<QueenOptions> & {
    readonly id: string
    /** counts her starts */
    readonly epoch: number
    /** fresh for every process */
    readonly instance: string
    /** milliseconds since 1970 */
    readonly startedAt: number
  }
>() {
  static readonly layer = ({
    boot,
    discovered = Effect.succeed({ machines: [], hashed: 0 }),
    document = () => ({}),
    entries = Effect.succeed(noEntries),
    hiveLog = () => Effect.succeed(""),
    isSuccessor: justNow = false,
    isWokenByCalls = false,
    name = "queen",
    offers = noOffers,
    onDisk = Effect.succeed([]),
    pid,
    url,
    writer = noWriter
  }: QueenOptions) =>
    Layer.effect(
      CurrentQueen,
      Effect.gen(function* () {
        const { identity } = yield* QueenCatalog
        const isSuccessor = yield* isUpgraded(justNow)
        const instance = yield* (yield* Ids).make("queen")
        const startedAt = yield* Clock.currentTimeMillis
        return {
          ...identity,
          instance,
          startedAt,
          boot,
          discovered,
          document,
          entries,
          hiveLog,
          isSuccessor,
          isWokenByCalls,
          name,
          offers,
          onDisk,
          pid,
          url,
          writer
        }
      })
    )
}
