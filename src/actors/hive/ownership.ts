/** To which queen this hive belongs: by her id, and by her epoch, which counts her starts. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Call } from "../../protocol/endpoint.ts"
import type { CatalogError, OwnerRow } from "../../layers/hive-catalog/index.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { ClaimRequest } from "../../machines/vocabulary/hive.ts"
import { HiveWorld, type Ports } from "./common/ports.ts"

export class Ownership {
  owner: OwnerRow | undefined
  /** what is shown to her, where that is not what her machine's hive shows; nowhere but here and in her memory */
  secret: string | undefined
  /** She woke this hive for a cold session: it ends soon after its last use. */
  wokenCold = false
  /** She stays, and this hive with her. */
  stays = false
  /** Idle so long, seconds, its machine is put to sleep; 0: it is not. */
  sleepAfterS = 0
  private readonly catalog: Ports["catalog"]

  private constructor(catalog: Ports["catalog"], owner: OwnerRow | undefined) {
    this.catalog = catalog
    this.owner = owner
  }

  static readonly load = Effect.gen(function* () {
    const { catalog } = yield* HiveWorld
    return new Ownership(catalog, yield* catalog.owner)
  })

  /** Her own later starts always may; another queen only if she says that she takes over. */
  claim({
    queen,
    sleep_after_s,
    stays,
    take_over,
    woken_cold
  }: ClaimRequest): Effect.Effect<void, RbeeError<"HIVE_OWNED"> | CatalogError> {
    return Effect.suspend((): Effect.Effect<void, RbeeError<"HIVE_OWNED"> | CatalogError> => {
      const { owner } = this
      const stranger = owner !== undefined && owner.id !== queen.id
      if (stranger && take_over !== true) return Effect.fail(owned(owner, "belongs to"))
      if (owner !== undefined && !stranger && queen.epoch < owner.epoch)
        return Effect.fail(owned(owner, "follows a later start of"))
      const { id, name, epoch, url } = queen
      this.owner = { id, name, epoch, url }
      this.secret = queen.secret
      this.stays = stays === true
      if (sleep_after_s !== undefined) this.sleepAfterS = sleep_after_s
      // Claimed again by a queen who did not wake it, it keeps what the first one said.
      if (woken_cold !== undefined) this.wokenCold = woken_cold
      return this.catalog.setOwner(this.owner)
    })
  }

  /** What another queen asks, or an earlier start of the owner, is refused. A call that names no queen is a person's. */
  readonly admit: Effect.Effect<void, RbeeError<"HIVE_OWNED">> = Effect.flatMap(Call, ({ queen }) => {
    const { owner } = this
    if (queen === undefined || owner === undefined) return Effect.void
    if (queen.id !== owner.id) return Effect.fail(owned(owner, "belongs to"))
    return queen.epoch < owner.epoch ? Effect.fail(owned(owner, "follows a later start of")) : Effect.void
  })
}

export class CurrentOwnership extends Context.Tag("rbee/hive/Ownership")<CurrentOwnership, Ownership>() {
  static readonly layer = Layer.effect(CurrentOwnership, Ownership.load)
}

const owned = ({ id, name, epoch, url }: OwnerRow, how: string): RbeeError<"HIVE_OWNED"> =>
  rbeeError(
    "HIVE_OWNED",
    `this hive ${how} queen ${name}`,
    "Stop it there first, or take it over: `rbee hives start … --take-over`",
    {
      owner: { id, name, epoch, url }
    }
  )
